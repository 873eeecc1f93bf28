"""Coverage of the interval methods on simulated cases.

Prints coverage and mean width per scenario, method and number of cases; exits 1 if a default method (marked *) covers
less than 93% from 30 cases on in a gated scenario. Scenarios named ``stress`` are shown, not gated.

    python benchmarks/coverage.py --quick
    python benchmarks/coverage.py --repetitions 2000 --workers 8
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from m3dbench.stats.intervals import Interval, mean_interval, rate_interval
from m3dbench.stats.resampling import bootstrap_interval
from m3dbench.stats.result import FloatArray

TARGET, TARGET_CASES = 0.93, 30
BOOTSTRAP = "bootstrap-t + jackknife*"
CASES = (10, 30, 100, 500)
Draw = Callable[[np.random.Generator, int], FloatArray]
Method = Callable[[FloatArray, int], Interval | None]
STRATA_SHARES = np.array([0.4, 0.25, 0.2, 0.1, 0.05])
STRATA_PRESENCE = np.array([0.95, 0.7, 0.5, 0.3, 0.2])


@dataclass(frozen=True)
class Scenario:
    """``truth`` None: taken from a million cases. Statistics are drawn as (cases, k) or (cases, strata, k)."""

    name: str
    draw: Draw
    methods: dict[str, Method]
    truth: float | None
    aggregate: Callable[[FloatArray], FloatArray]
    gated: bool = True


def ratio(sums: FloatArray) -> FloatArray:
    return np.asarray(sums[..., 0] / sums[..., 1])


def soft_dice(sums: FloatArray) -> FloatArray:
    return np.asarray(2 * sums[..., 0] / (sums[..., 1] + sums[..., 2]))


def corpus_bleu(sums: FloatArray) -> FloatArray:
    """Lengths of answer and reference, four numbers of matches, four of n-grams."""
    with np.errstate(all="ignore"):
        logs = np.log(sums[..., 2:6] / sums[..., 6:10]).mean(axis=-1)
        return np.asarray(np.exp(logs + np.minimum(0.0, 1.0 - sums[..., 1] / sums[..., 0])))


def vqa(rng: np.random.Generator, m: int, p: float, rho: float, kind: str, most: int = 9, least: int = 6) -> FloatArray:
    """Questions per case; ``beta``: a case's own rate is beta; ``copy``: items share the case's answer at random."""
    n = rng.integers(least, most + 1, m)
    if rho == 0.0:
        right = rng.binomial(n, p)
    elif kind == "beta":
        k = 1.0 / rho - 1.0
        right = rng.binomial(n, rng.beta(p * k, (1 - p) * k, m))
    else:
        shared = rng.binomial(n, np.sqrt(rho))
        right = shared * (rng.random(m) < p) + rng.binomial(n - shared, p)
    return np.stack([right, n], -1).astype(float)


def dice(rng: np.random.Generator, m: int, zero: float, a: float, b: float) -> FloatArray:
    """One to four masks a case; a spike at 0, correlated within the case."""
    n = rng.integers(1, 5, m)
    failing = rng.beta(2 * zero, 2 * (1 - zero), m)[:, None]
    values = np.where(rng.random((m, 4)) < failing, 0.0, rng.beta(a, b, (m, 4)))
    return np.stack([(values * (np.arange(4) < n[:, None])).sum(1), n], -1)


def single(rng: np.random.Generator, m: int, kind: str, a: float, b: float) -> FloatArray:
    values = rng.beta(a, b, m) if kind == "beta" else rng.lognormal(a, b, m)
    return np.stack([values, np.ones(m)], -1)


def bleu_counts(rng: np.random.Generator, m: int, level: float, spread: float) -> FloatArray:
    length = np.maximum(8, rng.lognormal(4, 0.5, m)).astype(int)
    reference = np.maximum(8, length * rng.lognormal(0.1, 0.3, m)).astype(int)
    z, matches, columns, totals = rng.normal(level, spread, m), length, [], []
    for order, (slope, shift) in enumerate(((1.0, 0.5), (1.2, 1.2), (1.2, 1.6), (1.2, 1.8))):
        matches = rng.binomial(np.minimum(matches, length - order), 1 / (1 + np.exp(shift - slope * z)))
        columns.append(matches)
        totals.append(length - order)
    return np.stack([length, reference, *columns, *totals], -1).astype(float)


def pooled_recall(rng: np.random.Generator, m: int) -> FloatArray:
    n = np.maximum(1, rng.lognormal(1, 0.9, m)).astype(int)
    return np.stack([rng.binomial(n, rng.beta(2, 1.5, m) / (1 + 0.05 * n)), n], -1).astype(float)


def pooled_dice(rng: np.random.Generator, m: int, spread: float) -> FloatArray:
    truth = rng.lognormal(6, spread, m)
    value = np.where(rng.random(m) < 0.1, 0, rng.beta(5, 1.5, m))
    answer = truth * rng.lognormal(0, 0.3, m)
    return np.stack([value * (answer + truth) / 2, answer, truth], -1)


def macro_vqa(rng: np.random.Generator, m: int, rates: tuple[float, ...], rho: float) -> FloatArray:
    n = rng.multinomial(rng.integers(6, 10, m), STRATA_SHARES)
    shared = rng.binomial(n, np.sqrt(rho))
    right = shared * (rng.random((m, 1)) < np.array(rates)) + rng.binomial(n - shared, rates)
    return np.stack([right, n], -1).astype(float)


def macro_dice(rng: np.random.Generator, m: int) -> FloatArray:
    there = rng.random((m, 5)) < STRATA_PRESENCE
    failing = rng.beta(0.5, 2.0, (m, 1)) * np.linspace(0.5, 1.5, 5)
    values = np.where(rng.random((m, 5)) < failing, 0.0, rng.beta(np.array([9, 7, 5, 3, 2]), 1.5, (m, 5)))
    return np.stack([values * there, there], -1)


def macro_pooled(rng: np.random.Generator, m: int) -> FloatArray:
    parts = np.stack([pooled_dice(rng, m, 0.5) for _ in range(5)], 1)
    return np.asarray(parts * (rng.random((m, 5)) < STRATA_PRESENCE)[..., None])


def scenarios(replicates: int) -> list[Scenario]:
    rate: dict[str, Method] = {
        "Korn-Graubard, prior*": lambda x, _: rate_interval(x[..., 0], x[..., 1]),
        "Korn-Graubard 1998": lambda x, _: rate_interval(x[..., 0], x[..., 1], prior_cases=0, prior_correlation=0),
    }
    mean: dict[str, Method] = {
        "CR2 t, skew*": lambda x, _: mean_interval(x[..., 0], x[..., 1]),
        "CR2 t": lambda x, _: mean_interval(x[..., 0], x[..., 1], skew_corrected=False),
    }

    def corpus(aggregate: Callable[[FloatArray], FloatArray]) -> dict[str, Method]:
        def method(x: FloatArray, seed: int) -> Interval | None:
            return bootstrap_interval(x, aggregate, seed, replicates=replicates, bounds=(0.0, 1.0))

        return {BOOTSTRAP: method}

    out = []
    for rho, kind in ((0.0, "beta"), (0.1, "beta"), (0.3, "beta"), (0.3, "copy")):
        for p in (0.05, 0.25, 0.6, 0.9, 0.97, 0.99):
            name = f"vqa p={p} rho={rho} {kind}"
            out.append(Scenario(name, partial(vqa, p=p, rho=rho, kind=kind), rate, p, ratio))
    for p in (0.9, 0.97):
        draw = partial(vqa, p=p, rho=0.3, kind="copy", least=1, most=20)
        out.append(Scenario(f"stress vqa 1-20 items p={p} rho=0.3 copy", draw, rate, p, ratio, gated=False))
    for zero, a, b in ((0.15, 6.0, 1.5), (0.6, 4.0, 2.0), (0.85, 4.0, 2.0)):
        out.append(Scenario(f"dice {zero:.0%} zero", partial(dice, zero=zero, a=a, b=b), mean, None, ratio))
    for name, kind, a, b, gated in (
        ("bleu beta(1.2, 6)", "beta", 1.2, 6.0, True),
        ("bleu beta(0.7, 7)", "beta", 0.7, 7.0, True),
        ("bleu lognormal 0.7", "log", -2.5, 0.7, True),
        ("stress hd95 lognormal 1", "log", 2.0, 1.0, False),
    ):
        truth = a / (a + b) if kind == "beta" else float(np.exp(a + b * b / 2))
        out.append(Scenario(name, partial(single, kind=kind, a=a, b=b), mean, truth, ratio, gated))
    for name, level, spread in (("corpus bleu", 0.0, 0.5), ("corpus bleu, uneven", -0.8, 1.0)):
        draw = partial(bleu_counts, level=level, spread=spread)
        out.append(Scenario(name, draw, corpus(corpus_bleu), None, corpus_bleu))
    out.append(Scenario("pooled lesion recall", pooled_recall, corpus(ratio), None, ratio))
    for spread, gated in ((0.5, True), (1.0, False)):
        name = f"{'' if gated else 'stress '}pooled dice, size spread {spread}"
        out.append(Scenario(name, partial(pooled_dice, spread=spread), corpus(soft_dice), None, soft_dice, gated))
    for rates in ((0.25, 0.4, 0.3, 0.6, 0.5), (0.9, 0.8, 0.7, 0.5, 0.6), (0.99, 0.97, 0.95, 0.9, 0.95)):
        for rho in (0.0, 0.3):
            name, draw = f"macro vqa p={np.mean(rates):.2f} rho={rho}", partial(macro_vqa, rates=rates, rho=rho)
            out.append(Scenario(name, draw, rate, float(np.mean(rates)), ratio))
    out.append(Scenario("macro dice", macro_dice, mean | corpus(ratio), None, ratio))
    out.append(Scenario("macro pooled dice", macro_pooled, corpus(soft_dice), None, soft_dice))
    return out


@lru_cache(maxsize=4)
def truth_of(index: int, replicates: int) -> float:
    scenario = scenarios(replicates)[index]
    if scenario.truth is not None:
        return scenario.truth
    rng = np.random.default_rng([7, index])
    sums = np.sum([scenario.draw(rng, 50_000).sum(axis=0) for _ in range(20)], axis=0)
    return float(np.mean(scenario.aggregate(sums)))


def measure(cell: tuple[int, int, int, int, int]) -> list[tuple[str, float, float, float, bool]]:
    """Per method: name, coverage, mean width, share without an interval, whether it misses the target."""
    index, cases, repetitions, seed, replicates = cell
    scenario, truth = scenarios(replicates)[index], truth_of(index, replicates)
    rng = np.random.default_rng([seed, index, cases])
    found: dict[str, list[Interval | None]] = {name: [] for name in scenario.methods}
    for repetition in range(repetitions):
        x = scenario.draw(rng, cases)
        for name, method in scenario.methods.items():
            found[name].append(method(x, repetition))
    rows = []
    for name, results in found.items():
        given = [one for one in results if one is not None]
        coverage = float(np.mean([one.low <= truth <= one.high for one in given])) if given else float("nan")
        width = float(np.mean([one.high - one.low for one in given])) if given else float("nan")
        missed = scenario.gated and name.endswith("*") and cases >= TARGET_CASES and not coverage >= TARGET
        rows.append((name, coverage, width, 1 - len(given) / repetitions, missed))
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--repetitions", type=int, default=2000, help="samples per cell; a quarter for bootstraps of 500"
    )
    parser.add_argument("--replicates", type=int, default=1000, help="bootstrap replicates")
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--quick", action="store_true", help="300 repetitions, 30 and 100 cases: not for decisions")
    parser.add_argument("--cases", type=int, nargs="+", default=CASES)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--only", default="", help="scenarios whose name contains this")
    options = parser.parse_args()
    sizes = (30, 100) if options.quick else options.cases
    repetitions = 300 if options.quick else options.repetitions
    cells = [
        (
            index,
            cases,
            repetitions // 4 if cases >= 500 and BOOTSTRAP in scenario.methods else repetitions,
            options.seed,
            options.replicates,
        )
        for index, scenario in enumerate(scenarios(options.replicates))
        if options.only in scenario.name
        for cases in sizes
    ]
    names = [scenario.name for scenario in scenarios(options.replicates)]
    print("| scenario | method | cases | coverage % | mean width | no interval % | |\n|---|---|---|---|---|---|---|")
    failures = 0
    with ProcessPoolExecutor(options.workers) as pool:
        for cell, rows in zip(cells, pool.map(measure, cells), strict=True):
            for name, coverage, width, none, missed in rows:
                failures += missed
                row = f"| {names[cell[0]]} | {name} | {cell[1]} | {100 * coverage:.1f} | {width:.3f} | {100 * none:.1f}"
                print(f"{row} | {'UNDER TARGET' if missed else ''} |", flush=True)
    print(f"\n{failures} cells under {TARGET:.0%} from {TARGET_CASES} cases on", file=sys.stderr)
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
