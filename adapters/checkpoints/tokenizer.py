"""Tokenizers: read without code from their folder, and found where a checkpoint has none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from m3dbench.adapters.checkpoints.checkpoint import TOKENIZER_FILES
from m3dbench.adapters.checkpoints.source import local, snapshot_of
from m3dbench.errors import UserError

FILES = (*TOKENIZER_FILES, "merges.txt", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")


def load_tokenizer(folder: Path) -> Any:
    """What transformers makes of the files of a local folder, without code from it. Raises UserError when it cannot."""
    from transformers import AutoTokenizer

    try:
        with quiet():  # it warns of a model type that it need not know
            return AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except Exception as error:  # it raises nothing narrower
        told = " ".join(str(error).split()) or type(error).__name__
        fix = f"the folder needs {' or '.join(TOKENIZER_FILES)}, whole; a config.json beside them is read too"
        raise UserError(f"the tokenizer cannot be read: {told}", file=folder, fix=fix) from error


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


def find_tokenizer(
    given: str, beside: Sequence[Path], hub_id: str, *, option: str, what: str, download: bool = False
) -> Path:
    """The folder of a tokenizer that a checkpoint may come without.

    given: the user's folder or hub id; where it is empty the folders ``beside`` the weights are looked through, then
    the hub's local cache for ``hub_id``, then, with ``download``, the hub. option: what the user sets. what: the
    tokenizer in words. Raises UserError that says all this where it is nowhere.
    """
    folders = beside
    if given and (path := local(given, option)) is not None:
        folders = [path if path.is_dir() else path.parent]
    for folder in folders:
        if _whole(folder):
            return folder
    if given and folders is not beside:
        raise UserError(f"there is no tokenizer: {' or '.join(TOKENIZER_FILES)}", file=folders[0], field=option)
    wanted = given or hub_id
    for name in TOKENIZER_FILES:
        if (found := snapshot_of(wanted, name, "main")) is not None:
            return found
    if download:
        from m3dbench.adapters.checkpoints.download import snapshot

        fetched = snapshot(wanted, "main", lambda names: [name for name in names if name in FILES])
        if _whole(fetched):
            return fetched
        raise UserError(f"{wanted} holds no tokenizer", file=fetched, field=option, fix=f"give it: -o {option}=FOLDER")
    places = ", ".join(map(str, beside))
    raise UserError(
        f"{what} is not on this machine\n  looked in: {places}, and the hub's cache for {wanted}",
        field=option,
        fix=f"add --download to fetch it from {wanted}\n       or -o {option}=FOLDER, where you have it elsewhere",
    )


def _whole(folder: Path) -> bool:
    return any((folder / name).is_file() for name in TOKENIZER_FILES)
