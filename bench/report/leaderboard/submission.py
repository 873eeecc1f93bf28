"""The record of a submission: who ran what, its summaries and facts, and the files beside it with their digests."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    TypeAdapter,
    ValidationError,
)

from m3dbench.adapter import Role
from m3dbench.data.manifest import canonical
from m3dbench.errors import UserError
from m3dbench.runs.summary import TaskSummary


def _address(link: str) -> str:
    if not re.fullmatch(r"https://[^\s\"'<>]+", link):
        raise ValueError("is not an https address")
    return link


def _file_name(name: str) -> str:
    if not re.fullmatch(r"[\w.@-]+(?:/[\w.@-]+)?", name) or ".." in name:
        raise ValueError("is not the name of a file beside the record")
    return name


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StoredFile(_Strict):
    """A file beside the record. path: relative to it."""

    path: Annotated[str, AfterValidator(_file_name)]
    sha256: str
    size: int


_SIGNATURES = TypeAdapter(Mapping[str, Mapping[str, str]])


def _with_scoring(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    _SIGNATURES.validate_python(facts.get("scoring"), strict=True)
    return facts


class _Asked(BaseModel):
    """What the test set was made of, as far as the run says."""

    model_config = ConfigDict(strict=True)

    test_set: str | None = None
    datasets: list[str] | None = None
    limit: PositiveInt | None = None
    seed: int | None = None
    requests: str | None = None
    prompt_variants: PositiveInt | None = None


def _with_test_set(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    _Asked.model_validate(facts)
    return facts


class TaskFacts(_Strict):
    """The three sets of facts of a task's run (``m3dbench.runs.facts``)."""

    comparable: Annotated[Mapping[str, Any], AfterValidator(_with_scoring)]
    resume: Annotated[Mapping[str, Any], AfterValidator(_with_test_set)]
    recorded: Mapping[str, Any]


class SubmittedTask(_Strict):
    """One task of a submission.

    journal: SHA-256 of the run's ``predictions.jsonl``, given or not. predictions: that file, gzipped, None where it
    was left out. arrays: masks or embeddings, where they were asked for. judges: as in ``judge.json``.
    """

    facts: TaskFacts
    summary: TaskSummary
    scores: StoredFile
    journal: str
    predictions: StoredFile | None = None
    arrays: tuple[StoredFile, ...] = ()
    judges: tuple[Mapping[str, Any], ...] = ()

    @property
    def sealed(self) -> dict[str, Any]:
        """What the submission's name is made of."""
        return sealed(self.facts, self.summary, self.journal)

    @property
    def files(self) -> tuple[StoredFile, ...]:
        return (self.scores, *((self.predictions,) if self.predictions else ()), *self.arrays)


class Submitted(_Strict):
    """``submission.json``. Other fields as in ``board.Submission``."""

    version_of_form: Literal[1] = Field(default=1, alias="schema")
    submission: str
    model: str
    version: str
    role: Role
    submitted: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    submitter: str = ""
    links: Mapping[str, Annotated[str, AfterValidator(_address)]] = Field(default_factory=dict)
    note: str = ""
    train_data: tuple[str, ...] | None = None
    tasks: Mapping[str, SubmittedTask] = Field(min_length=1)

    @staticmethod
    def read(path: Path) -> Submitted:
        """Raises UserError naming file and field."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            found = Submitted.model_validate(content)
        except FileNotFoundError as error:
            raise UserError("is missing", file=path) from error
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise UserError(f"is not valid JSON: {error}", file=path) from error
        except ValidationError as error:
            raise UserError(problems(error), file=path) from error
        if found.submission != path.parent.name:
            raise UserError(f"names itself {found.submission!r}, unlike its folder", file=path, field="submission")
        return found

    def to_json(self) -> dict[str, Any]:
        plain: dict[str, Any] = self.model_dump(mode="json", by_alias=True)
        return plain


def sealed(facts: TaskFacts, summary: TaskSummary, journal: str) -> dict[str, Any]:
    """Facts, summary and answers of a task as the name of a submission holds them."""
    plain = TypeAdapter(TaskSummary).dump_python(summary, mode="json")
    return {"facts": facts.model_dump(mode="json"), "summary": plain, "journal": journal}


def identity(model: str, role: str, tasks: Mapping[str, Mapping[str, Any]]) -> str:
    """The name of a submission: says which model, and changes with what is ``sealed`` of its tasks."""
    found = hashlib.sha256(canonical({"model": model, "role": role, "tasks": tasks}).encode()).hexdigest()
    return f"{slug(model)}-{found[:8]}"


def problems(error: ValidationError) -> str:
    """What pydantic found, at most three places."""
    found = error.errors(include_url=False, include_context=False)
    told = [f"{'.'.join(map(str, item['loc'])) or 'the whole'}: {item['msg']}" for item in found[:3]]
    return "; ".join(told) + (f" (and {len(found) - 3} more)" if len(found) > 3 else "")


def stored(folder: Path, path: Path) -> StoredFile:
    """A file that was written beside a record."""
    return StoredFile(path=path.relative_to(folder).as_posix(), sha256=digest(path), size=path.stat().st_size)


def digest(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def slug(name: str) -> str:
    """A name as part of a folder's name."""
    return re.sub(r"[^a-z0-9._]+", "-", name.lower()).strip("-._")[:40] or "model"
