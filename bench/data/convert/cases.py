"""Finding the cases of a public release by the layouts of its table."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from m3dbench.data.convert.table import Layout, Table
from m3dbench.errors import UserError

NIFTI = ".nii.gz"


@dataclass(frozen=True)
class Case:
    """The files of one case: the scan, and either a mask file per class (``masks``: class name to file) or one
    multi-label file (``labels``). ``scan`` and ``labels`` may name files that are not there: converting tells.
    """

    name: str
    scan: Path
    masks: Mapping[str, Path] = field(default_factory=dict)
    labels: Path | None = None

    @property
    def complete(self) -> bool:
        """Whether both the scan and labels are there."""
        return self.scan.is_file() and (bool(self.masks) or (self.labels is not None and self.labels.is_file()))

    @property
    def files(self) -> list[Path]:
        """Every file that the conversion reads, in a stable order."""
        return [self.scan, *([self.labels] if self.labels else [self.masks[name] for name in sorted(self.masks)])]


def find_cases(source: Path, table: Table) -> list[Case]:
    """The cases of ``source`` by name. A case has a scan or labels where a layout of the table expects them; where
    several layouts fit, the first that is complete counts.

    Raises UserError when ``source`` is no folder, holds no case, or a mask file names a class that the table lacks.
    """
    if not source.is_dir():
        raise UserError("the source is not a folder", file=source, fix=f"give a folder with {table.expected()}")
    found: dict[str, Case] = {}
    for layout in table.layouts:
        for case in _cases(source, layout, table):
            known = found.get(case.name)
            if known is None or (case.complete and not known.complete):
                found[case.name] = case
    used = {path for case in found.values() if case.complete for path in case.files}
    found = {name: case for name, case in found.items() if case.complete or not _there(case) <= used}
    if table.cases:
        found = {name: case for name, case in found.items() if re.fullmatch(table.cases, name)}
    if not found:
        raise UserError("no case was found", file=source, fix=f"expected {table.expected()}")
    return [found[name] for name in sorted(found)]


def _there(case: Case) -> set[Path]:
    """The files of a case that exist; where another case has them all, a looser layout took them for one."""
    return {path for path in case.files if path.is_file()}


def _cases(source: Path, layout: Layout, table: Table) -> Iterator[Case]:
    scans = {fields["case"]: path for fields, path in _matches(source, layout.image)}
    labels: dict[str, Path] = {}
    masks: dict[str, dict[str, Path]] = {}
    if layout.label:
        labels = {fields["case"]: path for fields, path in _matches(source, layout.label)}
    else:
        for fields, path in _matches(source, layout.masks):
            name = table.canonical(fields["class"])
            if name is None:
                raise UserError(
                    f"the class {fields['class']!r} is not in the label table {table.name}",
                    file=path,
                    fix="move the file away, or use a table that has the class",
                )
            masks.setdefault(fields["case"], {})[name] = path
    for name in sorted({*scans, *labels, *masks}):
        scan = scans.get(name, source / layout.image.replace("{case}", name))
        expected = source / layout.label.replace("{case}", name) if layout.label else None
        yield Case(name, scan, masks.get(name, {}), labels.get(name, expected))


def _matches(source: Path, pattern: str) -> Iterator[tuple[dict[str, str], Path]]:
    """The files that fit a pattern, with the values of its fields, in a stable order; hidden files never do."""
    loose = re.sub(r"\{\w+\}", "*", pattern)
    loose = loose.removesuffix(".gz") + "*" if loose.endswith(NIFTI) else loose
    shape = re.compile(_expression(pattern))
    for path in sorted(source.glob(loose)):
        relative = path.relative_to(source).as_posix()
        fit = shape.fullmatch(relative)
        if fit and path.is_file() and not any(part.startswith(".") for part in relative.split("/")):
            yield fit.groupdict(), path


def _expression(pattern: str) -> str:
    seen: set[str] = set()

    def part(found: re.Match[str]) -> str:
        text = found.group()
        if text == "*":
            return "[^/]*"
        if not text.startswith("{"):
            return re.escape(text)
        name = text[1:-1]
        if name in seen:
            return f"(?P={name})"
        seen.add(name)
        return f"(?P<{name}>[^/]+?)"

    body, suffix = (pattern.removesuffix(NIFTI), r"\.nii(\.gz)?") if pattern.endswith(NIFTI) else (pattern, "")
    return re.sub(r"\{\w+\}|\*|[^{*]+|.", part, body) + suffix
