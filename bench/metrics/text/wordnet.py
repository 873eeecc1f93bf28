"""WordNet as METEOR's synonym stage reads it: the single-word names in all synsets of all base forms of a word."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property, lru_cache

from m3dbench.metrics import assets

# WordNet's own detachment rules (morphy(7WN)), tried once each, for the parts of speech noun, verb, adjective, adverb.
SUFFIXES: dict[str, tuple[tuple[str, str], ...]] = {
    "n": (
        ("s", ""),
        ("ses", "s"),
        ("ves", "f"),
        ("xes", "x"),
        ("zes", "z"),
        ("ches", "ch"),
        ("shes", "sh"),
        ("men", "man"),
        ("ies", "y"),
    ),
    "v": (("s", ""), ("ies", "y"), ("es", "e"), ("es", ""), ("ed", "e"), ("ed", ""), ("ing", "e"), ("ing", "")),
    "a": (("er", ""), ("est", ""), ("er", "e"), ("est", "e")),
    "r": (),
}


@dataclass(frozen=True, slots=True)
class Name:
    """Stands for nltk's ``Lemma``."""

    text: str

    def name(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Names:
    """Stands for nltk's ``Synset``."""

    members: tuple[Name, ...]

    def lemmas(self) -> tuple[Name, ...]:
        return self.members


class CompactWordNet:
    """What ``nltk.translate.meteor_score`` asks of its ``wordnet`` argument, answered from the shipped tables.

    ``synsets`` gives at most one pseudo-synset that unites the single-word names of all of nltk's: METEOR takes their
    union and drops names with an underscore, so its alignments are the same.
    """

    @cached_property
    def _lemmas(self) -> list[str]:
        return assets.lines(assets.LEMMAS)

    @cached_property
    def _exceptions(self) -> dict[tuple[str, str], list[str]]:
        rows = (line.split(" ") for line in assets.lines(assets.EXCEPTIONS))
        return {(part, form): bases for part, form, *bases in rows}

    def _members(self, lemma: str) -> dict[str, str]:
        """Part of speech -> names, of an exact lemma. Bisects the sorted lines: a dict of them is thrice the size."""
        key = f"{lemma}\t"
        place = bisect_left(self._lemmas, key)
        if place == len(self._lemmas) or not self._lemmas[place].startswith(key):
            return {}
        return {
            field[0]: lemma if field[1:] == "=" else field[1:] for field in self._lemmas[place][len(key) :].split("\t")
        }

    def _base_forms(self, form: str, part: str) -> list[str]:
        irregular = self._exceptions.get((part, form))
        if irregular is not None:
            return [form, *irregular]
        return [form, *(form.removesuffix(old) + new for old, new in SUFFIXES[part] if form.endswith(old))]

    def names(self, word: str) -> frozenset[str]:
        """Single-word names, in WordNet's case, over all synsets of all base forms of ``word`` in any case."""
        form = word.lower()
        found: set[str] = set()
        for part in SUFFIXES:
            for base in self._base_forms(form, part):
                found.update(self._members(base).get(part, "").split(" "))
        return frozenset(found - {""})

    @lru_cache(maxsize=1 << 16)  # noqa: B019 - there is one instance a process, see wordnet()
    def synsets(self, word: str) -> tuple[Names, ...]:
        names = self.names(word)
        return (Names(tuple(Name(name) for name in sorted(names))),) if names else ()


@lru_cache(maxsize=1)
def wordnet() -> CompactWordNet:
    return CompactWordNet()
