"""Replies kept by the digest of their request: in a run's own log, in a directory that runs share, or in memory."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from m3dbench.chat.messages import ChatReply, Usage
from m3dbench.errors import DataError, UserError


class Store(Protocol):
    """``put`` is called from the client's own thread, ``get`` from the caller's; only ``ok`` and ``refused`` are kept,
    since a failure may be mended."""

    def get(self, digest: str) -> ChatReply | None: ...

    def put(self, digest: str, reply: ChatReply) -> None: ...

    def lost(self, used: Usage) -> None:
        """Tokens that may have been charged for an answer that never came whole; kept where a budget is kept."""


class Memory:
    """Replies of this process."""

    def __init__(self) -> None:
        self._replies: dict[str, ChatReply] = {}

    def get(self, digest: str) -> ChatReply | None:
        return self._replies.get(digest)

    def put(self, digest: str, reply: ChatReply) -> None:
        self._replies[digest] = reply

    def lost(self, used: Usage) -> None:
        pass


class Log:
    """An append-only file of JSON lines, one a reply, of one writing process (a run under its lock).

    A line has left this process when ``put`` returns and is synced to disk at least once a second; a torn last line is
    cut when the log is opened. used_before, lost_before: tokens of the replies that were in it then, and of answers
    that were lost.
    """

    def __init__(self, path: Path) -> None:
        from m3dbench.runs.journal import Journal

        self.path = path
        self._places, self.used_before, self.lost_before = _mended(path)
        self._journal = Journal(path)
        self._guard = threading.Lock()

    def get(self, digest: str) -> ChatReply | None:
        with self._guard:
            place = self._places.get(digest)
            if place is None:
                return None
            with self.path.open("rb") as stream:
                stream.seek(place)
                return ChatReply.from_json(json.loads(stream.readline())["reply"])

    def put(self, digest: str, reply: ChatReply) -> None:
        with self._guard:
            place = self.path.stat().st_size
            self._journal.append({"id": digest, "reply": reply.to_json()})
            self._places[digest] = place

    def lost(self, used: Usage) -> None:
        with self._guard:
            self._journal.append({"lost": asdict(used)})


def _mended(path: Path) -> tuple[dict[str, int], Usage, Usage]:
    """Where each reply's line begins, after a torn tail is cut, what they used, and what was lost.

    Raises DataError for a line that is no reply.
    """
    places: dict[str, int] = {}
    used = lost = Usage()
    if not path.exists():
        return places, used, lost
    end = 0
    with path.open("rb") as stream:
        for number, raw in enumerate(stream, 1):
            if not raw.endswith(b"\n"):
                break
            try:
                row = json.loads(raw)
                if "lost" in row:
                    lost += Usage(**row["lost"])
                else:
                    places.setdefault(row["id"], end)
                    used += ChatReply.from_json(row["reply"]).usage
            except (ValueError, KeyError, TypeError) as error:
                raise DataError("is no reply", file=path, record=f"line {number}", fix="delete the file") from error
            end += len(raw)
    if path.stat().st_size != end:
        os.truncate(path, end)
    return places, used, lost


class Shared:
    """A directory that several processes may use at once: one file a reply, put in place whole."""

    def __init__(self, directory: Path) -> None:
        if directory.exists() and not directory.is_dir():
            raise UserError("is a file; a cache needs a directory", file=directory, field="cache")
        self.directory = directory

    def get(self, digest: str) -> ChatReply | None:
        path = self._path(digest)
        try:
            row: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return ChatReply.from_json(row)
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise DataError("is no reply", file=path, fix="delete the file") from error
        except OSError as error:
            raise UserError(f"cannot be read: {error.strerror}", file=path, field="cache") from error

    def put(self, digest: str, reply: ChatReply) -> None:
        path = self._path(digest)
        temporary = path.with_name(f".{path.name}.{uuid4().hex}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(reply.to_json()) + "\n", encoding="utf-8")
            temporary.replace(path)
        except OSError as error:
            raise UserError(f"cannot be written: {error.strerror}", file=self.directory, field="cache") from error

    def lost(self, used: Usage) -> None:
        pass

    def _path(self, digest: str) -> Path:
        return self.directory / digest[:2] / f"{digest}.json"


class Layers:
    """Several stores as one. What one holds is not copied into the others, so a run's log is what the run paid for."""

    def __init__(self, *stores: Store) -> None:
        self._stores = stores

    def get(self, digest: str) -> ChatReply | None:
        for store in self._stores:
            if (reply := store.get(digest)) is not None:
                return reply
        return None

    def put(self, digest: str, reply: ChatReply) -> None:
        for store in self._stores:
            store.put(digest, reply)

    def lost(self, used: Usage) -> None:
        for store in self._stores:
            store.lost(used)
