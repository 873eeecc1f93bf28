"""Reading the chosen letter out of a free-text answer, by rules that never guess.

The first rule that decides wins; a rule may also decide that the answer names no single option.

1. The whole answer is the text of exactly one option.
2. What follows the last answer marker ("the answer is", "Answer:", "correct option:"): a letter, else an option's text
   within that clause. The last marker wins because reasoning comes before the answer.
3. A letter at the very start: "B", "b.", "(B)", "B) liver", "B: liver", "option B", "B liver" (its own text follows).
4. A last line that is a letter and nothing else, or a letter with its own text.
5. The only letter mentioned as an option: "option B", "I choose B", "(B)", "B is correct", "B. liver" (its own text).
6. The only option whose full text occurs, in whole words; a text inside a longer option's text does not count.

A letter wins over a text that disagrees with it ("B. Spleen" is B). A letter before plain words is no answer ("A mass
is seen", "B cell lymphoma"), nor is a negated letter or text ("not A", "option A is wrong"). Two letters ("A or B"), a
list of options and a letter that was not offered read as nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

DEFAULT_LETTERS = "ABCD"

_FLAGS = re.IGNORECASE
_TAG = re.compile(r"</?\|?\w+\|?/?>")
_LATEX = re.compile(r"\\[a-z]+\{([^{}]*)\}", _FLAGS)
_MARKUP = re.compile(r"[*`$#]+|(?<!\w)_++|(?<!_)_++(?!\w)")
_MARKER = re.compile(
    r"\b(?:answers?|ans|(?:correct|right|best)\s+(?:option|choice|letter|one))\b(?:\s+(?:option|choice|letter)\b)?"
    r"(?:\s+to\s+(?:the|this|your)\s+question\b)?"
    r"(?:\s*(?:[:=,\-–—]|\b(?:is|was|would|should|must|will|be|therefore|thus|hence|likely|most|probably|clearly)\b))*",
    _FLAGS,
)
_MARKER_NEGATED = re.compile(
    r"(?:\b(?:wrong|incorrect|not|no)|n't)\s+(?:(?:the|an?|correct|right|best|final|my)\s+)*$", _FLAGS
)
_LABEL = re.compile(r"\s*[\"']*(?:(?:option|choice|letter)\s+)?([(\[{]\s*)?([A-Za-z])(?![^\W_])(\s*[)\]}])?", _FLAGS)
_LABEL_END = re.compile(
    r"[\"']?(?:[ \t]*(?:\([^()\n]*\)[ \t.]*)?(?:\n|$)|[ \t]*[.;,!?](?!\w)|[ \t]*[:–—]|[ \t]*-(?=\s|$)"
    r"|\s+(?:because|since|as|due\s+to|based\s+on)\b|\s+(?:is|would\s+be)\s+(?:the\s+)?(?:correct|right|best|answer)\b)",
    _FLAGS,
)
_SECOND = re.compile(
    r"[)\]}\"'.]*\s*(?:,?\s*\b(?:or|and)\b|[,/&+;])\s*(?:(?:option|choice)\s+)?[(\[{]?([A-Za-z])(?!\w)"
    r"(?=[)\]}\"']?\s*(?:[.,;:/&+)\]]|$|\n|(?:or|and)\b))",
    _FLAGS,
)
_ENUMERATED = re.compile(r"(?:^|(?<=[\s.;,(\[]))([A-Za-z])\s*[.):\]]\s*")
_MENTIONED = re.compile(
    r"\b(?i:option|choice)\s*[:(\[]*\s*([A-Za-z])(?!\w)"
    r"|\b(?i:choose|chose|select|selected|pick|picked|go\s+with|it(?:'s|\s+is)|say|think|believe)\s+"
    r"[(\[]?([A-Z])(?=[)\].,;:!\n]|$)|(?<!\w)([A-Z])\s+is\s+(?:the\s+)?(?:correct|right|best)\b",
    re.MULTILINE,
)
_BRACKETED = re.compile(r"[(\[]\s*([A-Za-z])\s*[)\]]")
_NEGATED_BEFORE = re.compile(
    r"(?:\b(?:not|nor|no|never|neither|without|except|excluding|excludes?|unlike|than|instead\s+of|rules?\s+out|ruled\s+out)"
    r"|n't)\s+(?:(?:be|in|the|an?|option|choice|letter|answer|is|of|any|likely)\s+){0,3}[(\[\"']*$",
    _FLAGS,
)
_NEGATED_AFTER = re.compile(
    r"[)\]\"'.:]*\s*(?:is|are|was|were)(?:n't|\s+(?:not|wrong|incorrect|unlikely|excluded|absent|ruled\s+out))\b",
    _FLAGS,
)
_CLAUSE_END = re.compile(r"\n|[.!?](?=\s|$)|\b(?:because|since|as)\b", _FLAGS)

# The inner functions return a letter, "" for "decided: no single option", or None for "this rule does not decide".
_NOTHING = ""


@dataclass(frozen=True)
class _Offer:
    texts: Mapping[str, str]
    patterns: Mapping[str, re.Pattern[str]]


def extract_choice(text: str, choices: Mapping[str, str]) -> str | None:
    """The offered letter (upper case) that ``text`` answers with, None when it names no single one.

    ``choices`` maps the offered letters to their texts; with no choices the letters A to D are taken as offered,
    without texts. Full-width forms, Markdown, LaTeX and tags are read through. Depends on nothing but its arguments.
    """
    texts = {letter.strip().upper(): option for letter, option in choices.items()} or dict.fromkeys(DEFAULT_LETTERS, "")
    offer = _Offer(texts, {letter: found for letter, option in texts.items() if (found := _text_pattern(option))})
    plain = _plain(text)
    for rule in (_whole_text, _after_marker, _label, _last_line, _mentioned, _only_text):
        decided = rule(plain, offer)
        if decided is not None:
            return decided or None
    return None


def _plain(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).replace("\u2019", "'").replace("\r", "\n")
    text = _TAG.sub(" ", text)
    for _ in range(2):
        text = _LATEX.sub(r" \1 ", text)
    return re.sub(r"\s+", lambda gap: "\n" if "\n" in gap[0] else " ", _MARKUP.sub("", text)).strip()


def _text_pattern(option: str) -> re.Pattern[str] | None:
    """Whole words of an option, whatever stands between them; None for no words or a single letter."""
    words = re.findall(r"\w+", unicodedata.normalize("NFKC", option).casefold())
    if len(words) > 1 and words[0] in {"a", "an", "the"}:
        words = words[1:]
    if not words or re.fullmatch("[a-z]", "".join(words)):
        return None
    body = r"[\W_]+".join(re.escape(word) for word in words)
    # A number inside a longer number ("5 cm" in "1.5 cm") is another number.
    return re.compile(rf"(?<!\w)(?<!\d[.,]){body}(?!\w)(?![.,]\d)", _FLAGS)


def _whole_text(plain: str, offer: _Offer) -> str | None:
    if re.fullmatch(r"[A-Za-z]?", plain):
        return None
    # Symbols first: "<5 cm" and ">5 cm" are the same words.
    same = [letter for letter, option in offer.texts.items() if _squeezed(option) == _squeezed(plain)]
    if not same:
        words = re.search(r"\w(?:.*\w)?", plain, re.DOTALL)
        bare = re.sub(r"^(?:an?|the)\s+", "", words[0], flags=_FLAGS) if words else ""
        same = [letter for letter, pattern in offer.patterns.items() if pattern.fullmatch(bare)]
    return same[0] if len(same) == 1 else None


def _squeezed(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split()).rstrip(".")


def _after_marker(plain: str, offer: _Offer) -> str | None:
    markers = [found for found in _MARKER.finditer(plain) if not _MARKER_NEGATED.search(_before(plain, found.start()))]
    if not markers:
        return None
    tail = plain[markers[-1].end() :].lstrip()
    decided = _label(tail, offer)
    if decided is not None:
        return decided
    return _only_text(_CLAUSE_END.split(tail, maxsplit=1)[0], offer)


def _last_line(plain: str, offer: _Offer) -> str | None:
    head, separator, line = plain.rpartition("\n")
    found = _LABEL.match(line)
    if not separator or found is None:
        return None
    letter, rest = found[2].upper(), line[found.end() :].strip(" \t.:)-\"'")
    if not rest:
        return letter if letter in offer.texts else _NOTHING
    if not (letter in offer.patterns and offer.patterns[letter].fullmatch(rest)):
        return None
    return _NOTHING if _enumerated(head, offer) - {letter} else letter


def _mentioned(plain: str, offer: _Offer) -> str | None:
    letters = _enumerated(plain, offer)
    for found in _MENTIONED.finditer(plain):
        if not _negated(plain, found.start(), found.end()):
            letters.add((found[1] or found[2] or found[3]).upper())
    for found in _BRACKETED.finditer(plain):
        if found[1].upper() in offer.texts and not _negated(plain, found.start(), found.end()):
            letters.add(found[1].upper())
    if not letters:
        return None
    return letters.pop() if len(letters) == 1 and letters <= set(offer.texts) else _NOTHING


def _only_text(plain: str, offer: _Offer) -> str | None:
    spans = [(*found.span(), letter) for letter, pattern in offer.patterns.items() for found in pattern.finditer(plain)]
    letters = set()
    first = last = -1
    for start, end, letter in sorted(spans, key=lambda span: (span[0], -span[1])):
        if end < last or (end == last and start > first):
            continue  # inside a longer option's text
        first, last = start, end
        if not _negated(plain, start, end):
            letters.add(letter)
    if not letters:
        return None
    return letters.pop() if len(letters) == 1 else _NOTHING


def _label(tail: str, offer: _Offer) -> str | None:
    """A letter at the start of ``tail``, where it can be nothing else."""
    found = _LABEL.match(tail)
    if found is None:
        return None
    opened = tail[found.start(2) :]
    lettered = (pattern for key, pattern in offer.patterns.items() if re.match(r"\w\W", offer.texts[key].strip()))
    if any(pattern.match(opened) for pattern in lettered):
        return None  # "E. coli" is an option here, not the letter E
    letter, rest = found[2].upper(), tail[found.end() :]
    if (second := _SECOND.match(rest)) and second[1].upper() in offer.texts and second[1].upper() != letter:
        return _NOTHING
    own = letter in offer.patterns and offer.patterns[letter].match(rest.lstrip(" \t.:)-"))
    if not (own or found[3] or _LABEL_END.match(rest)) or _NEGATED_AFTER.match(rest):
        return None
    if letter not in offer.texts or _enumerated(rest, offer) - {letter} or _lists_all(tail, offer):
        return _NOTHING
    return letter


def _enumerated(text: str, offer: _Offer) -> set[str]:
    """Letters that ``text`` lists as options: each before its own text, or, where that is unknown, before anything."""
    letters = set()
    for found in _ENUMERATED.finditer(text):
        letter, end = found[1].upper(), found.end()
        if letter in offer.patterns:
            listed = offer.patterns[letter].match(text, end)
            end = listed.end() if listed else -1
        elif letter not in offer.texts or found[1].islower():
            end = -1
        if end >= 0 and not _negated(text, found.start(), end):
            letters.add(letter)
    return letters


def _lists_all(text: str, offer: _Offer) -> bool:
    labels = {
        found[1].upper() for found in _ENUMERATED.finditer(text) if not _negated(text, found.start(), found.end())
    }
    return len(offer.texts) > 1 and labels >= set(offer.texts)


def _before(text: str, start: int) -> str:
    """As much of the text before ``start`` as a negation needs; all of it would make long answers quadratic."""
    return text[max(0, start - 60) : start]


def _negated(text: str, start: int, end: int) -> bool:
    return bool(_NEGATED_BEFORE.search(_before(text, start)) or _NEGATED_AFTER.match(text, end))
