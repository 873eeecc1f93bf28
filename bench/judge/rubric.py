"""Rubrics: what a judge is told to look for, as versioned files; the arithmetic belongs to their kind."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from m3dbench.data.manifest import canonical
from m3dbench.errors import UserError
from m3dbench.metrics.judge import KINDS, Kind, Scale

SHIPPED = ("aspects-recall", "aspects-f1", "finding-level", "answer-match")
FIELDS: Mapping[str, type[Any]] = {
    "name": str,
    "version": str,
    "kind": str,
    "title": str,
    "instructions": str,
    "tasks": list,
    "default_for": list,
    "partial": float,
    "minimum": float,
    "maximum": float,
}
NEEDED = ("name", "version", "kind", "instructions")
MAX_LENGTH = 20_000


@dataclass(frozen=True)
class Rubric:
    """A rubric.

    kind: the form of the verdict and its arithmetic. tasks: those it is made for; empty: any that answers with text.
    default_for: those it judges unless another is asked for. verbatim: the reference's own messages, sent as they are,
    where the rubric was imported: ``system``, and ``user`` as parts, of which ``("reference", "")`` and
    ``("prediction", "")`` stand for the texts and ``("text", t)`` for t.
    """

    name: str
    version: str
    kind: Kind
    instructions: str
    title: str = ""
    tasks: tuple[str, ...] = ()
    default_for: tuple[str, ...] = ()
    scale: Scale = field(default_factory=Scale)
    system: str = ""
    user: tuple[tuple[str, str], ...] = ()

    @property
    def verbatim(self) -> bool:
        return bool(self.user)

    @property
    def metric(self) -> str:
        """Name of the headline metric."""
        return "judge_" + self.name.replace("-", "_")

    @property
    def digest(self) -> str:
        """SHA-256 of everything that the rubric says."""
        return hashlib.sha256(canonical(self.to_json()).encode()).hexdigest()

    def suits(self, task: str) -> bool:
        return not self.tasks + self.default_for or task in self.tasks + self.default_for

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(content: Mapping[str, Any]) -> Rubric:
        values = dict(content)
        values["scale"] = Scale(**values["scale"])
        values["user"] = tuple((kind, text) for kind, text in values["user"])
        for name in ("tasks", "default_for"):
            values[name] = tuple(values[name])
        return Rubric(**values)


def shipped() -> list[Rubric]:
    """The rubrics of this package."""
    folder = files(__package__).joinpath("rubrics")
    return [
        _rubric(folder.joinpath(f"{name}.toml").read_text(encoding="utf-8"), Path(f"{name}.toml")) for name in SHIPPED
    ]


def find(name: str) -> Rubric:
    """A shipped rubric by name. Raises UserError with those there are."""
    for rubric in shipped():
        if rubric.name == name:
            return rubric
    raise UserError(
        f"there is no rubric {name!r}",
        field="--rubric",
        fix=f"choose one of: {', '.join(SHIPPED)}; or give your own with --rubric-file",
    )


def read(path: Path) -> Rubric:
    """A user's own rubric. Raises UserError naming the field that is missing, unknown or of the wrong form."""
    try:
        return _rubric(path.read_text(encoding="utf-8"), path)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot be read: {error}", file=path, field="--rubric-file") from error


def default_for(task: str) -> Rubric | None:
    """The shipped rubric that judges a task unless another is asked for."""
    return next((rubric for rubric in shipped() if task in rubric.default_for), None)


def _rubric(text: str, path: Path) -> Rubric:
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"is not TOML: {error}", file=path) from error
    for name, value in content.items():
        if name not in FIELDS:
            raise UserError("is no field of a rubric", file=path, field=name, fix=f"fields: {', '.join(FIELDS)}")
        kind = FIELDS[name]
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            content[name] = value = float(value)
        if not isinstance(value, kind) or (kind is list and not all(isinstance(item, str) for item in value)):
            raise UserError(f"takes {'a list of texts' if kind is list else kind.__name__}", file=path, field=name)
    for name in NEEDED:
        if not str(content.get(name, "")).strip():
            raise UserError("is missing", file=path, field=name)
    if content["kind"] not in KINDS:
        raise UserError(f"unknown kind {content['kind']!r}", file=path, field="kind", fix=f"one of: {', '.join(KINDS)}")
    if not content["name"].replace("-", "").replace("_", "").isalnum() or not content["name"].isascii():
        raise UserError("takes letters, digits, - and _", file=path, field="name")
    if len(content["instructions"]) > MAX_LENGTH:
        raise UserError(f"is longer than {MAX_LENGTH:,} characters", file=path, field="instructions")
    scale = Scale(**{name: content.pop(name) for name in ("partial", "minimum", "maximum") if name in content})
    if not 0 <= scale.partial <= 1 or not scale.minimum < scale.maximum:
        raise UserError("partial lies between 0 and 1, and minimum below maximum", file=path)
    for name in ("tasks", "default_for"):
        content[name] = tuple(content.get(name, ()))
    return Rubric(**{**content, "instructions": content["instructions"].strip(), "scale": scale})
