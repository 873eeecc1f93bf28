"""One writer per run folder: a lock file created whole, by a hard link, so that it works on NFS and Lustre."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from m3dbench.errors import UserError

HEARTBEAT_S = 10.0
DEAD_AFTER_S = 60.0


@contextlib.contextmanager
def hold(folder: Path, *, take_over: bool = False) -> Iterator[None]:
    """Hold the folder's lock for the block.

    A lock whose process is provably dead (same host and boot, no such process) is taken over at once; one of another
    host only with ``take_over`` and only when its heartbeat is older than a minute. Raises UserError otherwise.
    """
    lock = folder / "lock"
    temporary = folder / f"lock.{os.getpid()}.{secrets.token_hex(4)}"
    temporary.write_text(json.dumps(_identity()) + "\n", encoding="utf-8")
    try:
        _acquire(temporary, lock, take_over)
    finally:
        temporary.unlink(missing_ok=True)
    for leftover in folder.glob("lock.*"):
        leftover.unlink(missing_ok=True)
    stop = threading.Event()
    beat = threading.Thread(target=_beat, args=(lock, stop), daemon=True)
    beat.start()
    try:
        yield
    finally:
        stop.set()
        beat.join()
        lock.unlink(missing_ok=True)


def _acquire(temporary: Path, lock: Path, take_over: bool) -> None:
    while True:
        try:
            os.link(temporary, lock)
            return
        except FileExistsError:
            seen = _read(lock)
            if seen is None:  # released between our two calls
                continue
        _refuse_if_alive(lock, seen, take_over)
        grave = lock.with_name(f"lock.{secrets.token_hex(8)}")
        with contextlib.suppress(FileNotFoundError):
            lock.rename(grave)
            if _read(grave) != seen:  # someone else took over first: give the lock back
                with contextlib.suppress(FileExistsError):
                    os.link(grave, lock)
            grave.unlink(missing_ok=True)


def _refuse_if_alive(lock: Path, owner: dict[str, Any], take_over: bool) -> None:
    mine = _identity()
    here = owner.get("host") == mine["host"]
    where = f"process {owner.get('pid')} on {owner.get('host')}"
    if here and owner.get("boot") != mine["boot"]:
        return
    if here and not _alive(int(owner.get("pid", 0)), str(owner.get("start", ""))):
        return
    if here:
        raise UserError(f"the run folder is being written by {where}", file=lock.parent, fix="wait for it, or stop it")
    with contextlib.suppress(FileNotFoundError):
        age = time.time() - lock.stat().st_mtime
        if age < DEAD_AFTER_S:
            raise UserError(
                f"the run folder is being written by {where}, last heard of {age:.0f} s ago",
                file=lock.parent,
                fix=f"wait; after {DEAD_AFTER_S:.0f} s without a sign of life --take-over may claim it",
            )
        if not take_over:
            raise UserError(
                f"the run folder is locked by {where}, silent for {age:.0f} s",
                file=lock.parent,
                fix="if that process is dead, start again with --take-over",
            )


def _identity() -> dict[str, Any]:
    return {"host": socket.gethostname(), "boot": _boot(), "pid": os.getpid(), "start": _start(os.getpid())}


def _boot() -> str:
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text(encoding="ascii").strip() if path.exists() else ""


def _start(pid: int) -> str:
    """Kernel start time of a process, so that a reused pid is not mistaken for its first owner; empty where unknown."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rsplit(")", 1)[-1].split()[19]
    except (OSError, IndexError):
        return ""


def _alive(pid: int, start: str) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    stat = Path(f"/proc/{pid}/stat")
    with contextlib.suppress(OSError, IndexError):
        if stat.read_text(encoding="utf-8", errors="replace").rsplit(")", 1)[-1].split()[0] == "Z":
            return False
    return not start or _start(pid) == start


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _beat(lock: Path, stop: threading.Event) -> None:
    while not stop.wait(HEARTBEAT_S):
        with contextlib.suppress(OSError):
            os.utime(lock)
