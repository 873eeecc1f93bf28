"""nltk's ``word_tokenize`` for English on the shipped Punkt model: never looks for an nltk_data folder."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from m3dbench.metrics import assets


class _Flags(dict[str, int]):
    """Orthographic flags, 0 for an unknown type. nltk's own default dict would grow with every word it is asked for."""

    def __missing__(self, key: str) -> int:
        return 0


@lru_cache(maxsize=1)
def _tokenizers() -> tuple[Callable[[str], list[str]], Callable[[str], list[str]]]:
    from nltk.tokenize.destructive import NLTKWordTokenizer
    from nltk.tokenize.punkt import PunktParameters, PunktSentenceTokenizer

    tables = assets.punkt_tables()
    parameters = PunktParameters()
    parameters.abbrev_types = set(tables["abbrev_types"])
    parameters.collocations = {(first, second) for first, second in tables["collocations"]}
    parameters.sent_starters = set(tables["sent_starters"])
    parameters.ortho_context = _Flags(tables["ortho_context"])
    return PunktSentenceTokenizer(parameters).tokenize, NLTKWordTokenizer().tokenize


@lru_cache(maxsize=1024)
def word_tokenize(text: str) -> tuple[str, ...]:
    """Words and punctuation marks of ``text``, sentence by sentence."""
    sentences, _ = _tokenizers()
    return tuple(word for sentence in sentences(text) for word in _sentence_words(sentence))


@lru_cache(maxsize=1 << 14)
def _sentence_words(sentence: str) -> tuple[str, ...]:
    # Stock sentences fill reports, and splitting them is most of METEOR's time.
    return tuple(_tokenizers()[1](sentence))
