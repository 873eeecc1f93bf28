"""The tokenizer of a checkpoint's folder, without code from it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def read_tokenizer(folder: Path) -> Any:
    """transformers' tokenizer, from local files alone."""
    from transformers import AutoTokenizer

    with quiet():  # it warns of a model type that it need not know
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)


@contextmanager
def quiet() -> Iterator[None]:
    """transformers says nothing but errors meanwhile, and draws no bars."""
    from transformers.utils import logging

    settings: Any = logging
    verbosity = settings.get_verbosity()
    drawn = settings.is_progress_bar_enabled()
    settings.set_verbosity_error()
    settings.disable_progress_bar()
    try:
        yield
    finally:
        settings.set_verbosity(verbosity)
        if drawn:
            settings.enable_progress_bar()
