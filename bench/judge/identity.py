"""Who judges, and how: everything that sets the scores of one judge apart from those of another."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from typing import Any

from m3dbench.data.manifest import canonical
from m3dbench.judge.prompt import Asking, prompt_digest, response_format
from m3dbench.judge.rubric import Rubric
from m3dbench.metrics.pairs import JudgedPair

VERSION = "judge-1"
REPEAT_SEEDS = 1000


@lru_cache(maxsize=64)
def _digest(judge: Judge, rubric: Rubric) -> str:
    return hashlib.sha256(canonical({"version": VERSION, **judge.facts(rubric)}).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Judge:
    """A judge.

    model: as it is asked for. revision: which build of it, as far as known. endpoint: ``openai`` (a server of that
    interface) or ``hf`` (in process). attempts: how often a pair is asked while replies are of no use.
    """

    model: str
    revision: str = ""
    endpoint: str = "openai"
    temperature: float = 0.0
    max_tokens: int = 2000
    attempts: int = 3
    asking: Asking = field(default_factory=Asking)

    def facts(self, rubric: Rubric) -> dict[str, Any]:
        """The identity, for the run's record."""
        return {
            "model": self.model,
            "revision": self.revision,
            "endpoint": self.endpoint,
            "rubric": rubric.name,
            "rubric_version": rubric.version,
            "rubric_digest": rubric.digest,
            "prompt_digest": prompt_digest(rubric, replace(self.asking, swapped=False, repeat=0)),
            "format": "json_schema" if self.structured(rubric) else "text",
            "temperature": self.temperature,
            "seed": self.asking.seed,
            "max_tokens": self.max_tokens,
            "max_characters": self.asking.max_characters,
            "attempts": self.attempts,
        }

    def signature(self, rubric: Rubric) -> str:
        """The identity as one line; two scores are comparable only where it is the same."""
        facts = self.facts(rubric)
        short = {name: str(value)[:16] if name.endswith("_digest") else value for name, value in facts.items()}
        return "|".join([VERSION, *(f"{name}:{value}" for name, value in short.items())])

    def digest(self, rubric: Rubric) -> str:
        """The identity as 16 hexadecimal digits."""
        return _digest(self, rubric)

    def structured(self, rubric: Rubric) -> bool:
        """Whether the endpoint is given a schema: never with messages that are sent as they were imported."""
        return self.asking.structured and not rubric.verbatim

    def options(self, rubric: Rubric, attempt: int = 0) -> dict[str, Any]:
        """Options of a request. A further attempt has a seed of its own: the same one would give the same reply."""
        options: dict[str, Any] = {
            "temperature": self.temperature,
            "seed": self.asking.seed + attempt + REPEAT_SEEDS * self.asking.repeat,
            "max_tokens": self.max_tokens,
        }
        if self.structured(rubric):
            options["response_format"] = response_format(rubric)
        return options

    def key(self, rubric: Rubric, pair: JudgedPair) -> str:
        """Name of a judgement: equal for equal texts under an equal judge and rubric."""
        content = [self.digest(rubric), self.asking.swapped, self.asking.repeat, *asdict(pair).values()]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def asked(self, **changes: Any) -> Judge:
        """The same judge asked in another way (see ``Asking``)."""
        return replace(self, asking=replace(self.asking, **changes))

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(content: Mapping[str, Any]) -> Judge:
        return Judge(**{**content, "asking": Asking(**content["asking"])})
