"""From queries to Med-2E3's words, and how much each slice counted for them."""

from __future__ import annotations

from collections.abc import Sequence

from m3dbench.adapter import Query
from m3dbench.adapters.generation import UNFINISHED, Generation, question
from m3dbench.adapters.med_2e3.prompts import REPORT, PromptTokens
from m3dbench.adapters.med_2e3.running import Asked, Runner
from m3dbench.data.prediction import Prediction

CUT = "prompt longer than the model reads, cut at its end"
RESIZED = "volume resized to the model's grid"


def predictions(
    queries: Sequence[Query], runner: Runner, tokens: PromptTokens, generation: Generation, *, verbatim: bool
) -> list[Prediction]:
    """One prediction a query. verbatim: requests as they are worded, instead of as the model was trained.

    Raises ValueError for a volume with values outside 0..1.
    """
    requests = [query.request for query in queries]
    texts = [(one.wording if verbatim else question(one, REPORT)).strip() for one in requests]
    asked = [Asked(query.volume(), text, tokens.ids(text)) for query, text in zip(queries, texts, strict=True)]
    told = []
    answers = runner.answer(asked, generation.max_new_tokens, tokens.end)
    for query, one, answer in zip(queries, asked, answers, strict=True):
        notes = {
            CUT: answer.cut,
            UNFINISHED: len(answer.ids) == generation.max_new_tokens,
            RESIZED: query.grid() != runner.grid,
        }
        told.append(
            Prediction(
                query.id,
                text=tokens.text(answer.ids),
                wording=one.question,
                prompt_ids=tuple(one.ids),
                notes=tuple(note for note, applies in notes.items() if applies),
                slices=answer.slices,
            )
        )
    return told
