"""BERTScore F1 without idf weights, over token embeddings of a local encoder. Range -1 to 1, mostly above 0.

Zhang et al. 2020, https://openreview.net/forum?id=SkeHuCVFDr. Each pair is matched on its own, unpadded: the package
``bert-score`` pads in batches, where a negative best match becomes 0 (quirk Q-TXT-4b).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from m3dbench.metrics.core import Metric, Outcome, worst_mean
from m3dbench.metrics.pairs import TextPair
from m3dbench.metrics.text.common import EMPTY_QUIRK, EMPTY_REFERENCE, versions
from m3dbench.metrics.text.encoder import HUB_ID, Encoder, Tokens, Unavailable, digest, find_folder, load_encoder

MODEL, LAYER = "roberta-large", 17
# Embeddings kept at a time: 64k tokens of 1024 float32 are 256 MB.
HELD_TOKENS = 1 << 16
REMEMBERED = 4096

Pair = tuple[str, str]
Score = tuple[float, str]


class Scorer:
    """Raw F1 of pairs, with a note where a text was truncated. Shared by the metrics that use one encoder."""

    def __init__(self, model: str, layer: int, device: str) -> None:
        self.options = model, layer, device
        self.recent: dict[Pair, Score] = {}

    def scores(self, pairs: Sequence[Pair]) -> list[Score] | Unavailable:
        """Scores in order; texts are stripped and neither is empty."""
        encoder = load_encoder(*self.options)
        if isinstance(encoder, Unavailable):
            return encoder
        new = [pair for pair in dict.fromkeys(pairs) if pair not in self.recent]
        found = {pair: self.recent[pair] for pair in pairs if pair in self.recent}
        found.update(_fresh(encoder, new))
        if len(self.recent) + len(new) > REMEMBERED:
            self.recent.clear()
        self.recent.update(found)
        return [found[pair] for pair in pairs]


@lru_cache(maxsize=2)
def _scorer(model: str, layer: int, device: str) -> Scorer:
    return Scorer(model, layer, device)


def _fresh(encoder: Encoder, pairs: Sequence[Pair]) -> Iterator[tuple[Pair, Score]]:
    tokens = {text: encoder.tokens(text) for pair in pairs for text in pair}
    for group in _groups(pairs, tokens):
        vectors = encoder.embed(tokens[text] for pair in group for text in pair)
        for pair in group:
            prediction, reference = (tokens[text] for text in pair)
            value = encoder.match((prediction, vectors[prediction]), (reference, vectors[reference]))
            yield pair, (value, _truncation(prediction, reference))


def _groups(pairs: Sequence[Pair], tokens: dict[str, Tokens]) -> Iterator[list[Pair]]:
    group: list[Pair] = []
    held: set[str] = set()
    size = 0
    for pair in pairs:
        size += sum(len(tokens[text].ids) for text in set(pair) - held)
        held.update(pair)
        group.append(pair)
        if size >= HELD_TOKENS:
            yield group
            group, held, size = [], set(), 0
    if group:
        yield group


def _truncation(prediction: Tokens, reference: Tokens) -> str:
    sides = (("prediction", prediction), ("reference", reference))
    cut = [
        f"{side} {len(text.ids)} of {text.full_length} tokens"
        for side, text in sides
        if len(text.ids) < text.full_length
    ]
    return f"truncated: {', '.join(cut)}" if cut else ""


def _signature(model: str, layer: int) -> str:
    folder = find_folder(model)
    name = Path(model).name if folder and not HUB_ID.fullmatch(model) else model
    encoder = f"{name}@{digest(folder) if folder else 'absent'}"
    return f"bertscore-f1|{encoder}|layer:{layer}|idf:no|matched:unpadded|{versions('transformers', 'torch')}"


def _metric(
    name: str, scorer: Scorer, signature: str, floor: float | None, empty: Outcome, missing: str = ""
) -> Metric:
    """``floor``: raw value that becomes 0, None for raw; ``empty``: outcome of an empty reference."""

    def outcomes(pairs: Sequence[TextPair]) -> Iterable[Outcome]:
        stripped = [(pair.prediction.strip(), pair.reference.strip()) for pair in pairs]
        asked = [pair for pair in stripped if all(pair)]
        scores = Unavailable(missing) if missing else scorer.scores(asked)
        rest = iter(() if isinstance(scores, Unavailable) else scores)
        for prediction, reference in stripped:
            if not reference:
                yield empty
            elif isinstance(scores, Unavailable):
                yield Outcome.unscored(scores.reason)
            elif not prediction:
                yield Outcome.scored(0.0, 1.0)
            else:
                value, note = next(rest)
                value = value if floor is None else (value - floor) / (1 - floor)
                yield Outcome("scored", (value, 1.0), reason=note)

    return Metric(name, TextPair, outcomes, worst_mean(0.0), signature)


def bertscore_f1(*, model: str = MODEL, layer: int = LAYER, device: str = "auto") -> Metric:
    """Raw BERTScore F1 with the output of ``layer`` of ``model``, a local folder or a hub id in the local cache.

    An empty prediction is 0; an empty reference is ``not_applicable``; without the encoder every pair is ``unscored``.
    A scored outcome carries a ``reason`` ("truncated: ...") where a text was longer than the encoder reads.
    ``device``: a torch device, or ``auto`` for CUDA where present.
    """
    empty = Outcome.not_applicable(EMPTY_REFERENCE)
    return _metric("bertscore_f1", _scorer(model, layer, device), _signature(model, layer), None, empty)


def bertscore_f1_rescaled(
    *, model: str = MODEL, layer: int = LAYER, device: str = "auto", baseline: str | None = None
) -> Metric:
    """BERTScore F1 minus its baseline b, over 1 - b: about 0 for unrelated texts, 1 at most; an empty prediction is 0.

    The English baselines are those the installed ``bert-score`` ships, one a model and layer; without a matching one
    every pair is ``unscored``. ``baseline`` names the model whose baseline holds, where ``model`` is a folder.
    """
    name = baseline or model
    floor = baseline_f1(name, layer)
    missing = (
        "" if floor is not None else f"the installed bert-score ships no English baseline for {name!r} layer {layer}"
    )
    signature = f"{_signature(model, layer)}|baseline:{name}={floor}|{versions('bert-score')}"
    empty = Outcome.not_applicable(EMPTY_REFERENCE)
    return _metric("bertscore_f1_rescaled", _scorer(model, layer, device), signature, floor, empty, missing)


def upstream_bertscore_f1(*, model: str = MODEL, layer: int = LAYER, device: str = "auto") -> Metric:
    """Raw BERTScore F1 as the reference computes it, pair by pair: an empty text on either side is 0."""
    signature = f"upstream|{_signature(model, layer)}"
    empty = Outcome("scored", (0.0, 1.0), quirk=EMPTY_QUIRK)
    return _metric("bertscore_f1", _scorer(model, layer, device), signature, None, empty)


def baseline_f1(model: str, layer: int) -> float | None:
    """F1 baseline of a model and layer in the installed bert-score's English tables, None where there is none."""
    package = importlib.util.find_spec("bert_score")
    if package is None or package.origin is None or not HUB_ID.fullmatch(model):
        return None
    table = Path(package.origin).parent / "rescale_baseline" / "en" / f"{model}.tsv"
    if not table.is_file():
        return None
    for line in table.read_text(encoding="utf-8").splitlines()[1:]:
        number, _, _, f1 = line.split(",")
        if int(number) == layer:
            return float(f1)
    return None
