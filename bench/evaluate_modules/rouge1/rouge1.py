"""``rouge1`` for Hugging Face ``evaluate``; see ``m3dbench.metrics.text.rouge``."""

from m3dbench.evaluate_modules import base
from m3dbench.metrics.text import rouge as metrics


class Rouge1(base.TextModule):
    factory = staticmethod(metrics.rouge1)
