"""Clinical text metrics that need packages and weights of others: RadGraph-F1, GREEN, RaTEScore.

None of them is a dependency of the core, and none downloads anything while scoring: where the package or its weights
are not on this machine every pair is ``unscored``, and the reason says what is missing.
"""

from __future__ import annotations

import importlib.util
from typing import Any, Literal

from m3dbench.metrics.core import Metric
from m3dbench.metrics.text.common import versions
from m3dbench.metrics.text.encoder import Unavailable, find_folder
from m3dbench.metrics.text.foreign import Score, foreign_metric

RADGRAPH_WEIGHTS = "StanfordAIMI/RRG_scorers"
RATE_MODELS = ("Angelakeke/RaTE-NER-Deberta", "FremyCompany/BioLORD-2023-C")
GREEN_MODEL = "StanfordAIMI/GREEN-radllama2-7b"


def radgraph_f1(
    *, level: Literal["simple", "partial", "complete"] = "partial", model: str = "radgraph-xl", cache: str = ""
) -> Metric:
    """RadGraph-F1 of entities and relations by the package ``radgraph``, 0 to 1, pair by pair on the CPU.

    level: the package's reward level. model: its name of the extractor. cache: where its weights lie, its own folder if
    empty. Delbrouck et al. 2022, https://aclanthology.org/2022.findings-emnlp.319
    """

    def load() -> Score | Unavailable:
        if importlib.util.find_spec("radgraph") is None:
            return Unavailable(absent("RadGraph-F1", "radgraph"))
        from radgraph import F1RadGraph

        options: dict[str, Any] = {"model_cache_dir": cache} if cache else {}
        try:
            scorer = F1RadGraph(reward_level=level, model_type=model, cuda=-1, **options)
        except Exception as error:  # noqa: BLE001 - the package raises bare Exception where it cannot download
            return Unavailable(weights("RadGraph-F1", f"{model} of {RADGRAPH_WEIGHTS}", error))
        return lambda prediction, reference: float(scorer(hyps=[prediction], refs=[reference])[0])

    return foreign_metric("radgraph_f1", load, f"{versions('radgraph', 'transformers')}|{level}|{model}|per-pair")


def ratescore(*, matrix: Literal["long", "short"] = "long") -> Metric:
    """RaTEScore by the package of that name, 0 to 1, pair by pair on the CPU; ``matrix``: its weights for long or short
    texts. Zhao et al. 2024, https://aclanthology.org/2024.emnlp-main.836
    """

    def load() -> Score | Unavailable:
        for package, extra in (("RaTEScore", "ratescore"), ("medspacy", "ratescore")):
            if importlib.util.find_spec(package) is None:
                return Unavailable(absent("RaTEScore", extra, package))
        for model in RATE_MODELS:
            if find_folder(model) is None:
                return Unavailable(weights("RaTEScore", model, None))
        from RaTEScore import RaTEScore

        scorer = RaTEScore(use_gpu=False, affinity_matrix=matrix)
        return lambda prediction, reference: float(scorer.compute_score([prediction], [reference])[0])

    return foreign_metric("ratescore", load, f"{versions('RaTEScore', 'transformers')}|{matrix}|per-pair")


def green(*, model: str = GREEN_MODEL) -> Metric:
    """GREEN by the package ``green_score``, 0 to 1, pair by pair: a 7-billion-parameter judge that lists errors.

    Ostmeier et al. 2024, https://aclanthology.org/2024.findings-emnlp.21
    """

    def load() -> Score | Unavailable:
        if importlib.util.find_spec("green_score") is None:
            how = "it is not on PyPI: install it from its authors' repository, Stanford-AIMI/GREEN"
            return Unavailable(f"GREEN needs the package green_score, which is not installed; {how}")
        if find_folder(model) is None:
            return Unavailable(weights("GREEN", model, None))
        from green_score import GREEN

        scorer = GREEN(model, output_dir=".")
        return lambda prediction, reference: float(scorer([reference], [prediction])[0])

    return foreign_metric("green", load, f"{versions('green_score', 'transformers')}|{model}|per-pair")


def absent(metric: str, extra: str, package: str = "") -> str:
    """Why a metric has no scorer: its package is not installed."""
    return f"{metric} needs the package {package or extra}, which is not installed: pip install 'm3dbench[{extra}]'"


def weights(metric: str, model: str, error: Exception | None) -> str:
    """Why a metric has no scorer: its weights are not there, or do not load."""
    told = f" ({' '.join(str(error).split())[:200]})" if error else ""
    return (
        f"{metric} needs the weights {model}, which are not in the local cache or do not load{told}; "
        "nothing is downloaded while scoring: fetch them beforehand"
    )
