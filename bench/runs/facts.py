"""The three sets of facts about a run: what guards a resume, what makes runs comparable, what is written down."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from m3dbench.adapter import Adapter
from m3dbench.data.manifest import Manifest, canonical
from m3dbench.errors import UserError
from m3dbench.metrics.core import Metric
from m3dbench.task import Scoring, Task

LIBRARIES = (
    "m3dbench",
    "numpy",
    "scipy",
    "nltk",
    "rouge-score",
    "sacrebleu",
    "torch",
    "transformers",
    "monai",
    "bert-score",
)


@dataclass(frozen=True)
class Facts:
    """resume: everything that affects predictions; a resume across a difference is refused.

    comparable: runs that differ here are never ranked or gated together. recorded: written down, guards nothing.
    """

    resume: Mapping[str, Any]
    comparable: Mapping[str, Any]
    recorded: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        plain: dict[str, Any] = json.loads(
            canonical({"resume": self.resume, "comparable": self.comparable, "recorded": self.recorded})
        )
        return plain


def of_predictions(task: Task[Any], adapter: Adapter, manifest: Manifest, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The resume set, what users set themselves first: a refusal names the first difference in this order."""
    return {
        "model": adapter.name,
        "adapter_version": adapter.version,
        "model_facts": dict(adapter.facts()),
        "task": task.name,
        "task_version": task.version,
        **asked,
        "batch_size": adapter.batch_size,
        "samples": manifest.samples,
        "manifest": manifest.digest,
    }


def of_scores(
    task_name: str,
    task_version: str,
    comparable: str,
    information: str,
    metrics: Mapping[Scoring, list[Metric]],
    control: str = "",
    splits: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The comparable set. ``splits``: how the splits were made where they are not those of the data's release."""
    return {
        **({"splits": dict(splits)} if splits else {}),
        "control": control,
        "task": task_name,
        "task_version": task_version,
        "manifest": comparable,
        "requests": information,
        "scoring": {
            scoring: {metric.name: metric.signature for metric in chosen} for scoring, chosen in metrics.items()
        },
    }


def libraries() -> dict[str, str]:
    """Versions of Python, the platform and the libraries that numbers may depend on, as far as installed."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def refuse_difference(folder: Path, earlier: Mapping[str, Any], resume: Mapping[str, Any]) -> None:
    """Raises UserError naming the first field in which an earlier start (its resume set) differs from this one, within
    a field of fields as ``model_facts.dtype``."""
    now: dict[str, Any] = json.loads(canonical(resume))
    for field in dict.fromkeys([*resume, *earlier]):
        before, after = earlier.get(field), now.get(field)
        if before != after:
            place = field
            while isinstance(before, dict) and isinstance(after, dict):
                inner = next(name for name in [*after, *before] if before.get(name) != after.get(name))
                place, before, after = f"{place}.{inner}", before.get(inner), after.get(inner)
            before, after = _short(before), _short(after)
            raise UserError(
                f"the run there was started differently: {place} was {before}, now {after}",
                file=folder,
                field=place,
                fix="repeat the first call's options to resume it, or choose another --out",
            )


def _short(value: Any) -> str:
    text = canonical(value)
    return text if len(text) <= 80 else text[:77] + "..."
