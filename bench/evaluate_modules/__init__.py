"""Text metrics of this project as modules of Hugging Face ``evaluate``, which load without the hub.

``evaluate.load(path)`` takes the folder that ``module_path`` names, and ``evaluate_module`` does both.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from m3dbench.errors import UserError, missing_extra

NAMES = ("bleu1", "rouge1", "rougeL", "meteor", "bertscore_f1")


def module_path(name: str) -> Path:
    """The folder of a module, for ``evaluate.load``. Raises UserError for a name that is none."""
    if name not in NAMES:
        raise UserError(f"there is no evaluate module {name!r}", fix=f"choose one of: {', '.join(NAMES)}")
    return Path(__file__).parent / name


def evaluate_module(name: str) -> Any:
    """A loaded module: ``evaluate_module("bleu1").compute(predictions=[...], references=[...])``.

    Raises UserError for an unknown name, or where ``evaluate`` is not installed.
    """
    path = module_path(name)
    try:
        import evaluate
    except ImportError as error:
        raise missing_extra("an evaluate module", "evaluate") from error
    return evaluate.load(str(path), keep_in_memory=True)
