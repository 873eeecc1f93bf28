"""The text of a report case, as the reference cuts it from the page it was taken from."""

from __future__ import annotations

HEADINGS = ("study_findings:", "discussion:")
SHORTEST = 5


def prepared_text(raw: str) -> str:
    """Everything after the findings' heading to the end of the file, else after the discussion's, else all of it, on
    one line; the next is taken where fewer than 5 characters other than blanks are left."""
    for heading in HEADINGS:
        _, found, rest = raw.partition(heading)
        kept = (rest if found else raw).replace("\n", " ").strip()
        if len(kept.replace(" ", "")) >= SHORTEST:
            return kept
    return raw.replace("\n", " ").strip()
