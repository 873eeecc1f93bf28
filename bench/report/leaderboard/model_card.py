"""A submission's results as ``model-index``: for the front matter of a model's card on the Hugging Face hub."""

from __future__ import annotations

from typing import Any

from m3dbench import registry
from m3dbench.errors import missing_extra
from m3dbench.report.leaderboard.board import Board, Entry, Measure, Ranking
from m3dbench.report.leaderboard.cells import BANNER
from m3dbench.report.leaderboard.contamination import DIMENSION


def model_cards(board: Board) -> dict[str, bytes]:
    """Submission -> YAML. Raises UserError when ``huggingface_hub`` is not installed."""
    return {item.submission: _card(board, item.submission, f"{item.model}") for item in board.submissions}


def _card(board: Board, submission: str, model: str) -> bytes:
    try:
        from huggingface_hub import ModelCardData
    except ImportError as error:
        raise missing_extra("the leaderboard", "site") from error
    results = [
        result
        for ranking in board.rankings
        for entry in ranking.entries
        if entry.submission == submission
        for measure in ranking.measures
        if (result := _result(board, ranking, entry, measure)) is not None
    ]
    card = ModelCardData(model_name=model, eval_results=results or None)
    banner = f"# {BANNER}\n" if board.demonstration else ""
    return f"{banner}{card.to_yaml()}\n".encode()


def _result(board: Board, ranking: Ranking, entry: Entry, measure: Measure) -> Any:
    from huggingface_hub import EvalResult

    score = entry.scores.get(measure.key)
    if score is None or score.value is None:
        return None
    names = sorted(entry.strata.get(measure.key, {}).get(DIMENSION, {})) or [ranking.test_set]
    drawn = " (demonstration: drawn or partial data)" if board.demonstration else ""
    told: dict[str, Any] = {"scoring": measure.scoring, "class": ranking.ranking, "cases": score.n_cases}
    told |= {"samples": score.n_planned, "failed": score.n_failed, "unscored": score.n_unscored}
    if score.low is not None and score.high is not None:
        told |= {"interval_low": score.low, "interval_high": score.high, "interval": score.method}
    return EvalResult(
        task_type=_kind(ranking.task),
        task_name=ranking.title,
        dataset_type=ranking.task,
        dataset_name=", ".join(names) + drawn,
        dataset_split=ranking.test_set,
        metric_type=measure.key,
        metric_name=measure.key,
        metric_value=score.value,
        metric_args=told,
    )


def _kind(task: str) -> str:
    """The hub's name of a task's kind; its own where it says none, or is of a package that is not installed here."""
    kind = registry.load("tasks", task).hub_kind if task in registry.available("tasks") else ""
    return kind or task
