"""Text metrics: each a factory of keyword-only options that returns a ``Metric`` over ``TextPair``."""
