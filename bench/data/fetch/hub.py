"""A data set repository on the hub, through ``huggingface_hub``, with every failure told or waited out."""

from __future__ import annotations

import errno
import importlib
import logging
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO, TypeVar

from m3dbench.data.fetch.sources import Source
from m3dbench.errors import UserError, missing_extra

T = TypeVar("T")
TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
LOCAL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EFBIG})
AGAIN = "run the same command again: what is there is kept"
_PLAIN_HTTP_LIMIT = 50_000_000_000


@dataclass(frozen=True)
class Patience:
    """How often a request is tried and how long is waited between: doubling from ``first`` seconds, at most
    ``longest``, or what the hub asks for. ``note`` is told why and how long."""

    attempts: int = 5
    first: float = 1.0
    longest: float = 120.0
    sleep: Callable[[float], None] = time.sleep
    note: Callable[[str], None] = lambda _: None

    def wait(self, attempt: int, asked: float | None, why: UserError) -> None:
        """Wait after the failed attempt number ``attempt`` (from 0)."""
        seconds = min(asked if asked is not None else self.first * 2**attempt, self.longest)
        self.note(f"{why.message}; trying again in {seconds:.0f} s")
        self.sleep(seconds)


@dataclass(frozen=True)
class RemoteFile:
    """A file of a repository. size in bytes; sha256 for files in large storage, else git's SHA-1 of the blob."""

    path: str
    size: int
    sha256: str = ""
    git_sha1: str = ""

    @property
    def checksum(self) -> str:
        return self.sha256 or self.git_sha1


@dataclass(frozen=True)
class Snapshot:
    """One commit of a repository: what it holds, and the licence that it names itself."""

    revision: str
    licence: str
    files: tuple[RemoteFile, ...] = ()


@dataclass
class Repository:
    """A data set repository. HF_ENDPOINT (or ``endpoint``) and HF_TOKEN are honoured as ``huggingface_hub`` does."""

    source: Source
    patience: Patience = field(default_factory=Patience)
    endpoint: str = ""

    def __post_init__(self) -> None:
        _hub()
        from huggingface_hub import constants

        self.endpoint = self.endpoint or str(constants.ENDPOINT)

    @property
    def place(self) -> str:
        """The endpoint without a password that it may hold."""
        return re.sub(r"//[^/@]*@", "//", self.endpoint)

    def snapshot(self, revision: str | None) -> Snapshot:
        """What a revision (branch, tag or commit; None: the default branch) is now."""
        api = _hub().HfApi(endpoint=self.endpoint)

        def ask() -> Any:
            return api.dataset_info(self.source.repo, revision=revision, files_metadata=True, timeout=30.0)

        info = self._patient(ask, f"revision {revision}" if revision else "")
        if info.disabled:
            raise _disabled(self.source)
        files = [_remote(sibling) for sibling in info.siblings or ()]
        card = info.card_data.to_dict() if info.card_data is not None else {}
        licence = card.get("license_name") or card.get("license") or ""
        told = ", ".join(map(str, licence)) if isinstance(licence, list) else str(licence)
        return Snapshot(str(info.sha), told, tuple(sorted(files, key=lambda file: file.path)))

    def read(self, file: RemoteFile, revision: str, stream: BinaryIO, start: int) -> None:
        """Write the bytes of a file from ``start`` on to ``stream``; one attempt, which may end early with an error
        that :meth:`failure` judges."""
        from huggingface_hub.file_download import hf_hub_url, http_get

        url = hf_hub_url(self.source.repo, file.path, repo_type="dataset", revision=revision, endpoint=self.endpoint)
        headers = _utils().build_hf_headers()
        headers["Accept-Encoding"] = "identity"  # ranges and sizes count bytes of the file itself
        # Above its limit http_get refuses a known size; the checksum tells in any case.
        size = file.size if file.size <= _PLAIN_HTTP_LIMIT else None
        http_get(url, stream, resume_size=start, headers=headers, expected_size=size)

    def failure(self, error: Exception, what: str = "") -> tuple[bool, float | None, UserError]:
        """(worth another try, seconds that the hub asks to wait, the error for the user)."""
        response = getattr(error, "response", None)
        status = getattr(response, "status_code", None)
        asked = _seconds(response.headers.get("Retry-After")) if response is not None else None
        told = _told(error, status, self.source, what, self.place)
        lost = status is None and not _lasting(error)
        return status in TRANSIENT or lost, asked, told

    def _patient(self, ask: Callable[[], T], what: str) -> T:
        for attempt in range(self.patience.attempts):
            try:
                with quiet():
                    return ask()
            except failures() as error:
                again, asked, told = self.failure(error, what)
                if not again or attempt + 1 == self.patience.attempts:
                    raise told from error
                self.patience.wait(attempt, asked, told)
            except (ValueError, KeyError, TypeError) as error:
                fix = "check HF_ENDPOINT, and whether a proxy answers in its place"
                raise UserError(f"{self.place} does not answer as a hub", record=self.source.repo, fix=fix) from error
        raise AssertionError  # pragma: no cover


def failures() -> tuple[type[Exception], ...]:
    """What requests to the hub raise: OSError, and the base error of the HTTP library that it uses."""
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    return (OSError, OfflineModeIsEnabled, *(base for base in HfHubHTTPError.__bases__ if issubclass(base, Exception)))


@contextmanager
def quiet() -> Iterator[None]:
    """Without the bars and the log lines of the hub's library: the same is told by ours."""
    utils = _utils()
    level = utils.logging.get_verbosity()
    utils.logging.set_verbosity(logging.CRITICAL)
    utils.disable_progress_bars()
    try:
        yield
    finally:
        utils.logging.set_verbosity(level)


def _hub() -> Any:
    try:
        import huggingface_hub
    except ImportError as error:
        raise missing_extra("Fetching from the hub", "data") from error
    return huggingface_hub


def _utils() -> Any:
    return importlib.import_module("huggingface_hub.utils")


def _remote(sibling: Any) -> RemoteFile:
    if sibling.size is None or not (sibling.lfs or sibling.blob_id):
        raise UserError(
            "the hub tells no size or checksum of a file",
            record=sibling.rfilename,
            fix="check HF_ENDPOINT: is it a hub?",
        )
    sha256 = str(sibling.lfs.sha256) if sibling.lfs else ""
    return RemoteFile(sibling.rfilename, int(sibling.size), sha256, "" if sha256 else str(sibling.blob_id))


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.strip().isdecimal() else None


def _lasting(error: Exception) -> bool:
    """Whether an error without an answer from the hub is none of the connection."""
    from huggingface_hub.errors import OfflineModeIsEnabled

    return isinstance(error, OfflineModeIsEnabled) or getattr(error, "errno", None) in LOCAL


def _disabled(source: Source) -> UserError:
    fix = source.disabled or "ask its keeper; what you have already fetched goes on working"
    return UserError(f"{source.name} is disabled on the hub (403): nobody can download it", record=source.repo, fix=fix)


def _told(error: Exception, status: int | None, source: Source, what: str, endpoint: str) -> UserError:
    from huggingface_hub import errors

    repo = source.repo
    if isinstance(error, errors.DisabledRepoError):
        return _disabled(source)
    if isinstance(error, errors.GatedRepoError):
        fix = f"accept its terms at {endpoint}/datasets/{repo} with your account, then set HF_TOKEN"
        return UserError("the repository asks for its terms to be accepted on the site", record=repo, fix=fix)
    if isinstance(error, errors.RevisionNotFoundError):
        return UserError(f"the hub has no {what or 'such revision'}", record=repo, field="--revision")
    if isinstance(error, errors.RepositoryNotFoundError) or status == 401:
        fix = "check HF_ENDPOINT; a private repository needs HF_TOKEN"
        return UserError("the hub does not show this repository", record=repo, fix=fix)
    if isinstance(error, errors.OfflineModeIsEnabled):
        return UserError("the hub may not be asked: HF_HUB_OFFLINE is set", record=repo, fix="unset HF_HUB_OFFLINE")
    place = what or repo
    if getattr(error, "errno", None) in LOCAL:
        return UserError(f"cannot be written: {error}", record=place, fix=f"make room or choose a directory; {AGAIN}")
    if status == 403:
        return UserError("the hub refuses access (403)", record=place, fix="check that HF_TOKEN has the right to read")
    if status == 404:
        return UserError("the hub does not have this file (404)", record=place, fix="give another --revision")
    if status == 429:
        return UserError("the hub asks for a pause (429: too many requests)", record=place, fix=f"later, {AGAIN}")
    if status is not None and status >= 500:
        return UserError(f"the hub is in trouble ({status})", record=place, fix=f"later, {AGAIN}")
    if status is not None:
        return UserError(f"the hub answered {status}", record=place, fix="check HF_ENDPOINT")
    detail = " ".join(str(error).split()) or type(error).__name__
    return UserError(f"the connection to {endpoint} failed: {detail}", record=place, fix=f"check the network; {AGAIN}")
