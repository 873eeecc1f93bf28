"""Rows of question tables, each checked on its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from m3dbench.data.check.kinds import Finding
from m3dbench.data.check.words import contains_answer, garbled
from m3dbench.data.readers.m3d_vqa import LETTERS, MISSING_CHOICE, QUESTION_TYPES
from m3dbench.metrics.ranking import text_key

Row = Mapping[str, str]
_LETTERED = re.compile(r"^[a-d][.)]\s+")


def check_choices(file: str, record: str, row: Row) -> Iterator[Finding]:
    """What is wrong with one row of M3D-VQA."""
    question, answer = row["Question"], row["Answer"]
    for column in ("Image Path", "Question", "Answer"):
        if not row[column].strip():
            yield Finding("empty_text", file, "the field is empty", record, column)
    if row["Question Type"].strip() not in QUESTION_TYPES:
        known = ", ".join(QUESTION_TYPES)
        yield Finding("malformed_record", file, f"{row['Question Type']!r} is none of {known}", record, "Question Type")
    choices = {letter: row[f"Choice {letter}"] for letter in LETTERS}
    offered = {letter: text for letter, text in choices.items() if text != MISSING_CHOICE}
    letter = row["Answer Choice"].strip()
    if letter not in offered:
        told = f"{letter!r} is none of the offered choices {', '.join(offered) or '(none)'}"
        yield Finding("malformed_record", file, told, record, "Answer Choice")
    elif not _same(answer, offered[letter]):
        told = f"{letter} is {offered[letter]!r}, the answer {answer!r}"
        yield Finding("letter_mismatch", file, told, record, "Answer")
    yield from _repeated(file, record, offered, letter)
    if contains_answer(question, answer, [text for key, text in offered.items() if key != letter]):
        yield Finding("question_leaks", file, f"{answer!r} stands in {question!r}", record, "Question")
    for column, text in (("Question", question), ("Answer", answer), ("Text", row.get("Text", ""))):
        if why := garbled(text):
            yield Finding("garbled_text", file, why, record, column)


def check_referring(file: str, record: str, row: Row) -> Iterator[Finding]:
    """What is wrong with the texts of one row of M3D-RefSeg."""
    for column in ("Image", "Mask", "Question", "Answer"):
        if not row[column].strip():
            yield Finding("empty_text", file, "the field is empty", record, column)
    if row["Question_Type"].strip() not in ("0", "1"):
        told = f"{row['Question_Type']!r} is neither 0 (description) nor 1 (reasoning)"
        yield Finding("malformed_record", file, told, record, "Question_Type")
    if not re.fullmatch(r"\s*0*[1-9]\d*\s*", row["Mask_ID"], re.ASCII):
        told = f"{row['Mask_ID']!r} is no object of a mask: a whole number from 1 on"
        yield Finding("malformed_record", file, told, record, "Mask_ID")
    if row["Answer"].strip() and not re.search(r"\[SEG\]|<SEG>", row["Answer"]):
        yield Finding("no_mark", file, f"{row['Answer'][:60]!r} has no [SEG]", record, "Answer")
    for column in ("Question", "Answer"):
        if why := garbled(row[column]):
            yield Finding("garbled_text", file, why, record, column)


def _repeated(file: str, record: str, offered: Mapping[str, str], letter: str) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for key, text in offered.items():
        other = seen.setdefault(_key(text), key)
        if other != key:
            kind = "answer_repeated" if letter in (other, key) else "choice_repeated"
            yield Finding(kind, file, f"{other} and {key} are both {text!r}", record, f"Choice {key}")


def _same(answer: str, choice: str) -> bool:
    return _key(choice) in (_key(answer), _LETTERED.sub("", _key(answer)))


def _key(text: str) -> str:
    return text_key(text).strip(" .,;:")
