"""The metrics that a task was scored by, for those who read its scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from m3dbench import registry
from m3dbench.errors import UserError
from m3dbench.metrics.core import Metric
from m3dbench.runs.engine import Settings, make_metrics
from m3dbench.runs.paired_scores import Key
from m3dbench.task import Scoring


def scored_by(
    task: str, recorded: Mapping[str, Mapping[str, str]], judged: Iterable[tuple[Scoring, Metric]] = ()
) -> tuple[dict[Key, Metric], dict[str, str]]:
    """The metrics behind recorded signatures (scoring -> name -> signature), and those that cannot be made here:
    ``NAME (SCORING)`` -> the reason. They aggregate statistics; their options are not those of the run.

    judged: the metrics of the judges that the task had.
    """
    made = make_metrics(registry.create("tasks", task), Settings())
    known: dict[Key, Metric] = {(scoring, metric.name): metric for scoring, chosen in made.items() for metric in chosen}
    known |= {(scoring, metric.name): metric for scoring, metric in judged}
    found: dict[Key, Metric] = {}
    missing: dict[str, str] = {}
    for scoring, signatures in recorded.items():
        for name in signatures:
            key = (scoring, name)
            try:
                found[key] = known.get(key) or registry.create("metrics", name)
            except UserError as error:
                missing[f"{name} ({scoring})"] = error.message
    return found, missing
