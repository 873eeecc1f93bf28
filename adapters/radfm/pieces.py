"""A language model's tokenizer, text to ids and back, straight from its file and without special tokens.

The settings beside it are not read: in the published folder they name no start, end and unknown token, which current
versions of transformers do not survive.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from m3dbench.errors import UserError, missing_extra

FILES = ("tokenizer.model", "tokenizer.json")
"""The first that is there counts."""


class Pieces(Protocol):
    """A tokenizer. size: how many tokens it has."""

    size: int

    def encode(self, text: str) -> list[int]:
        """Ids of a stretch of text, as if it began a text."""

    def decode(self, ids: list[int]) -> str:
        """The text that ids say."""

    def id_of(self, token: str) -> int | None:
        """A token's id, None where there is no such token."""


def opened(folder: Path) -> Pieces:
    """The tokenizer of a folder. Raises UserError when there is none, or it cannot be read."""
    model, fast = (folder / name for name in FILES)
    if model.is_file():
        return SentencePiece(model)
    if fast.is_file():
        return Fast(fast)
    raise UserError(f"there is no {' or '.join(FILES)}", file=folder, fix="complete the folder")


class SentencePiece:
    """``tokenizer.model``."""

    def __init__(self, path: Path) -> None:
        try:
            from sentencepiece import SentencePieceProcessor
        except ImportError as error:
            raise missing_extra("a sentencepiece tokenizer", "models") from error
        try:
            self._pieces: Any = SentencePieceProcessor(model_file=str(path))
        except (RuntimeError, OSError) as error:
            raise _unreadable(path, error) from error
        self.size = int(self._pieces.vocab_size())

    def encode(self, text: str) -> list[int]:
        found: list[int] = self._pieces.encode(text)
        return found

    def decode(self, ids: list[int]) -> str:
        said: str = self._pieces.decode(ids)
        return said

    def id_of(self, token: str) -> int | None:
        found = int(self._pieces.piece_to_id(token))
        return found if self._pieces.id_to_piece(found) == token else None


class Fast:
    """``tokenizer.json``."""

    def __init__(self, path: Path) -> None:
        from tokenizers import Tokenizer

        try:
            self._tokenizer: Any = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises nothing narrower
            raise _unreadable(path, error) from error
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        images = [token for token in self._tokenizer.get_vocab() if token.startswith(("<image", "</image"))]
        self.size = int(self._tokenizer.get_vocab_size()) - len(images)

    def encode(self, text: str) -> list[int]:
        found: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return found

    def decode(self, ids: list[int]) -> str:
        said: str = self._tokenizer.decode(ids)
        return said

    def id_of(self, token: str) -> int | None:
        found: int | None = self._tokenizer.token_to_id(token)
        return found


def _unreadable(path: Path, error: Exception) -> UserError:
    return UserError(f"the tokenizer cannot be read: {error}", file=path, fix="copy the file again")
