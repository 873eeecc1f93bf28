"""m3dbench: a benchmark and evaluation harness for 3D medical image multimodal language models.

Importing this package loads nothing heavy; the names below are loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from m3dbench.evaluate_modules import evaluate_module
    from m3dbench.runs.load import Run, load_run

__all__ = ["Run", "evaluate_module", "load_run"]
_PLACES = {
    "evaluate_module": "m3dbench.evaluate_modules",
    "Run": "m3dbench.runs.load",
    "load_run": "m3dbench.runs.load",
}
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        from importlib import import_module

        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"module 'm3dbench' has no attribute {name!r}")
