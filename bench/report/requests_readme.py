"""The README.txt beside exported requests: how to read them, how to answer, how to score the answers."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from m3dbench.data.sample import AnswerKind
from m3dbench.runs.engine import Settings
from m3dbench.task import Task

ANSWERS: dict[AnswerKind, str] = {
    "choice": """\
prediction: text. Best is the letter of one of `choices`, for example "B"; "B. liver" and "The answer is B." are read as
well. A text that names no single option counts as wrong.

{"id": "ID OF THE REQUEST", "prediction": "B"}
""",
    "text": """\
prediction: text, as long as you like.

{"id": "ID OF THE REQUEST", "prediction": "The liver is of normal size."}
""",
    "box": """\
prediction: six numbers [d0, h0, w0, d1, h1, w1], as fractions of the grid along D, H and W, half-open: the voxels i to
j of n along an axis are i/n to (j+1)/n. A text that holds six such numbers in brackets will do. null, or a text that
says so, when what is asked for is not in the volume. For other conventions see --box-convention of `m3dbench score`.

{"id": "ID OF THE REQUEST", "prediction": [0.25, 0.5, 0.5, 0.5, 0.75, 0.625]}
{"id": "ID OF ANOTHER", "prediction": null}
""",
    "mask": """\
prediction: the path of a mask file, relative to the folder of the answers file and inside it. An npz with one array or
an npy, of the volume's grid (D, H, W), bool or 0 and 1. A NIfTI on the same grid is read as well, its axes (W, H, D).
null when what is asked for is not in the volume.

numpy.savez_compressed("masks/000001.npz", mask=mask)
{"id": "ID OF THE REQUEST", "prediction": "masks/000001.npz"}
{"id": "ID OF ANOTHER", "prediction": null}
""",
    "embedding": """\
Instead of lines, one file answers.npz with three arrays: the ids, and the embeddings of volume and text (the text is in
`description`), each (n, dimensions), float. image may be (n, views, dimensions): a volume's most similar view counts.

numpy.savez("answers.npz", id=ids, image=image, text=text)
""",
}

TEXT = """\
{title}: requests to answer

requests.jsonl holds one request a line, in JSON and UTF-8:

id            name of the request, to be given back with the answer
task, answer  the task, and what kind of answer is asked for: {answer}
kind          what is asked: choose, answer, report, name_region, locate, segment
wording       a ready-made sentence; a model that was trained on other wordings may use the fields below instead
question      the question, where there is one
choices       letter -> text of the options, where there are any
target        the name of the structure, where the request names it
description   a description of the structure, where the request describes it
box           [d0, h0, w0, d1, h1, w1], where the request shows a region: fractions of the grid, half-open (a box in
              the wording is written as M3D does, with the last voxel's own index as its maximum)
volume        {volumes}
grid          shape of the volume [D, H, W]
volume_error  only where the volume cannot be read: answer with {{"id": ..., "status": "error", "reason": "..."}}

A volume is read with numpy.load: float, shape (1, D, H, W), D the scroll axis, values in 0 to 1 as the data set keeps
them. Several requests share one volume. There are no references here.

Answers

Write one line a request into a file of your own, for example answers.jsonl; order does not matter.

{format}
Where the model failed or declined, say so, with no prediction; it counts as the worst answer:

{{"id": "ID OF THE REQUEST", "status": "error", "reason": "out of memory"}}
{{"id": "ID OF ANOTHER", "status": "refused", "reason": "the model declined"}}

Scoring, where the data is:

{score}
"""


def readme(task: Task[Any], data: Path, settings: Settings, volumes: str) -> str:
    """The text for one task."""
    where = (
        "path of the file, relative to this folder"
        if volumes == "copy"
        else "absolute path of the file; do not read anything from its name, which may hold the answer"
    )
    asked = [
        *(["--data", str(data.resolve())]),
        *(["--test-set", settings.split] if settings.split != "test" else []),
        *(["--datasets", ",".join(settings.parts)] if settings.parts is not None else []),
        *(["--limit", str(settings.limit)] if settings.limit is not None else []),
        *(["--seed", str(settings.seed)] if settings.seed else []),
        *(["--requests", "upstream", "--templates", "PATH"] if settings.words.requests == "upstream" else []),
        *(["--prompt-variants", str(settings.variants)] if settings.variants > 1 else []),
    ]
    answers = "answers.npz" if task.answer == "embedding" else "answers.jsonl"
    score = ["m3dbench", "score", answers, "--task", task.name, *asked, "--model", "NAME", "--out", "runs/NAME"]
    replay = [
        *("m3dbench", "run", "--model", "replay", "--model-option", f"file={answers}"),
        *("--task", task.name, *asked, "--out", "runs/NAME"),
    ]
    # Embeddings come back through replay alone.
    calls = [replay] if task.answer == "embedding" else [score, replay]
    return TEXT.format(
        title=task.title,
        answer=task.answer,
        volumes=where,
        format=ANSWERS[task.answer],
        score="\n\nor as a run, which also says what guessing gives:\n\n".join(
            f"  {shlex.join(call)}" for call in calls
        ),
    )
