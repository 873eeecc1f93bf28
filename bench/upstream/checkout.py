"""The prompt templates and the term dictionary of a checkout of the M3D repository."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from m3dbench.data.manifest import canonical
from m3dbench.errors import UserError
from m3dbench.upstream.literals import read_literals
from m3dbench.wording import places

FOLDERS = ("Bench/dataset", "LaMed/src/dataset", ".")
TEMPLATES = "prompt_templates.py"
TERMS = "term_dictionary.py"
TERMS_NAME = "term_dict"
MAX_SENTENCES = 10_000
MAX_LENGTH = 10_000


@dataclass(frozen=True)
class Templates:
    """Imported sentences.

    folder: where the files lie. sentences: ``Caption_templates`` or ``PosREC_templates.cls_questions`` -> sentences.
    terms: class name -> definitions, empty where the checkout has no term dictionary. digest: SHA-256 of both.
    """

    folder: Path
    sentences: Mapping[str, Sequence[str]]
    terms: Mapping[str, Sequence[str]]
    digest: str


def read_checkout(path: Path) -> Templates:
    """Import from a checkout, or from a folder that holds its two files, by parsing literals: nothing there is run.

    Raises UserError naming what is missing, or the file and line of what is not a plain text.
    """
    if not path.is_dir():
        raise UserError("the templates directory does not exist", file=path, fix="give --templates a checkout of M3D")
    folder = next((path / place for place in FOLDERS if (path / place / TEMPLATES).is_file()), None)
    if folder is None:
        looked = ", ".join(str(Path(place) / TEMPLATES) for place in FOLDERS)
        raise UserError(
            f"no {TEMPLATES} was found (looked for {looked})",
            file=path,
            fix="give --templates a checkout of the M3D repository (github.com/BAAI-DCAI/M3D)",
        )
    sentences: dict[str, Sequence[str]] = {}
    file = folder / TEMPLATES
    for name, value in read_literals(file).items():
        groups = {f"{name}.{key}": item for key, item in value.items()} if isinstance(value, dict) else {name: value}
        for group, item in groups.items():
            sentences[group] = _texts(item, file, group)
            if isinstance(value, dict):
                _check_places(sentences[group], file, group)
    terms = _terms(folder / TERMS)
    digest = hashlib.sha256(canonical({"sentences": sentences, "terms": terms}).encode()).hexdigest()
    return Templates(folder, sentences, terms, digest)


def _terms(file: Path) -> dict[str, Sequence[str]]:
    if not file.is_file():
        return {}
    value = read_literals(file).get(TERMS_NAME)
    if not isinstance(value, dict):
        raise UserError("holds no dictionary of definitions", file=file, field=TERMS_NAME)
    return {str(name): _texts(item, file, f"{TERMS_NAME}[{name!r}]") for name, item in value.items()}


def _texts(value: Any, file: Path, field: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not value or not all(isinstance(text, str) for text in value):
        raise UserError("expected a list of texts", file=file, field=field)
    if len(value) > MAX_SENTENCES or max(map(len, value)) > MAX_LENGTH:
        raise UserError(
            f"more than {MAX_SENTENCES:,} texts, or one of more than {MAX_LENGTH:,} characters", file=file, field=field
        )
    for number, text in enumerate(value, 1):
        if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
            raise UserError("the text is not valid Unicode", file=file, record=f"text {number}", field=field)
    return tuple(value)


def _check_places(sentences: Sequence[str], file: Path, field: str) -> None:
    for number, sentence in enumerate(sentences, 1):
        try:
            places(sentence)
        except ValueError as error:
            raise UserError(
                f"{sentence[:80]!r}: {error}",
                file=file,
                record=f"sentence {number}",
                field=field,
                fix="only plain {} may be filled in",
            ) from error
