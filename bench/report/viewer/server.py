"""The viewer as a local web server: loopback only, read only, under an address that others cannot guess."""

from __future__ import annotations

import json
import secrets
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from m3dbench.errors import UserError
from m3dbench.report.viewer.documents import Viewer
from m3dbench.report.viewer.page import NIIVUE, SERVED_POLICY, asset, niivue, page

LOOPBACK = "127.0.0.1"
_TYPES = {"js": "text/javascript", "css": "text/css", "html": "text/html", "json": "application/json"}


class ViewServer(ThreadingHTTPServer):
    """Serves a viewer at ``url`` until ``shutdown``. port: 0 for a free one.

    Raises UserError when the port is taken. The address holds a random word, so that neither other users of the machine
    nor pages of other sites can read what is served; requests that name another host (DNS rebinding) are refused.
    """

    daemon_threads = True

    def __init__(self, viewer: Viewer, title: str, port: int = 0) -> None:
        self.viewer = viewer
        self.title = title
        self.word = secrets.token_urlsafe(12)
        try:
            super().__init__((LOOPBACK, port), _Handler)
        except OSError as error:
            fix = "choose another --port, or leave it out for a free one"
            raise UserError(f"the port {port} cannot be used: {error.strerror}", field="--port", fix=fix) from error

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing where the browser has gone on before it had all: that is no error of ours."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    @property
    def hosts(self) -> tuple[str, ...]:
        return tuple(f"{name}:{self.server_port}" for name in (LOOPBACK, "localhost"))

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.server_port}/{self.word}/"


class _Handler(BaseHTTPRequestHandler):
    server: ViewServer
    protocol_version = "HTTP/1.1"
    server_version = "m3dbench"
    sys_version = ""
    timeout = 60
    headers_of_all: ClassVar[dict[str, str]] = {
        "Content-Security-Policy": SERVED_POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
    }

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        """Nothing: requests would bury what the terminal says."""

    def _answer(self, *, with_body: bool) -> None:
        if self.headers.get("Host", "").lower() not in self.server.hosts:
            self._send(
                HTTPStatus.MISDIRECTED_REQUEST,
                b"this server answers to its loopback address alone",
                "text/plain",
                with_body,
            )
            return
        _, word, *rest = [*self.path.partition("?")[0].split("/", 2), ""]
        if not secrets.compare_digest(word.encode(), self.server.word.encode()):
            self._send(
                HTTPStatus.NOT_FOUND, b"give the whole address that m3dbench view printed", "text/plain", with_body
            )
            return
        try:
            content, kind = self._content(rest[0])
        except (KeyError, UserError) as error:
            told = str(error) if isinstance(error, UserError) else "there is no such page"
            self._send(HTTPStatus.NOT_FOUND, told.encode(), "text/plain", with_body)
            return
        self._send(HTTPStatus.OK, content, kind, with_body, zipped=rest[0].endswith(NIIVUE))

    def _content(self, path: str) -> tuple[bytes, str]:
        """The content and type of a path below the word. Raises KeyError where there is none."""
        if path in ("", "index.html"):
            return page(self.server.title, "served"), "text/html"
        folder, _, name = path.partition("/")
        if path == f"assets/{NIIVUE}":
            return niivue(), _TYPES["js"]
        if folder == "assets":
            return asset(name), _TYPES[name.rpartition(".")[2]]
        if folder == "data" and name.endswith(".json"):
            return json.dumps(self.server.viewer.document(name.removesuffix(".json"))).encode(), _TYPES["json"]
        if folder == "data" and name.endswith(".nii"):
            return self.server.viewer.nifti(name.removesuffix(".nii")), "application/octet-stream"
        raise KeyError(path)

    def _send(self, status: HTTPStatus, content: bytes, kind: str, with_body: bool, zipped: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind if kind == "application/octet-stream" else f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "max-age=3600" if zipped else "no-store")
        if zipped and status is HTTPStatus.OK:
            self.send_header("Content-Encoding", "gzip")
        for name, value in self.headers_of_all.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(content)
