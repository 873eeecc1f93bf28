"""What judging leaves in a task's folder: the judgements, and who judged."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from m3dbench.judge.identity import Judge
from m3dbench.judge.rubric import Rubric
from m3dbench.runs import jsonl
from m3dbench.runs.folder import TaskFolder
from m3dbench.runs.journal import Rows

SCHEMA = 1


@dataclass(frozen=True)
class JudgeFolder:
    """The files of judging in a folder.

    journal: one line a judgement (``judge.jsonl``). replies: the chat client's log, gone once all is judged.
    record: who judged, under which rubric (``judge.json``).
    """

    path: Path

    @staticmethod
    def of(folder: TaskFolder) -> JudgeFolder:
        return JudgeFolder(folder.path)

    @property
    def journal(self) -> Path:
        return self.path / "judge.jsonl"

    @property
    def replies(self) -> Path:
        return self.path / "judge.replies.jsonl"

    @property
    def record(self) -> Path:
        return self.path / "judge.json"

    @property
    def scores(self) -> Path:
        """Scores of the judge alone, before they join those of the task."""
        return self.path / "judge.scores.jsonl"

    def settle(self, judge: str, keys: Iterable[str]) -> None:
        """Bring the judgements of a judge into the order of ``keys``, after those of others, and let go of the replies.

        They came in the order in which replies came; in the order of the samples, equal judgements are equal bytes. Of
        a pair that was asked again the last judgement stays, which holds the replies of those before.
        """
        rows = Rows(self.journal, newest=True)
        temporary = self.journal.with_name(self.journal.name + ".tmp")
        with temporary.open("wb") as stream:
            for row in jsonl.read(self.journal):
                if row["judge"] != judge:
                    stream.write(jsonl.line(row))
            wanted = dict.fromkeys(keys)
            left = (key for key in sorted(rows) if key not in wanted)
            for key in [*wanted, *left]:
                found = rows.get(key)
                if found is not None and found["judge"] == judge:
                    stream.write(jsonl.line(found))
            stream.flush()
            os.fsync(stream.fileno())
        rows.close()
        temporary.replace(self.journal)
        self.replies.unlink(missing_ok=True)


@dataclass(frozen=True)
class Record:
    """A judge that judged a task under a rubric.

    max_unscored: share of samples without a verdict above which the scores are not to be published. audit: of the
    judge, if one was given: its digest and what it found. price: per million tokens in and out, if known.
    """

    judge: Judge
    rubric: Rubric
    max_unscored: float = 0.02
    audit: Mapping[str, Any] = field(default_factory=dict)
    price: tuple[float, float] = (0.0, 0.0)

    def to_json(self) -> dict[str, Any]:
        return {
            "judge": self.judge.to_json(),
            "rubric": self.rubric.to_json(),
            "max_unscored": self.max_unscored,
            "audit": dict(self.audit),
            "price": list(self.price),
        }

    @staticmethod
    def from_json(content: Mapping[str, Any]) -> Record:
        return Record(
            Judge.from_json(content["judge"]),
            Rubric.from_json(content["rubric"]),
            content["max_unscored"],
            content["audit"],
            tuple(content["price"]),
        )


def read_records(path: Path) -> list[Record]:
    """Who judged, in the order of the metrics' names; none where there is no record."""
    if not path.exists():
        return []
    return [Record.from_json(item) for item in json.loads(path.read_text(encoding="utf-8"))["judges"]]


def put_record(path: Path, record: Record) -> None:
    """Write down who judged; an earlier judge under a rubric of the same name gives way to this one."""
    records = {item.rubric.metric: item for item in [*read_records(path), record]}
    judges = [records[name].to_json() for name in sorted(records)]
    jsonl.write_document(path, {"schema": SCHEMA, "judges": judges})


def usage(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Tokens of the replies in a journal's rows, and the models that the endpoint said it was."""
    tokens = [0, 0]
    models: Counter[str] = Counter()
    for row in rows:
        for reply in row["replies"]:
            tokens = [have + more for have, more in zip(tokens, reply["usage"], strict=True)]
            models[reply.get("model", "")] += 1
    models.pop("", None)
    told = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1]}
    return {**told, "models_told": dict(sorted(models.items()))}
