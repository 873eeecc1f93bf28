"""What Med-2E3 has to show before its first answer; the tensors' names and shapes were checked on loading."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from m3dbench.adapters.checkpoints.selfcheck import SelfCheck, body_volume, images, libraries, repeats, sees
from m3dbench.adapters.med_2e3.prompts import GOLDEN, REPORT, PromptTokens
from m3dbench.adapters.med_2e3.running import Asked, Runner

LIBRARIES = {"torch": "2.4", "transformers": "4.45"}
STEPS = 24


def checks(runner: Runner, tokens: PromptTokens) -> Iterator[SelfCheck]:
    """The start-up checks, cheapest first."""
    shape = (1, *runner.grid)
    body = body_volume(shape)
    yield libraries(LIBRARIES)
    yield SelfCheck("golden prompt", True, f"{len(tokens.golden)} ids, the end token {tokens.end}")
    yield images(torch.from_numpy(body)[None], shape)
    yield sees(runner.vectors, shape, next(runner.model.parameters()))
    yield scores(runner)
    yield repeats(lambda: runner.answer([Asked(body, GOLDEN, tokens.golden)], STEPS, tokens.end))


def scores(runner: Runner) -> SelfCheck:
    """Slices of a made body weigh 1 in all, and not the same for two questions."""
    seen = runner.seen.of(body_volume((1, *runner.grid)))
    first, second = (runner.weights(seen, question) for question in (GOLDEN, REPORT))
    total, gap = float(first.sum()), float((first - second).abs().max())
    told = f"{len(first)} weights, in all {total:.4f}, {float(first.min()):.4f}..{float(first.max()):.4f}"
    passed = abs(total - 1) < 1e-3 and gap > 0 and bool(first.isfinite().all())
    return SelfCheck("slice scores", passed, f"{told}; another question moves them by {gap:.2g}")
