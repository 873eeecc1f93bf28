"""``m3dbench data audit``: what the test sets of a data directory share with its train sets, and give away."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from m3dbench.cli.data_check import Format, FormatOption, JsonOption, write_report

if TYPE_CHECKING:
    from rich.table import Table

    from m3dbench.data.audit.audit import Audit

SHOWN = 10


def audit(
    directory: Annotated[Path, typer.Argument(help="Data directory in the M3D layout.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Stratum file to write, for `run --strata FILE`.")
    ] = None,
    json_file: JsonOption = None,
    form: FormatOption = Format.TABLE,
    test_set: Annotated[str, typer.Option(help="Test set on which the language priors are measured.")] = "test",
    volumes: Annotated[
        bool, typer.Option("--volumes/--no-volumes", help="Compare volumes; reads every one of them once.")
    ] = True,
    blind: Annotated[
        bool, typer.Option("--priors/--no-priors", help="Run the blind baseline on questions with choices.")
    ] = True,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; one a processor if omitted.")] = None,
) -> None:
    """Find what test cases share with train cases, and what a test set gives away without its images.

    Exit status: 0 done, whatever was found; 2 wrong call or bad input.
    """
    from m3dbench.cli.console import PLAIN, Bars
    from m3dbench.cli.console import out as console
    from m3dbench.data.audit.audit import audit as audit_data
    from m3dbench.runs.engine import open_data
    from m3dbench.runs.priors import language_priors

    with Bars() as bars:
        source = open_data(directory)
        found = audit_data(source, with_volumes=volumes, workers=workers, progress=bars)
        if blind:
            found = replace(found, language_priors=language_priors(source, test_set, bars))
    silent = form is Format.JSON
    if silent:
        typer.echo(json.dumps(found.to_json(), ensure_ascii=False, indent=1))
    else:
        _show(found)
    write_report(json_file, found.to_json(), silent=silent)
    rows = found.strata()
    if out is not None:
        _write_strata(out, rows)
    if silent:
        return
    if out is None:
        console.print("No stratum file was written: name one with --out FILE.", style="dim", **PLAIN)
    else:
        leaked = sum(row["leak"] == "leaked" for row in rows)
        console.print(f"Wrote {out}: {leaked:,} leaked and {len(rows) - leaked:,} clean cases", **PLAIN)
        told = f"m3dbench run --model MODEL --data {directory} --strata {out}"
        console.print(f"Next: {told}", style="dim", **PLAIN)


def _write_strata(out: Path, rows: Sequence[Mapping[str, str]]) -> None:
    from m3dbench.errors import UserError
    from m3dbench.runs import jsonl

    if not rows:
        raise UserError("there is no test or validation case to write strata of", file=out, field="--out")
    try:
        jsonl.replace(out, b"".join(map(jsonl.line, rows)))
    except OSError as error:
        raise UserError(f"the file cannot be written: {error.strerror}", file=out, field="--out") from error


def _show(found: Audit) -> None:
    from m3dbench.cli.console import PLAIN, out

    content = found.to_json()
    cases = ", ".join(f"{number:,} {part}" for part, number in content["cases"].items())
    out.print(f"{found.directory} ({found.kind}): {cases} cases", **PLAIN)
    _show_leaks(found)
    if found.letters:
        out.print(_letters(found))
    if found.language_priors:
        _show_priors(found.language_priors)
    if found.pools:
        out.print(_pools(found))
    for one in found.definitions:
        ambiguous = "; ".join(f"{text!r}: {', '.join(names)}" for text, names in list(one.ambiguous.items())[:2])
        told = f"{len(one.ambiguous)} of {one.definitions} definitions fit two classes"
        out.print(f"Definitions of {one.dataset}: {told}{f' ({ambiguous})' if ambiguous else ''}", **PLAIN)
        if one.named:
            out.print(f"  {len(one.named)} contain the name of their class", style="dim", **PLAIN)
        if one.repeated_names:
            out.print(f"  one name for two classes: {', '.join(one.repeated_names)}", style="dim", **PLAIN)


def _show_leaks(found: Audit) -> None:
    from m3dbench.cli.console import PLAIN, out

    if not found.cases.of("train"):
        out.print("There is no train split here: nothing to compare the test cases with.", style="bold", **PLAIN)
    for between, kinds in found.counts().items():
        told = ", ".join(f"{number:,} by {kind}" for kind, number in kinds.items()) or "none found"
        out.print(f"Leaking cases, {between}: {told}", style="bold", **PLAIN)
    if found.leaks:
        table = _table("evidence", "case", "stands also in")
        for leak in found.leaks[:SHOWN]:
            row = leak.kind, f"{leak.case.folder} ({leak.case.part})", f"{leak.other.folder} ({leak.other.part})"
            table.add_row(*map(_plain, row))
        out.print(table)
        if len(found.leaks) > SHOWN:
            out.print(f"  ... and {len(found.leaks) - SHOWN:,} more pairs (--json FILE holds them)", **PLAIN)
    if found.same_numbers:
        told = f"{found.same_numbers:,} pairs of a test and a train case have one number in ct_case and ct_quizze"
        out.print(f"  {told}; it counts only where their texts are alike.", style="dim", **PLAIN)
    if found.volumes is None:
        out.print("  Volumes were not compared.", style="dim", **PLAIN)
    elif found.volumes.unreadable:
        told = f"{found.volumes.unreadable:,} are missing or cannot be read (see `m3dbench data check`)"
        out.print(f"  {found.volumes.compared:,} volumes were compared; {told}.", style="dim", **PLAIN)


def _letters(found: Audit) -> Table:
    table = _table("questions", "n", "right letters", "p", "best letter", "longest", "chance")
    for one in found.letters:
        table.add_row(
            _plain(one.split),
            f"{one.questions:,}",
            " ".join(f"{letter} {number:,}" for letter, number in one.observed.items()),
            "–" if one.p is None else f"{one.p:.3f}" + (" skewed" if one.skewed else ""),
            f"{one.best_letter:.3f}",
            "–" if one.longest is None else f"{one.longest:.3f}",
            f"{one.chance:.3f}",
        )
    return table


def _show_priors(priors: Sequence[Mapping[str, Any]]) -> None:
    from m3dbench.cli.console import PLAIN, out

    for one in priors:
        if "why" in one:
            out.print(f"Language priors of {one['task']}: not measured ({one['why']})", **PLAIN)
            continue
        interval = f" ({one['interval'][0]:.3f}–{one['interval'][1]:.3f})" if one["interval"] else ""
        told = f"blind {one['metric']} {one['value']:.3f}{interval}, chance {one['chance']:.3f}"
        out.print(f"Language priors of {one['task']} {one['test_set']}: {told}", style="bold", **PLAIN)
        by = ", ".join(f"{name} {cell['value']:.3f} (chance {cell['chance']:.3f})" for name, cell in one["by"].items())
        out.print(f"  {by}", style="dim", **PLAIN)


def _pools(found: Audit) -> Table:
    table = _table("retrieval pool", "items", "texts", "items that share a text", "best recall@1 by row")
    for one in found.pools:
        table.add_row(_plain(one.split), f"{one.items:,}", f"{one.texts:,}", f"{one.shared:,}", f"{one.ceiling:.3f}")
    return table


def _table(*columns: str) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    return Table(*columns, box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)
