"""Per-sample scores of a submission as Parquet, and the summary recomputed from them.

One row per sample, scoring and metric, samples in the order of the test set: ``id``, ``base`` (of one wording among
several), ``case``, ``scoring``, ``metric``, ``value``, ``status``, ``reason``, ``quirk``, ``statistics`` (what values
and intervals are made of; null where there are none) and a column ``stratum.DIMENSION`` each (null: not told of).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from m3dbench.data.manifest import read_samples
from m3dbench.data.sample import Reference, Request, Sample
from m3dbench.data.variants import dimension_of
from m3dbench.errors import UserError, missing_extra
from m3dbench.metrics.core import Metric, Outcome
from m3dbench.runs import jsonl
from m3dbench.runs.folder import TaskFolder
from m3dbench.runs.paired_scores import Key
from m3dbench.runs.summary import MetricSummary, summarise
from m3dbench.runs.tally import Tally
from m3dbench.task import SCORINGS, Scoring

STRATUM = "stratum."
TEXTS = ("id", "base", "case", "scoring", "metric", "status", "reason", "quirk")
BLOCK = 65_536


def parquet() -> Any:
    """``pyarrow.parquet``. Raises UserError naming the extra."""
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise missing_extra("the leaderboard", "site") from error
    return pyarrow.parquet


def write_scores(folder: TaskFolder, path: Path) -> None:
    """The scores of a task folder as Parquet, the same bytes for the same scores and library."""
    writer = parquet()
    import pyarrow

    columns: dict[str, list[Any]] = {name: [] for name in (*TEXTS, "value", "statistics")}
    strata: list[Mapping[str, str]] = []
    scores = groupby(jsonl.read(folder.scores), key=lambda row: row["id"])
    for sample, (sample_id, rows) in zip(read_samples(folder.manifest), scores, strict=True):
        if sample.id != sample_id:
            raise UserError("the scores do not follow the manifest", file=folder.scores, record=sample.id)
        for row in rows:
            given = row.get("statistics") or (None if row["value"] is None else (row["value"], 1.0))
            found = {**row, "base": sample.base, "case": sample.case, "statistics": given}
            for name, cells in columns.items():
                cells.append(found.get(name, ""))
            strata.append({**row.get("strata", {}), **sample.strata})
    text = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
    arrays = {name: pyarrow.array(columns[name], pyarrow.string()).cast(text) for name in TEXTS}
    arrays["value"] = pyarrow.array(columns["value"], pyarrow.float64())
    arrays["statistics"] = pyarrow.array(columns["statistics"], pyarrow.list_(pyarrow.float64()))
    for name in sorted({name for told in strata for name in told}):
        cells = [told.get(name) for told in strata]
        arrays[STRATUM + name] = pyarrow.array(cells, pyarrow.string()).cast(text)
    writer.write_table(pyarrow.table(arrays), path, compression="zstd", store_schema=False)


def read_scores(path: Path, *, only: Key | None = None) -> Iterator[dict[str, Any]]:
    """Rows with ``strata`` as a mapping; ``only`` those of one scoring and metric, without texts that ranking needs
    not. Raises UserError when it is no such table."""
    reader = parquet()
    try:
        filters = None if only is None else [("scoring", "=", only[0]), ("metric", "=", only[1])]
        wanted = None if only is None else ["id", "case", "statistics"]
        table = reader.read_table(path, columns=wanted, filters=filters)
        if lacking := set(wanted or (*TEXTS, "value", "statistics")) - set(table.column_names):
            raise UserError(f"is not a table of scores: it has no column {', '.join(sorted(lacking))}", file=path)
        names = [name for name in table.column_names if name.startswith(STRATUM)]
        for batch in table.to_batches(max_chunksize=BLOCK):
            for row in batch.to_pylist():
                row["strata"] = {name.removeprefix(STRATUM): row.pop(name) for name in names if row[name] is not None}
                yield row
    except (OSError, ValueError, KeyError) as error:  # pyarrow's own errors are among these
        raise UserError(f"is not a table of scores: {error}", file=path) from error


def recompute(
    path: Path, metrics: Mapping[Key, Metric], macro: str
) -> tuple[tuple[MetricSummary, ...], int, int, list[tuple[str, Metric, float, float]]]:
    """Summaries of the metrics from the statistics, the numbers of samples and cases, and the rows whose value is not
    that of their statistics: (sample, metric, stated, recomputed).

    Raises UserError where a row cannot be one of the metric's.
    """
    tallies = {key: Tally(metric) for key, metric in metrics.items()}
    cases: set[str] = set()
    samples: dict[str, None] = {}
    wrong: list[tuple[str, Metric, float, float]] = []
    wordings = ""
    for row in read_scores(path):
        if row["id"] not in samples:
            samples[row["id"]] = None
            cases.add(row["case"])
            wordings = wordings or row["base"] or ""
        tally = tallies.get((row["scoring"], row["metric"]))
        if tally is None:
            continue
        outcome = Outcome(row["status"], _statistics(row), row["reason"], row["quirk"])
        try:
            tally.add(Sample(row["id"], row["case"], Request(""), Reference(), row["strata"]), outcome)
            value = None if outcome.statistics is None else tally.metric.value(outcome.statistics)
        except (ValueError, IndexError) as error:
            told = f"the statistics do not fit {row['metric']}"
            raise UserError(told, file=path, record=row["id"], field="statistics") from error
        if value is not None and row["value"] is not None and not abs(value - row["value"]) <= 1e-9:
            wrong.append((row["id"], tally.metric, row["value"], value))
    by_scoring: dict[Scoring, list[Tally]] = {scoring: [] for scoring in SCORINGS}
    for (scoring, _), tally in tallies.items():
        by_scoring[scoring].append(tally)  # type: ignore[index]
    first = Sample("", "", Request(""), Reference(), base=wordings)
    return summarise(by_scoring, macro, dimension_of([first])), len(samples), len(cases), wrong


def _statistics(row: Mapping[str, Any]) -> tuple[float, ...] | None:
    return None if row["statistics"] is None else tuple(row["statistics"])
