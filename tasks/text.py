"""The text metrics that report generation, open VQA and REG share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from m3dbench.task import Scoring

TEXT_METRICS: Mapping[Scoring, Sequence[str]] = {
    "corrected": (
        "bleu1",
        "bleu2",
        "bleu3",
        "bleu4",
        "corpus_bleu",
        "rouge1",
        "rouge2",
        "rougeL",
        "meteor",
        "bertscore_f1",
    ),
    "upstream": ("upstream.bleu1", "upstream.rouge1", "upstream.meteor", "upstream.bertscore_f1"),
}
