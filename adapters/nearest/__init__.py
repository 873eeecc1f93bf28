"""``nearest``: the answers of the train volume that looks most alike."""

from m3dbench.adapters.nearest.adapter import Nearest

__all__ = ["Nearest"]
