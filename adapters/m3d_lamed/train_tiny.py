"""Train ``m3d-lamed-tiny`` and ``m3d-clip-tiny`` on phantom cases that no data set holds.

    python -m m3dbench.adapters.m3d_lamed.train_tiny --out DIR [--minutes N | --steps N] [--threads N] [--seed N]

Needs the extra ``models``. Interrupted, the same command goes on where it was. With ``--steps`` the same numbers come
out on the same machine; with ``--minutes`` the learning rates follow the clock.
"""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

log = logging.getLogger("m3dbench.train_tiny")
STAGES = ("tower", "masks", "language", "clip", "joint", "export")
_LOOKED_AT = 60


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="train_tiny", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="gets m3d_lamed/ and m3d_clip/")
    parser.add_argument("--work", type=Path, help="drawn cases and unfinished stages (default: OUT/work)")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=float, default=110.0, help="time for all stages (default: 110)")
    length.add_argument("--steps", type=int, help="steps of all stages together, instead of minutes")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=20261121)
    parser.add_argument("--cases", type=int, default=6000, help="volumes drawn to learn from (default: 6000)")
    parser.add_argument("--stage", choices=STAGES, action="append", help="only these (default: all, in order)")
    parser.add_argument("--stage-minutes", type=float, help="time for each stage named by --stage")
    return parser.parse_args(given)


def main(given: Sequence[str] | None = None) -> None:
    """Train and export."""
    arguments = _arguments(given)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    os.environ.setdefault("OMP_NUM_THREADS", str(arguments.threads))
    import torch

    from m3dbench.adapters.m3d_lamed.training.loop import Budget, train
    from m3dbench.adapters.m3d_lamed.training.plan import SHARES, STEPS, Plan
    from m3dbench.adapters.m3d_lamed.training.pool import Pool

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    work = arguments.work or arguments.out / "work"
    work.mkdir(parents=True, exist_ok=True)
    pool = Pool(work / "pool", arguments.seed)
    log.info("drawing %d cases", arguments.cases)
    pool.fill(arguments.cases, arguments.threads)
    plan = Plan(work, pool, arguments.cases)
    for name in arguments.stage or STAGES:
        if name == "export":
            _export(plan, pool, arguments)
            continue
        steps = None if arguments.steps is None else max(1, arguments.steps * STEPS[name] // sum(STEPS.values()))
        minutes = arguments.stage_minutes or arguments.minutes * SHARES[name]
        train(plan.stage(name), Budget(steps, minutes * 60), work, arguments.seed)


def _export(plan: Any, pool: Any, arguments: argparse.Namespace) -> None:
    from m3dbench.adapters.m3d_lamed.training.evaluate import answers, retrieval

    lamed, clip = plan.export(arguments.out)
    held_out = [pool[arguments.cases + number] for number in range(_LOOKED_AT)]
    log.info("on %d drawn cases that were not trained on: %s", _LOOKED_AT, answers(lamed, plan.tokenizers[0], held_out))
    if clip is not None:
        cap = [case for case in held_out if case.preparation == "cap"]
        log.info("retrieval among %d of them: %s", len(cap), retrieval(clip, plan.tokenizers[1], cap))


if __name__ == "__main__":
    main()
