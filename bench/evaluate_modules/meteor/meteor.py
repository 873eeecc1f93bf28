"""``meteor`` for Hugging Face ``evaluate``; see ``m3dbench.metrics.text.meteor``."""

from m3dbench.evaluate_modules import base
from m3dbench.metrics.text import meteor as metrics


class Meteor(base.TextModule):
    factory = staticmethod(metrics.meteor)
