"""Fetching from a hub on loopback: terms, resumption, checksums, and everything that can go wrong on the way."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import stat
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_server import DISABLED, GATED, Hub

from m3dbench.data.fetch.fetching import Fetched, Terms, fetch
from m3dbench.data.fetch.hub import Patience
from m3dbench.data.fetch.sources import SOURCES, find_source
from m3dbench.data.fetch.unpack import unpack
from m3dbench.errors import ExitCode, UserError

pytest.importorskip("huggingface_hub", reason="needs m3dbench[data]")
pytestmark = pytest.mark.enable_socket

TABLE = b"Image Path,Question\n" + b"x" * 50_000
CARD = b"---\nlicense: other\n---\nQuestions.\nThe license is non-commercial.\n"


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


MEMBERS = {"0003/Case_1/image.npy": os.urandom(9000), "0003/0003.json": b"{}"}
FILES = {
    ".gitattributes": b"*.zip lfs",
    "README.md": CARD,
    "M3D_VQA_test.csv": TABLE,
    "0003.zip": zipped(MEMBERS),
}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    # The hub's library waits a second or more of its own between attempts.
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda _: None)
    with Hub(SOURCES["M3D-VQA"].repo, FILES, card={"license": "other"}) as served:
        yield served


def get(hub: Hub, directory: Path, name: str = "M3D-VQA", **options: Any) -> Fetched:
    waits: list[float] = options.pop("waits", [])
    patience = Patience(attempts=3, sleep=waits.append)
    return fetch(find_source(name), directory, **{"accept": True, "endpoint": hub.url, "patience": patience, **options})


def present(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_everything_arrives_and_a_second_call_transfers_nothing(hub: Hub, tmp_path: Path) -> None:
    done = get(hub, tmp_path)

    folder = tmp_path / "M3D-VQA"
    files = present(folder)
    record = json.loads(files.pop("m3dbench-fetch.json"))
    assert files == {"README.md": CARD, "M3D_VQA_test.csv": TABLE, **MEMBERS}
    assert (done.revision, done.files, done.kept, done.unpacked) == (hub.commit, 3, 0, 2)
    assert (record["revision"], record["licence"], record["licence_accepted"]) == (hub.commit, "other", True)
    assert {path: entry["kind"] for path, entry in record["files"].items()} == {
        "0003.zip": "sha256",
        "M3D_VQA_test.csv": "git_sha1",
        "README.md": "git_sha1",
    }
    before = len(hub.asked("*M3D_VQA_test.csv"))
    assert get(hub, tmp_path).kept == 3
    assert len(hub.asked("*M3D_VQA_test.csv")) == before

    (folder / "M3D_VQA_test.csv").write_bytes(TABLE[:-1] + b"y")  # damaged since: same size, another content
    assert get(hub, tmp_path).kept == 2
    assert (folder / "M3D_VQA_test.csv").read_bytes() == TABLE


def test_terms_are_shown_and_have_to_be_accepted(hub: Hub, tmp_path: Path) -> None:
    shown: list[Terms] = []
    with pytest.raises(UserError) as caught:
        get(hub, tmp_path, accept=False, show=shown.append)
    assert (caught.value.field, caught.value.code) == ("--accept-licence", ExitCode.USAGE)
    assert "non-commercial" in shown[0].ours
    assert (shown[0].field, shown[0].file) == ("other", "README.md")
    assert "The license is non-commercial." in shown[0].lines
    assert not list(tmp_path.iterdir())
    hub.files["LICENSE"] = b"Do as agreed.\n"
    with pytest.raises(UserError):
        get(hub, tmp_path, accept=False, show=shown.append)
    assert (shown[1].file, shown[1].lines) == ("LICENSE", ("Do as agreed.",))


def test_a_chosen_part_and_its_archive_stay(hub: Hub, tmp_path: Path) -> None:
    get(hub, tmp_path, include=["*.zip"], keep_archives=True)
    assert {path for path in present(tmp_path / "M3D-VQA") if path.endswith(("zip", "csv"))} == {"0003.zip"}
    with pytest.raises(UserError, match="nothing in") as caught:
        get(hub, tmp_path, include=["9999*"])
    assert "0003.zip" in str(caught.value)


def test_what_was_cut_is_continued_at_its_last_byte(hub: Hub, tmp_path: Path) -> None:
    parts = tmp_path / "M3D-VQA" / ".m3dbench-parts"
    parts.mkdir(parents=True)
    (parts / hub.entry("M3D_VQA_test.csv")["oid"]).write_bytes(TABLE[:20_000])
    get(hub, tmp_path)
    assert [seen.range for seen in hub.asked("*M3D_VQA_test.csv")] == ["bytes=20000-"]
    assert present(tmp_path / "M3D-VQA")["M3D_VQA_test.csv"] == TABLE
    assert not parts.exists()


@pytest.mark.parametrize(
    "fault",
    [
        {"cut": 100},
        {"cut": 0, "times": 2},
        {"status": 500, "times": 2},
        {"status": 503},
        {"status": 429, "headers": {"Retry-After": "0"}},
        {"flip": True},
        {"whole": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["M3D_VQA_test.csv", "0003.zip"])
def test_transient_faults_are_got_over(hub: Hub, tmp_path: Path, path: str, fault: dict[str, Any]) -> None:
    if fault.get("whole"):
        part = tmp_path / "M3D-VQA" / ".m3dbench-parts" / (hub.entry(path).get("lfs") or hub.entry(path))["oid"]
        part.parent.mkdir(parents=True)
        part.write_bytes(hub.files[path][:50])
    hub.fail(f"*/{path}", method="GET", **fault)
    get(hub, tmp_path, keep_archives=True)
    assert present(tmp_path / "M3D-VQA")[path] == hub.files[path]
    assert not hub.faults[0].times


def test_the_hubs_wish_to_wait_is_followed(hub: Hub, tmp_path: Path) -> None:
    waits: list[float] = []
    hub.fail("/api/*", status=429, headers={"Retry-After": "17"})
    hub.fail("/api/*", status=502)
    get(hub, tmp_path, waits=waits)
    assert waits == [17.0, 2.0]


@pytest.mark.parametrize(
    ("path", "fault", "told", "fix"),
    [
        ("/api/*", {"status": 403, "headers": {"X-Error-Message": DISABLED}}, "disabled on the hub", ""),
        ("/api/*", {"status": 403, "headers": {"X-Error-Message": "no"}}, "refuses access", "HF_TOKEN"),
        (
            "/api/*",
            {"status": 403, "headers": {"X-Error-Code": "GatedRepo", "X-Error-Message": GATED}},
            "terms",
            "HF_TOKEN",
        ),
        ("/api/*", {"status": 404, "headers": {"X-Error-Code": "RepoNotFound"}}, "does not show", "HF_ENDPOINT"),
        ("/api/*", {"status": 429, "headers": {"Retry-After": "1"}}, "asks for a pause", "same command"),
        ("/api/*", {"status": 503}, "in trouble", "same command"),
        ("/api/*", {"cut": 10}, "connection", "network"),
        ("*/M3D_VQA_test.csv", {"status": 404, "headers": {"X-Error-Code": "EntryNotFound"}}, "404", "--revision"),
        ("*/M3D_VQA_test.csv", {"status": 403}, "refuses access", "HF_TOKEN"),
        ("*/M3D_VQA_test.csv", {"status": 500}, "in trouble", "same command"),
        ("*/M3D_VQA_test.csv", {"cut": 0}, "connection", "network"),
        ("*/M3D_VQA_test.csv", {"flip": True}, "another checksum", "HF_ENDPOINT"),
    ],
)
def test_lasting_faults_are_told(
    hub: Hub, tmp_path: Path, path: str, fault: dict[str, Any], told: str, fix: str
) -> None:
    hub.fail(path, times=-1, method="GET", **fault)
    with pytest.raises(UserError, match=told) as caught:
        get(hub, tmp_path)
    assert fix in (caught.value.fix or "")
    assert caught.value.record
    assert "M3D_VQA_test.csv" not in {path.name for path in tmp_path.rglob("*")}


def test_the_disabled_reports_say_what_still_works(tmp_path: Path) -> None:
    with Hub(SOURCES["M3D-Cap"].repo, {}) as hub:
        hub.fail(times=-1, status=403, headers={"X-Error-Message": DISABLED})
        with pytest.raises(UserError, match="M3D-Cap is disabled") as caught:
            get(hub, tmp_path, "m3d-cap", accept=False)
    assert all(word in str(caught.value.fix) for word in ("m3dbench score", "prepare cap", "M3D-VQA", "convert --list"))


def test_a_revision_that_is_not_there_and_one_that_moved(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no revision v9"):
        get(hub, tmp_path, revision="v9")
    get(hub, tmp_path, revision=hub.commit)
    before, hub.commit = hub.commit, "f" * 40
    with pytest.raises(UserError, match="the hub gives f") as caught:
        get(hub, tmp_path)
    assert f"--revision {before}" in str(caught.value.fix)


def test_room_is_checked_before_anything_is_written(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="needs at least"):
        get(hub, tmp_path, free=lambda _: 60_000)
    assert not hub.asked("*M3D_VQA_test.csv")
    get(hub, tmp_path, free=lambda _: 90_000)


def test_the_token_is_sent_to_the_hub_and_written_nowhere(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.token = "hf_secretsecret"
    with pytest.raises(UserError, match="does not show"):
        get(hub, tmp_path)
    monkeypatch.setenv("HF_TOKEN", hub.token)
    get(hub, tmp_path)
    assert all(hub.token.encode() not in content for content in present(tmp_path).values())


def test_a_full_disk_and_an_endpoint_that_is_no_hub(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:

        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        broken.setattr("m3dbench.data.fetch.hub.Repository.read", full)
        waits: list[float] = []
        with pytest.raises(UserError, match="No space left"):
            get(hub, tmp_path, waits=waits)
        assert not waits
    monkeypatch.setattr(hub, "about", lambda _: ["a page of something else"])
    with pytest.raises(UserError, match="does not answer as a hub"):
        get(hub, tmp_path)


def test_a_repository_cannot_write_outside(hub: Hub, tmp_path: Path) -> None:
    hub.files["../up.csv"] = b"x"
    with pytest.raises(UserError, match="outside"):
        get(hub, tmp_path)


def link() -> bytes:
    entry = zipfile.ZipInfo("link")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("good.txt", "good")
        archive.writestr(entry, "/etc/passwd")
    return buffer.getvalue()


def bomb() -> bytes:
    content = bytearray(zipped({"good.txt": b"good", "bomb": bytes(5_000_000)}))
    place = content.rindex(b"PK\x01\x02") + 24
    content[place : place + 4] = (3_000_000_000).to_bytes(4, "little")
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (zipped({"good.txt": b"good", "../up.txt": b"bad"}), "leads out"),
        (zipped({"good.txt": b"good", "/up.txt": b"bad"}), "leads out"),
        (zipped({"good.txt": b"good", "a\\..\\up.txt": b"bad"}), "leads out"),
        (link(), "symbolic link"),
        (bomb(), "claims"),
        (FILES["0003.zip"][:5000], "damaged"),
        (b"no archive", "damaged"),
        (zipped({"good.txt": b"good" * 900}).replace(b"good.txt", b"GOOD.txt", 1), "damaged"),
    ],
)
def test_archives_that_are_not_to_be_trusted(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(UserError, match=told) as caught:
        unpack(tmp_path / "a.zip", tmp_path / "out")
    assert str(caught.value.file).endswith("a.zip")
    assert not list((tmp_path / "out").rglob("*.txt"))
    assert not list(tmp_path.glob("up.txt"))


def test_unpacking_goes_on_where_it_stopped_and_mends(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(FILES["0003.zip"])
    target = tmp_path / "out" / "0003" / "Case_1" / "image.npy"
    target.parent.mkdir(parents=True)
    target.write_bytes(bytes(9000))  # the right size, another content
    assert unpack(tmp_path / "a.zip", tmp_path / "out") == (2, 9002)
    written = target.stat().st_mtime_ns
    unpack(tmp_path / "a.zip", tmp_path / "out")
    assert present(tmp_path / "out") == MEMBERS
    assert target.stat().st_mtime_ns == written
    with pytest.raises(UserError, match="unpacking needs"):
        unpack(tmp_path / "a.zip", tmp_path / "elsewhere", free=lambda _: 10)
    (tmp_path / "loose").mkdir()
    (tmp_path / "loose" / "0003").symlink_to(tmp_path)
    with pytest.raises(UserError, match="link"):
        unpack(tmp_path / "a.zip", tmp_path / "loose")


def size_of(path: Path) -> int:
    """0 for a file that has got its final name since it was listed."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def test_a_killed_fetch_continues(tmp_path: Path, environment: dict[str, str]) -> None:
    files = {"README.md": CARD, "M3D_VQA_train.csv": os.urandom(24_000_000)}
    command = [str(Path(sys.executable).with_name("m3dbench")), "data", "fetch", "M3D-VQA", str(tmp_path / "d")]
    part = tmp_path / "d" / "M3D-VQA" / ".m3dbench-parts"
    with Hub(SOURCES["M3D-VQA"].repo, files) as hub:
        own = {name: value for name, value in environment.items() if name != "PYTHONPATH"} | hub.environment
        hub.fail("*train.csv", method="GET", cut=23_000_000, stall=True)
        with subprocess.Popen([*command, "--accept-licence"], env=own, stdout=subprocess.DEVNULL) as running:
            limit = time.monotonic() + 600
            while not any(size_of(path) > 9_000_000 for path in part.glob("*")):
                assert running.poll() is None
                assert time.monotonic() < limit
                time.sleep(0.02)
            running.send_signal(signal.SIGKILL)
        assert not (tmp_path / "d" / "M3D-VQA" / "M3D_VQA_train.csv").exists()
        done = subprocess.run([*command, "--accept-licence"], env=own, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr
        ranges = [seen.range for seen in hub.asked("*train.csv")]
        refused = subprocess.run(command, env=own, capture_output=True, text=True, timeout=600)
    assert ranges[0] == ""
    assert int(ranges[-1].removeprefix("bytes=").removesuffix("-")) > 9_000_000
    assert (tmp_path / "d" / "M3D-VQA" / "M3D_VQA_train.csv").read_bytes() == files["M3D_VQA_train.csv"]
    assert f"Revision {hub.commit}" in done.stdout
    assert "m3dbench score" in done.stdout
    assert refused.returncode == 2
    assert "--accept-licence" in refused.stderr
