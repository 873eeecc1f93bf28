"""REG metrics: does the answer name the class, or state that it is absent. Rules on words, no model, English only.

Normalised text is NFKC, case-folded, apostrophes dropped, every other run of non-alphanumerics one space, and without
the articles a, an, the.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable

from m3dbench.metrics.absence import states_absence
from m3dbench.metrics.core import Metric, Outcome, each, worst_mean
from m3dbench.metrics.pairs import TextPair

ARTICLES = frozenset({"a", "an", "the"})
NEGATIONS = frozenset({"no", "not", "isnt", "arent", "never", "without", "neither", "nor", "cannot"})
# "not left lung", "not a visible left lung"; further back the negation is of something else ("not the spleen but ...").
NEGATION_REACH = 2
SENTENCE_END = re.compile(r"[.;!?\n]+(?=\s|$)")


def words(text: str) -> list[str]:
    """The words of the normalised text."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    folded = re.sub(r"['’`]", "", folded)
    return [word for word in re.sub(r"[\W_]+", " ", folded).split() if word not in ARTICLES]


def _mentions(sentence: list[str], name: list[str]) -> bool:
    """Is ``name`` in the sentence as consecutive whole words, at least once without a negation shortly before it."""
    size = len(name)
    for start in range(len(sentence) - size + 1):
        before = sentence[max(0, start - NEGATION_REACH) : start]
        if sentence[start : start + size] == name and NEGATIONS.isdisjoint(before):
            return True
    return False


def states_name(answer: str, names: Iterable[str]) -> bool:
    """Does the answer name the class by one of ``names``?

    True when some sentence holds an accepted name as whole words ("left lung" does not count for "right lung", "lungs"
    not for "lung": plurals are synonyms to be listed), the name has no negation among the two words before it, and the
    sentence does not state absence. Several accepted names are one class and count as one.
    """
    accepted = [name for name in map(words, names) if name]
    for sentence in SENTENCE_END.split(answer):
        spoken = words(sentence)
        if any(spoken == name for name in accepted):
            return True
        if any(_mentions(spoken, name) for name in accepted) and not states_absence(sentence):
            return True
    return False


def name_overlap(answer: str, names: Iterable[str]) -> float:
    """Best word F1, 0 to 1, between an accepted name and any passage of its length in the normalised answer.

    A passage, not the whole answer, so that the words around a name ("This is the left kidney.") cost nothing; half a
    name ("kidney") gets part of the score. An answer that lists many classes is not punished here but in the text
    metrics.
    """
    spoken = words(answer)
    best = 0.0
    for name in map(words, names):
        wanted = Counter(name)
        size = min(len(name), len(spoken))
        for start in range(len(spoken) - size + 1):
            passage = Counter(spoken[start : start + size])
            shared = (passage & wanted).total()
            best = max(best, 2 * shared / (passage.total() + len(name)) if shared else 0.0)
    return best


def _where_present(score: Callable[[str, Iterable[str]], float]) -> Callable[[TextPair], Outcome]:
    def judge(pair: TextPair) -> Outcome:
        if not pair.present:
            return Outcome.not_applicable("the class is not in the volume")
        if not any(map(words, pair.names)):
            return Outcome.not_applicable("the sample has no accepted name")
        return Outcome.scored(score(pair.prediction, pair.names), 1.0)

    return judge


def name_exact() -> Metric:
    """Rate of answers that name the class by its canonical name or a synonym, see ``states_name``.

    Not applicable where the class is absent or has no name.
    """
    signature = "names-1|whole-words|articles:dropped|case:folded|negated:not-counted"
    return Metric("name_exact", TextPair, each(_where_present(states_name)), worst_mean(0.0), signature, family="rate")


def name_f1() -> Metric:
    """Word F1 of the answer's best passage and the nearest accepted name, 0 to 1, see ``name_overlap``.

    Not applicable where the class is absent or has no name.
    """
    signature = "names-2|passage-f1|max-over-names|articles:dropped|case:folded"
    return Metric("name_f1", TextPair, each(_where_present(name_overlap)), worst_mean(0.0), signature)


def absence_stated() -> Metric:
    """Rate of answers about an absent class that say so, see ``states_absence``. Not applicable where it is present."""

    def judge(pair: TextPair) -> Outcome:
        if pair.present:
            return Outcome.not_applicable("the class is in the volume")
        return Outcome.scored(states_absence(pair.prediction), 1.0)

    return Metric("absence_stated", TextPair, each(judge), worst_mean(0.0), "absence-1|phrase-rules:en", family="rate")
