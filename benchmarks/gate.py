"""What a gate gets wrong and right, on simulated releases of eight tasks.

Each task has 6 to 9 items a case, answered right or wrong; answers of a case and of the two releases are correlated
(``rho`` of a case's own rate; a share ``same`` of the items is answered alike by both). Per number of cases it prints

* coverage of the 95% interval of the paired difference,
* false alarms: a gate over all eight tasks calls a release without any difference a regression,
* false passes: one task's release that is worse by exactly the margin passes,
* power: a release that is worse on one task by ``drop`` is called a regression by the gate,
* red tape: a release without any difference is not passed (margin = drop), one task.

    python benchmarks/gate.py --quick
    python benchmarks/gate.py --repetitions 2000 --workers 2

Exits 1 if false alarms exceed 5% by more than three Monte Carlo errors, or coverage falls below 93% from 30 cases on.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np

from m3dbench.metrics.core import ratio
from m3dbench.stats.multiplicity import holm
from m3dbench.stats.paired import paired_difference
from m3dbench.stats.result import FloatArray
from m3dbench.stats.signflip import sign_flip

CASES = (30, 100, 300, 1000, 2000)
RATES = (0.05, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 0.97)
RHO, SAME, DROP, ALPHA, DRAWS = 0.3, 0.6, 0.05, 0.05, 1999


def releases(rng: np.random.Generator, cases: int, rate: float, drop: float) -> tuple[FloatArray, FloatArray]:
    """Sums and counts (cases, 2) of a base and of a candidate whose rate is lower by ``drop``."""
    items = rng.integers(6, 10, cases)
    k = 1 / RHO - 1
    own = rng.beta(rate * k, (1 - rate) * k, cases)[:, None]
    asked = np.arange(9) < items[:, None]
    base = rng.random((cases, 9)) < own
    fresh = rng.random((cases, 9)) < own
    candidate = np.where(rng.random((cases, 9)) < SAME, base, fresh)
    # answers that would be right are lost at random, so the expected difference is -drop exactly
    candidate &= rng.random((cases, 9)) >= drop / rate
    told = [np.stack([(right & asked).sum(1), items], -1).astype(float) for right in (base, candidate)]
    return told[0], told[1]


def trial(cases: int, seed: int) -> list[float]:
    """covered, alarm, false pass, found, red tape."""
    rng = np.random.default_rng([cases, seed])
    p_values, covered = [], []
    for rate in RATES:
        base, candidate = releases(rng, cases, rate, 0.0)
        p_values.append(sign_flip(candidate, base, ratio, seed, DRAWS).less)
        found = paired_difference("rate", candidate, base, ratio, seed, bounds=(0, 1))
        covered.append(found.interval is not None and found.interval.low <= 0 <= found.interval.high)
    alarm = min(holm(p_values)) <= ALPHA
    rate = RATES[seed % len(RATES)]
    passed = _passes(*releases(rng, cases, rate, 0.0), seed)
    drop = min(DROP, rate / 2)
    base, candidate = releases(rng, cases, rate, drop)
    slipped = _passes(base, candidate, seed, drop)
    adjusted = holm([sign_flip(candidate, base, ratio, seed, DRAWS).less, *p_values[1:]])
    return [float(np.mean(covered)), alarm, slipped, adjusted[0] <= ALPHA, not passed]


def _passes(base: FloatArray, candidate: FloatArray, seed: int, margin: float = DROP) -> bool:
    found = paired_difference("rate", candidate, base, ratio, seed, 1 - 2 * ALPHA, bounds=(0, 1))
    return found.interval is not None and -found.interval.low < margin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="100 repetitions up to 300 cases")
    options = parser.parse_args()
    repetitions = 100 if options.quick else options.repetitions
    print("| cases | coverage | false alarms | false passes | power | red tape |\n|---|---|---|---|---|---|")
    bad = False
    with ProcessPoolExecutor(options.workers) as pool:
        for cases in CASES[:3] if options.quick else CASES:
            rows = np.array(list(pool.map(partial(trial, cases), range(repetitions), chunksize=10)))
            means = rows.mean(axis=0)
            print(f"| {cases:,} | " + " | ".join(f"{100 * value:.1f}%" for value in means) + " |", flush=True)
            error = np.sqrt(ALPHA * (1 - ALPHA) / repetitions)
            bad |= bool(means[1] > ALPHA + 3 * error or means[0] < 0.93)
    sys.exit(int(bad))


if __name__ == "__main__":
    main()
