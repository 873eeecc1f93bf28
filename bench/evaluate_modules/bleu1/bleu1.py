"""``bleu1`` for Hugging Face ``evaluate``; see ``m3dbench.metrics.text.bleu``."""

from m3dbench.evaluate_modules import base
from m3dbench.metrics.text import bleu as metrics


class Bleu1(base.TextModule):
    factory = staticmethod(metrics.bleu1)
