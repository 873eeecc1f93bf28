"""The local server: what it gives, and to whom it gives nothing."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from m3dbench.errors import UserError
from m3dbench.report.viewer.documents import Viewer
from m3dbench.report.viewer.server import ViewServer

pytestmark = pytest.mark.enable_socket


@pytest.fixture(scope="module")
def server(run_a: Path) -> Iterator[ViewServer]:
    with ViewServer(Viewer([run_a]), "<b>first</b>") as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def ask(server: ViewServer, path: str, host: str = "", method: str = "GET") -> tuple[int, bytes, dict[str, str]]:
    """Status, body and headers of a path below the address' random word."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=120)
    try:
        connection.request(
            method, f"/{server.word}/{path}", headers={"Host": host or f"127.0.0.1:{server.server_port}"}
        )
        reply = connection.getresponse()
        return reply.status, reply.read(), dict(reply.getheaders())
    finally:
        connection.close()


def test_it_listens_on_loopback_alone(server: ViewServer) -> None:
    assert server.server_address[0] == "127.0.0.1"


def test_the_page_has_a_strict_policy_and_an_escaped_title(server: ViewServer) -> None:
    status, body, headers = ask(server, "")
    assert status == 200
    assert b"&lt;b&gt;first&lt;/b&gt;" in body
    assert b"<b>" not in body
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy


def test_documents_come_as_json_and_volumes_as_nifti(server: ViewServer) -> None:
    assert json.loads(ask(server, "data/overview.json")[1])["runs"][0]["name"] == "first"
    volume = json.loads(ask(server, "data/1/samples/0.json")[1])["samples"][0]["volume"]
    status, body, headers = ask(server, f"data/volume/{volume}.nii")
    assert (status, headers["Content-Type"]) == (200, "application/octet-stream")
    assert body[344:347] == b"n+1"
    assert ask(server, "data/overview.json", method="HEAD")[1] == b""


def test_niivue_comes_as_it_was_published(server: ViewServer) -> None:
    import hashlib

    from m3dbench.report import viewer

    status, body, headers = ask(server, "assets/niivue.umd.js")
    assert (status, headers["Content-Encoding"]) == (200, "gzip")
    told = (Path(viewer.__file__).parent / "vendor" / "README.md").read_text(encoding="utf-8")
    assert hashlib.sha256(gzip.decompress(body)).hexdigest() in told


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:{port}.evil.example"])
def test_a_foreign_host_name_is_refused(server: ViewServer, host: str) -> None:
    status, body, _ = ask(server, "data/overview.json", host.format(port=server.server_port))
    assert status == 421
    assert b"first" not in body


@pytest.mark.parametrize(
    "path",
    [
        "../run.json",
        "%2e%2e/run.json",
        "data/../../run.json",
        "data/%2e%2e/run.json",
        "assets/../page.py",
        "assets//etc/passwd",
        "assets/__init__.py",
        "data/0/list/9.json",
        "data//etc/passwd.nii",
        "data/0/list/0.nii",
        "run.json",
    ],
)
def test_other_paths_lead_nowhere(server: ViewServer, path: str) -> None:
    assert ask(server, path)[0] == 404


def test_without_the_word_of_the_address_nothing_is_told(server: ViewServer) -> None:
    for path in ("/", "/data/overview.json", "/x/data/overview.json"):
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=120)
        connection.request("GET", path)
        reply = connection.getresponse()
        assert reply.status == 404
        assert b"first" not in reply.read()
        connection.close()


@pytest.mark.parametrize("target", ["//[", "/%ff?a=[", "*"])
def test_a_torn_address_is_no_page_and_no_traceback(
    server: ViewServer, target: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as connection:
        connection.sendall(f"GET {target} HTTP/1.0\r\nHost: 127.0.0.1:{server.server_port}\r\n\r\n".encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 404 ")
    assert capfd.readouterr().err == ""


def test_a_browser_that_goes_on_leaves_no_traceback(server: ViewServer, capfd: pytest.CaptureFixture[str]) -> None:
    for error, told in ((ConnectionResetError("gone"), ""), (ValueError("of ours"), "of ours")):
        try:
            raise error
        except (ConnectionResetError, ValueError):
            server.handle_error(None, ("127.0.0.1", 1))
        err = capfd.readouterr().err
        assert told in err
        assert bool(err) == bool(told)


def test_only_reading_is_possible(server: ViewServer) -> None:
    assert ask(server, "data/overview.json", method="POST")[0] == 501


def test_a_taken_port_is_told(server: ViewServer, run_a: Path) -> None:
    with pytest.raises(UserError, match="cannot be used"):
        ViewServer(Viewer([run_a]), "again", server.server_port)


def test_the_command_prints_the_address_and_stops_at_an_interrupt(run_a: Path, environment: dict[str, str]) -> None:
    import signal
    import sys

    command = [str(Path(sys.executable).with_name("m3dbench")), "view", str(run_a)]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        url = process.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:")
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert "Traceback" not in process.stderr.read()
