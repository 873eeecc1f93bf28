"""What commands propose as the next step names models that can do the tasks they name."""

from __future__ import annotations

import re
from pathlib import Path

import m3dbench as library
from m3dbench import registry

PROPOSED = re.compile(r"m3dbench run --task (\w+) --model ([a-z][\w-]*)")


def test_proposed_runs_are_possible() -> None:
    package = Path(library.__file__).parent
    found = {pair for path in package.rglob("*.py") for pair in PROPOSED.findall(path.read_text(encoding="utf-8"))}
    assert len(found) >= 4
    assert [(task, model) for task, model in found if task not in registry.load("adapters", model).tasks] == []
