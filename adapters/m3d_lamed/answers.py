"""From queries to M3D-LaMed's words, boxes and masks."""

from __future__ import annotations

from collections.abc import Sequence

from m3dbench.adapter import Query
from m3dbench.adapters.generation import UNFINISHED, Generation
from m3dbench.adapters.m3d_lamed.running import Runner
from m3dbench.adapters.m3d_lamed.tokens import PromptTokens
from m3dbench.adapters.m3d_lamed.wording import words
from m3dbench.data.prediction import Prediction
from m3dbench.data.sample import AnswerKind
from m3dbench.metrics.absence import states_absence
from m3dbench.metrics.box_convention import M3D
from m3dbench.metrics.box_text import box_from_text
from m3dbench.metrics.pairs import Box

TRAINED_LENGTH = 512
NO_SEG = "no [SEG]"
LONG = f"prompt longer than the {TRAINED_LENGTH} tokens of training"
RESIZED = "volume resized to the model's grid, and the mask back"


def predictions(
    queries: Sequence[Query],
    kind: AnswerKind,
    runner: Runner,
    tokens: PromptTokens,
    generation: Generation,
    *,
    verbatim: bool,
) -> list[Prediction]:
    """One prediction a query. verbatim: requests as they are worded, instead of as the model was trained.

    Raises ValueError for a prompt that leaves no room for an answer, and for a volume with values outside 0..1.
    """
    texts = [words(query.request, runner.grid, verbatim=verbatim) for query in queries]
    prompts = [tokens.ids(text) for text in texts]
    generation.insist_on_room(prompts, runner.model.config.language.max_position_embeddings)
    volumes = [query.volume() for query in queries]
    answers = runner.answer(volumes, prompts, generation.max_new_tokens, masks=kind == "mask")
    told = []
    for query, text, ids, spoken in zip(queries, texts, prompts, answers, strict=True):
        said = tokens.text(spoken.ids)
        notes = {
            NO_SEG: kind == "mask" and spoken.mask is None,
            LONG: len(ids) > TRAINED_LENGTH,
            UNFINISHED: len(spoken.ids) == generation.max_new_tokens,
            RESIZED: query.grid() != runner.grid,
        }
        told.append(
            Prediction(
                query.id,
                text=said,
                box=_box(said, query, runner) if kind == "box" else None,
                mask=spoken.mask,
                absent=kind == "mask" and spoken.mask is None and states_absence(said),
                wording=text,
                prompt_ids=tuple(ids),
                notes=tuple(note for note, applies in notes.items() if applies),
            )
        )
    return told


def _box(said: str, query: Query, runner: Runner) -> Box | None:
    """The box in the text, whose numbers count the voxels of the model's grid, in the same convention on the sample's.
    None leaves the text to the engine: a refusal, or a box that cannot be read."""
    read = box_from_text(said, convention=M3D, grid=runner.grid)
    return None if read.box is None else M3D.from_canonical(read.box, query.grid())
