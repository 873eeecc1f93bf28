"""m3dbench: a benchmark and evaluation harness for 3D medical image multimodal language models.

Importing this package loads nothing heavy; the names below are loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from m3dbench.evaluate_modules import evaluate_module
    from m3dbench.report.notebook import Comparison, compare
    from m3dbench.report.plots import plot_comparison, plot_scores, plot_strata
    from m3dbench.runs.load import Run, load_run

__all__ = [
    "Comparison",
    "Run",
    "compare",
    "evaluate_module",
    "load_run",
    "plot_comparison",
    "plot_scores",
    "plot_strata",
]
_PLACES = {
    "evaluate_module": "m3dbench.evaluate_modules",
    "Run": "m3dbench.runs.load",
    "load_run": "m3dbench.runs.load",
    "Comparison": "m3dbench.report.notebook",
    "compare": "m3dbench.report.notebook",
    "plot_comparison": "m3dbench.report.plots",
    "plot_scores": "m3dbench.report.plots",
    "plot_strata": "m3dbench.report.plots",
}
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        from importlib import import_module

        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"module 'm3dbench' has no attribute {name!r}")
