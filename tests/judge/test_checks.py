"""What the checks make of values."""

from __future__ import annotations

import pytest

from m3dbench.judge.checks import checks
from m3dbench.judge.identity import Judge
from m3dbench.judge.material import shipped_cases
from m3dbench.judge.probes import Amount, probes
from m3dbench.judge.rubric import find

RUBRIC = find("aspects-recall")
PROBES = probes(shipped_cases(RUBRIC), [], Judge("m"), RUBRIC, Amount())


@pytest.mark.parametrize(("value", "attacks"), [(100.0, None), (0.0, True), (None, False)])
def test_a_constant_judge_is_never_fit(value: float | None, attacks: bool | None) -> None:
    """Full marks for everything leave an attacker nothing to gain, which is no proof of withstanding attacks."""
    found = {check.name: check for check in checks(PROBES, {probe.item.key: value for probe in PROBES}, 0.02)}
    assert found["attacks"].passed is attacks
    assert found["wrong side"].passed is False
    assert any(check.passed is False for check in found.values())
