"""``bertscore_f1`` for Hugging Face ``evaluate``; see ``m3dbench.metrics.text.bertscore``."""

from m3dbench.evaluate_modules import base
from m3dbench.metrics.text import bertscore as metrics


class BertScoreF1(base.TextModule):
    factory = staticmethod(metrics.bertscore_f1)
