"""``rougeL`` for Hugging Face ``evaluate``; see ``m3dbench.metrics.text.rouge``."""

from m3dbench.evaluate_modules import base
from m3dbench.metrics.text import rouge as metrics


class RougeL(base.TextModule):
    factory = staticmethod(metrics.rouge_l)
