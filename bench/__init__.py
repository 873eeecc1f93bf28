"""m3dbench: a benchmark and evaluation harness for 3D medical image multimodal language models.

Importing this package loads nothing heavy; the names below are loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from m3dbench.runs.load import Run, load_run

__all__ = ["Run", "load_run"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name in __all__:
        from m3dbench.runs import load

        return getattr(load, name)
    raise AttributeError(f"module 'm3dbench' has no attribute {name!r}")
