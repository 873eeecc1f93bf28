"""``blind``: the best answers that can be given without looking at the image."""

from m3dbench.adapters.blind.adapter import Blind

__all__ = ["Blind"]
