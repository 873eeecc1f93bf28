"""How requests are put to RadFM: no template, one fixed sentence for reports, questions as they are."""

from __future__ import annotations

from m3dbench.data.sample import Request, lettered

REPORT = "Please caption this scan with finding and impression."
"""One of the sentences that its reports were trained with."""


def question(request: Request) -> str:
    """The text that follows a scan. Raises ValueError for a kind that the model cannot do."""
    match request.kind:
        case "report":
            return REPORT
        case "answer":
            return request.question
        case "choose":
            return f"{request.question} Choices: {lettered(request.choices)}"
    raise ValueError(f"RadFM cannot do requests of kind {request.kind!r}")
