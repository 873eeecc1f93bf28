"""Versioned linguistic tables that METEOR reads, shipped so that scoring needs no download. See README.md here."""

from __future__ import annotations

import json
import lzma
from importlib.resources import files
from typing import Any

WORDNET_VERSION = "3.0"
PUNKT_VERSION = "punkt_tab-english"
LEMMAS = f"wordnet-{WORDNET_VERSION}-lemmas.txt.xz"
EXCEPTIONS = f"wordnet-{WORDNET_VERSION}-exceptions.txt.xz"
PUNKT = f"{PUNKT_VERSION}.json.xz"


def lines(name: str) -> list[str]:
    """Lines of one of the compressed text tables above."""
    return lzma.decompress((files(__name__) / name).read_bytes()).decode("utf-8").split("\n")


def punkt_tables() -> dict[str, Any]:
    """The Punkt model: lists ``abbrev_types``, ``collocations``, ``sent_starters``, and flags in ``ortho_context``."""
    tables: dict[str, Any] = json.loads(lzma.decompress((files(__name__) / PUNKT).read_bytes()))
    return tables
