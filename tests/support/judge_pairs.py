"""Report pairs whose recall of aspects is known."""

from __future__ import annotations

from typing import Any

SENTENCES = (
    "A nodule of {} mm lies in the left upper lobe",
    "The spleen measures {} mm",
    "No effusion is seen in case {}",
    "The right kidney holds a stone of {} mm",
)


def pairs(count: int) -> list[dict[str, Any]]:
    """Rows of different answers; row n states n % 5 of the 4 sentences, 4 meaning none of them."""
    rows = []
    for number in range(count):
        reference = [sentence.format(number) for sentence in SENTENCES]
        stated = reference[: number % 5] if number % 5 < 4 else [f"The images of case {number} are unremarkable"]
        if number % 5 == 0:
            stated = reference
        rows.append(
            {"id": f"r{number:05}", "prediction": ". ".join(stated) + ".", "reference": ". ".join(reference) + "."}
        )
    return rows


def expected(number: int) -> float:
    """The recall of row ``number`` in percent."""
    return {0: 100.0, 1: 25.0, 2: 50.0, 3: 75.0, 4: 0.0}[number % 5]
