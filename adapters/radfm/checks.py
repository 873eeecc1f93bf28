"""What RadFM has to show before its first answer; the loading and the prompts' layout were checked before."""

from __future__ import annotations

from collections.abc import Iterator

from m3dbench.adapters.checkpoints.selfcheck import SelfCheck, body_volume, images, libraries, repeats, sees
from m3dbench.adapters.radfm.running import Runner
from m3dbench.adapters.radfm.tokens import PromptTokens
from m3dbench.adapters.radfm.volumes import model_size

LIBRARIES = {"torch": "2.4", "transformers": "4.45"}
STEPS = 24
BODY = (1, 12, 96, 64)
"""Unlike along each axis, and small: any volume is brought to the model's size."""


def checks(runner: Runner, tokens: PromptTokens) -> Iterator[SelfCheck]:
    """The start-up checks, cheapest first."""
    body = body_volume(BODY)
    yield libraries(LIBRARIES)
    told = f"{len(tokens.golden)} ids, the words {tokens.golden[3 + tokens.latents :]}"
    yield SelfCheck("golden prompt", True, told)
    yield images(runner.images(body), (3, *model_size(BODY[1], runner.size)))
    parameter = next(runner.model.parameters())
    yield sees(lambda image: runner.features.of(image[0].float().cpu().numpy()), BODY, parameter)
    yield repeats(lambda: runner.answer([body], [tokens.golden], STEPS))
