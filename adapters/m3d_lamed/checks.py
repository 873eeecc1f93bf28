"""What M3D-LaMed has to show before its first answer; the loading and the prompts' layout were checked before."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from m3dbench.adapters.checkpoints.selfcheck import SelfCheck, body_volume, images, libraries, repeats, sees
from m3dbench.adapters.m3d_lamed.running import Runner
from m3dbench.adapters.m3d_lamed.tokens import GOLDEN, PromptTokens

LIBRARIES = {"torch": "2.4", "transformers": "4.45"}
STEPS = 24


def checks(runner: Runner, tokens: PromptTokens) -> Iterator[SelfCheck]:
    """The start-up checks, cheapest first."""
    model = runner.model
    shape = (1, *runner.grid)
    body = body_volume(shape)
    yield libraries(LIBRARIES)
    told = f"{len(tokens.golden)} ids, the words {tokens.golden[1 + tokens.image_tokens :]}"
    yield SelfCheck("golden prompt", True, told)
    yield images(torch.from_numpy(body)[None], shape)
    yield sees(lambda image: runner.features.of(image[0].float().cpu().numpy()), shape, next(model.parameters()))
    yield repeats(lambda: runner.answer([body], [tokens.golden], STEPS, masks=False))


def segments(runner: Runner, tokens: PromptTokens) -> SelfCheck:
    """A trained sentence on a made body: the mask's values are finite where ``[SEG]`` is said. Whether it is said is
    written down and not insisted on, since the body is no patient."""
    said = runner.answer([body_volume((1, *runner.grid))], [tokens.golden], STEPS, masks=True)[0]
    if said.mask is None:
        return SelfCheck("mask", True, f"no [SEG] after {GOLDEN.strip()!r} on a made body")
    finite = bool(torch.from_numpy(said.mask).isfinite().all())
    return SelfCheck("mask", finite, "[SEG] said, values finite" if finite else "values that are not finite")
