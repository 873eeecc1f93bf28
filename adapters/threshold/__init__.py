"""``threshold``: a classical baseline of thresholds, connected components and a simple atlas; no weights."""

from m3dbench.adapters.threshold.adapter import Threshold

__all__ = ["Threshold"]
