"""A small Hugging Face hub on loopback: data sets and models from memory, with faults on demand.

``with Hub("owner/name", {"a.csv": b"..."}) as hub:`` serves the routes that ``huggingface_hub`` calls to look at a
repository and to download from it: ``/api/{datasets,models}/ID[/revision/REV]``, ``.../tree/REV[/FOLDER]``,
``.../paths-info/REV`` and ``[datasets/]ID/resolve/REV/PATH`` (HEAD and GET, ranges). Files that a hub keeps in large
file storage (``large``) answer with a redirect to ``/storage/...`` and carry their SHA-256, the others their git blob
SHA-1. Point ``HF_ENDPOINT`` of a process at ``hub.url``, with ``HF_HUB_DISABLE_XET=1`` (``hub.environment``).

A test that uses it in its own process needs ``@pytest.mark.enable_socket``.
"""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import json
import re
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

DISABLED = "Access to this resource is disabled."
GATED = "Access to this repository is restricted and you are not in the authorized list."


@dataclass
class Fault:
    """What goes wrong, the next ``times`` times that a request fits (-1: always).

    path: pattern of the URL's path. method: GET, HEAD or any. status with headers: answered instead. cut: that many
    bytes of the body are sent, then the connection drops. flip: the body's first byte is wrong. whole: ranges are not
    heeded. stall: after the ``cut`` the connection hangs, until the hub closes, instead of dropping.
    """

    path: str = "*"
    times: int = 1
    method: str = "*"
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    flip: bool = False
    whole: bool = False
    stall: bool = False


@dataclass(frozen=True)
class Seen:
    """A request as the server saw it."""

    method: str
    path: str
    range: str
    authorization: str


class Hub:
    """One repository, served while the ``with`` block lasts.

    kind: ``dataset`` or ``model``. large: paths (patterns) kept in large file storage. card: the README's metadata.
    token: where set, requests without it are answered as for a private repository.
    """

    def __init__(
        self,
        repo: str,
        files: Mapping[str, bytes],
        *,
        kind: str = "dataset",
        large: tuple[str, ...] = ("*.zip", "*.safetensors", "*.bin", "*.npz"),
        card: Mapping[str, Any] | None = None,
        token: str = "",
        commit: str = "",
    ) -> None:
        self.repo = repo
        self.files = dict(files)
        self.kind = kind
        self.large = large
        self.card = dict(card or {})
        self.token = token
        self.commit = commit or hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()
        self.revisions = {"main", self.commit}
        self.faults: list[Fault] = []
        self.seen: list[Seen] = []
        self.lock = threading.Lock()
        self.closing = threading.Event()
        self.server: ThreadingHTTPServer | None = None
        self.handler = _Handler

    def __enter__(self) -> Hub:
        handler = type("Handler", (self.handler,), {"hub": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self.server is not None
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()

    @property
    def url(self) -> str:
        assert self.server is not None
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to take this for the hub."""
        return {
            "HF_ENDPOINT": self.url,
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_OFFLINE": "0",
            "NO_PROXY": "127.0.0.1",
        }

    def fail(self, path: str = "*", **what: Any) -> None:
        """Add a fault."""
        self.faults.append(Fault(path, **what))

    def asked(self, pattern: str, method: str = "GET") -> list[Seen]:
        """The requests so far whose path fits."""
        return [one for one in self.seen if one.method == method and fnmatch.fnmatch(one.path, pattern)]

    def fault(self, method: str, path: str) -> Fault | None:
        with self.lock:
            for one in self.faults:
                if one.times and one.method in ("*", method) and fnmatch.fnmatch(path, one.path):
                    one.times -= 1
                    return one
        return None

    def is_large(self, path: str) -> bool:
        return any(fnmatch.fnmatch(path, pattern) for pattern in self.large)

    def entry(self, path: str) -> dict[str, Any]:
        """A file as the tree lists it."""
        content = self.files[path]
        told: dict[str, Any] = {"type": "file", "path": path, "size": len(content), "oid": blob_id(content)}
        if self.is_large(path):
            told["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
        return told

    def about(self, blobs: bool) -> dict[str, Any]:
        """The repository as the API tells of it."""
        siblings = []
        for path in sorted(self.files):
            entry = self.entry(path)
            one: dict[str, Any] = {"rfilename": path}
            if blobs:
                one |= {"size": entry["size"], "blobId": entry["oid"]}
                if "lfs" in entry:
                    one["lfs"] = {
                        "sha256": entry["lfs"]["oid"],
                        "size": entry["size"],
                        "pointerSize": entry["lfs"]["pointerSize"],
                    }
            siblings.append(one)
        return {
            "_id": "0",
            "id": self.repo,
            "modelId": self.repo,
            "author": self.repo.split("/")[0],
            "sha": self.commit,
            "private": False,
            "gated": False,
            "disabled": False,
            "downloads": 0,
            "likes": 0,
            "tags": [f"license:{self.card['license']}"] if "license" in self.card else [],
            "cardData": self.card,
            "siblings": siblings,
        }


def blob_id(content: bytes) -> str:
    """Git's name of a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._answer()

    do_HEAD = do_GET  # noqa: N815 - http.server calls it so

    def do_POST(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def log_message(self, *_: object) -> None:
        return

    def _answer(self) -> None:
        hub = self.hub
        parts = urlsplit(self.path)
        path, query = unquote(parts.path), parse_qs(parts.query)
        told = self.headers.get("Authorization", "")
        with hub.lock:
            hub.seen.append(Seen(self.command, path, self.headers.get("Range", ""), told))
        fault = hub.fault(self.command, path)
        if fault is not None and fault.status:
            self._send(fault.status, b"", fault.headers)
        elif hub.token and told != f"Bearer {hub.token}" and not path.startswith("/storage/"):
            self._send(401, b"", {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"})
        elif path.startswith("/storage/"):
            self._file(path.removeprefix("/storage/"), fault)
        else:
            self._route(path, query, fault)

    def _route(self, path: str, query: Mapping[str, list[str]], fault: Fault | None) -> None:
        hub = self.hub
        api = f"/api/{hub.kind}s/{hub.repo}"
        web = f"/datasets/{hub.repo}" if hub.kind == "dataset" else f"/{hub.repo}"
        shapes = (
            (f"{re.escape(api)}(?:/revision/(?P<rev>[^/]+))?", self._about),
            (f"{re.escape(api)}/tree/(?P<rev>[^/]+)(?:/(?P<folder>.*))?", self._tree),
            (f"{re.escape(api)}/paths-info/(?P<rev>[^/]+)", self._paths),
            (f"{re.escape(web)}/resolve/(?P<rev>[^/]+)/(?P<path>.+)", self._resolve),
        )
        for shape, answer in shapes:
            found = re.fullmatch(shape, path)
            if found is None:
                continue
            if (found.group("rev") or "main") not in hub.revisions:
                self._send(404, b"", {"X-Error-Code": "RevisionNotFound", "X-Error-Message": "Invalid rev id"})
                return
            answer(found.groupdict(), query, fault)
            return
        self._send(404, b"", {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"})

    def _about(self, _: Mapping[str, str], query: Mapping[str, list[str]], fault: Fault | None) -> None:
        self._json(self.hub.about("blobs" in query), fault)

    def _tree(self, found: Mapping[str, str], query: Mapping[str, list[str]], fault: Fault | None) -> None:
        folder = found.get("folder") or ""
        self._json([self.hub.entry(path) for path in sorted(self.hub.files) if path.startswith(folder)], fault)

    def _paths(self, found: Mapping[str, str], query: Mapping[str, list[str]], fault: Fault | None) -> None:
        body = self.body.decode()
        asked = json.loads(body)["paths"] if body.startswith("{") else parse_qs(body)["paths"]
        self._json([self.hub.entry(path) for path in asked if path in self.hub.files], fault)

    def _resolve(self, found: Mapping[str, str], query: Mapping[str, list[str]], fault: Fault | None) -> None:
        path = found["path"]
        if path not in self.hub.files:
            self._send(404, b"", {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"})
            return
        if not self.hub.is_large(path):
            self._file(path, fault)
            return
        content = self.hub.files[path]
        headers = {
            "X-Linked-Size": str(len(content)),
            "X-Linked-ETag": f'"{hashlib.sha256(content).hexdigest()}"',
            "Location": f"{self.hub.url}/storage/{path}",
        }
        self._send(302, b"", headers)

    def _file(self, path: str, fault: Fault | None) -> None:
        content = self.hub.files[path]
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        headers = {"ETag": f'"{blob_id(content)}"', "Accept-Ranges": "bytes"}
        if wanted is None or (fault is not None and fault.whole):
            self._send(200, content, headers, fault)
            return
        start, stop = int(wanted[1]), int(wanted[2]) + 1 if wanted[2] else len(content)
        if start >= len(content):
            self._send(416, b"", {"Content-Range": f"bytes */{len(content)}"})
            return
        headers["Content-Range"] = f"bytes {start}-{min(stop, len(content)) - 1}/{len(content)}"
        self._send(206, content[start:stop], headers, fault)

    def _json(self, content: Any, fault: Fault | None) -> None:
        self._send(200, json.dumps(content).encode(), {"Content-Type": "application/json"}, fault)

    def _send(self, status: int, body: bytes, headers: Mapping[str, str], fault: Fault | None = None) -> None:
        if fault is not None and fault.flip and body:
            body = bytes([body[0] ^ 0xFF]) + body[1:]
        self.send_response(status)
        for name, value in {"X-Repo-Commit": self.hub.commit, **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault is not None and fault.cut is not None:
            self.wfile.write(body[: fault.cut])
            self.wfile.flush()
            if fault.stall:
                self.hub.closing.wait(60)
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.wfile.write(body)
