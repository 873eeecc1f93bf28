"""Tokenizers of checkpoint folders: never from the network, never with code of the folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def local_tokenizer(folder: Path) -> Any:
    """The tokenizer that transformers makes of a folder's files; quiet about model types that it does not know."""
    from transformers import AutoTokenizer
    from transformers.utils import logging

    settings: Any = logging
    verbosity = settings.get_verbosity()
    settings.set_verbosity_error()
    try:
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    finally:
        settings.set_verbosity(verbosity)
