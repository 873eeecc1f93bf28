"""From queries to RadFM's words."""

from __future__ import annotations

from collections.abc import Sequence

from m3dbench.adapter import Query
from m3dbench.adapters.generation import UNFINISHED, Generation, question
from m3dbench.adapters.radfm.running import Runner
from m3dbench.adapters.radfm.tokens import REPORT, PromptTokens
from m3dbench.adapters.radfm.volumes import model_size
from m3dbench.data.prediction import Prediction

RESIZED = "volume resized to the model's size"
CONSTANT = "constant volume, shown as zeros"


def predictions(
    queries: Sequence[Query], runner: Runner, tokens: PromptTokens, generation: Generation, *, verbatim: bool
) -> list[Prediction]:
    """One prediction a query. verbatim: requests as they are worded, instead of as the model was trained.

    Raises ValueError for a prompt that leaves no room for an answer, and for a volume with values that are not finite.
    """
    texts = [query.request.wording if verbatim else question(query.request, REPORT) for query in queries]
    prompts = [tokens.ids((0, text)) for text in texts]
    generation.insist_on_room(prompts, runner.model.config.language.max_position_embeddings)
    volumes = [query.volume() for query in queries]
    answers = runner.answer(volumes, prompts, generation.max_new_tokens)
    told = []
    for query, volume, text, ids, said in zip(queries, volumes, texts, prompts, answers, strict=True):
        depth, *plane = volume.shape[1:]
        notes = {
            UNFINISHED: len(said) == generation.max_new_tokens,
            RESIZED: (*plane, depth) != model_size(depth, runner.size),
            CONSTANT: bool(volume.min() == volume.max()),
        }
        told.append(
            Prediction(
                query.id,
                text=tokens.text(said),
                wording=text,
                prompt_ids=tuple(ids),
                notes=tuple(note for note, applies in notes.items() if applies),
            )
        )
    return told
