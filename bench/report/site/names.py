"""File names of pages, from ids that may hold anything."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

LONGEST = 80


def slugs(ids: Iterable[str]) -> Mapping[str, str]:
    """id -> a name for its file, safe on every file system and different from all others there.

    Names differ in more than case. An id that is no such name itself, or that another one would collide with, ends in
    eight digits of its SHA-256, whatever the others are.
    """
    known = tuple(dict.fromkeys(ids))
    plain = {one: re.sub(r"[^a-z0-9]+", "-", one.lower()).strip("-")[:LONGEST] for one in known}
    return {one: slug if slug and slug == one else f"{slug}-{_digest(one)}".lstrip("-") for one, slug in plain.items()}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
