"""Shared fixtures: a small phantom, the shared reference material where it is present, and the command as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is no fault of a test: neither its examples nor their making are timed.
settings.register_profile("m3dbench", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("m3dbench")

os.environ.setdefault("OMP_NUM_THREADS", "1")  # workers and their subprocesses share the cores
os.environ |= {"HF_HUB_ETAG_TIMEOUT": "120", "HF_HUB_DOWNLOAD_TIMEOUT": "120"}  # a busy machine's hub answers late

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "support"))
pytest_plugins = ["browser"]
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing is read from or written to the user's cache."""
    os.environ["M3DBENCH_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small phantom data set: 14 train and 12 test cases. Read only: copy what you break."""
    from m3dbench.data.phantom import make

    return make(tmp_path_factory.mktemp("data") / "phantom", train=14, validation=1, test=12)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The reference material beside the checkout; tests skip where it is absent."""
    places = [os.environ.get("M3DBENCH_SHARED", ""), str(HERE.parent.parent / "shared")]
    for place in places:
        if place and Path(place).is_dir():
            return Path(place)
    pytest.skip("the shared reference material is not here (set M3DBENCH_SHARED)")


@pytest.fixture(scope="session")
def environment(_own_cache: None) -> dict[str, str]:
    """Environment of a subprocess: same cache, no network, plain wide output."""
    return {**os.environ, "PYTHONPATH": str(HERE / "no_network"), "COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}


@pytest.fixture(scope="session")
def beside_torchvision(environment: dict[str, str]) -> Callable[[str, Path], Any]:
    """Runs a driver of tests/support as a process that has open_clip and torchvision as well: (file, folder) -> what it
    says in JSON."""
    library = Path(sys.prefix) / "open_clip"
    if not library.is_dir():
        pytest.skip(f"torchvision is not in {library} (tests/run.sh puts it there)")
    place = f"{environment['PYTHONPATH']}:{HERE / 'support'}:{library}"

    def run(driver: str, folder: Path) -> Any:
        call = [sys.executable, str(HERE / "support" / driver), str(folder)]
        told = {"env": {**environment, "PYTHONPATH": place}, "timeout": 600}
        return json.loads(checked(subprocess.run(call, capture_output=True, text=True, **told), 0).stdout)

    return run


def checked(done: subprocess.CompletedProcess[str], code: int) -> subprocess.CompletedProcess[str]:
    assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.fixture(scope="session")
def m3dbench(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    """The command line as a real process: ``m3dbench("run", "--model", "blind")``. See ``support/fork_server.py``."""
    place = tmp_path_factory.mktemp("outputs")
    server = subprocess.Popen(
        [sys.executable, str(HERE / "support" / "fork_server.py")],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    asked, answered, known = server.stdin, server.stdout, dict(environment)

    def call(*arguments: str | Path, code: int = 0, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        command = [str(part) for part in arguments]
        if environment != known:  # a test has changed it
            program = str(Path(sys.executable).with_name("m3dbench"))
            done = subprocess.run(
                [program, *command], env=environment, capture_output=True, text=True, cwd=cwd, timeout=900
            )
            return checked(done, code)
        out, err = place / "out", place / "err"
        told = {"arguments": command, "cwd": str(cwd or Path.cwd()), "out": str(out), "err": str(err)}
        asked.write(json.dumps(told) + "\n")
        asked.flush()
        status = int(answered.readline())
        return checked(subprocess.CompletedProcess(command, status, out.read_text(), err.read_text()), code)

    yield call
    asked.close()
    server.wait(300)


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """torch computes in one thread: small networks are fastest so."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """The command line in this process, where torch is already loaded: the exit status of ``command("run", ...)``."""
    from m3dbench.cli.main import main

    def call(*arguments: str | Path) -> int:
        monkeypatch.setattr(sys, "argv", ["m3dbench", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0)

    return call


@pytest.fixture(scope="session")
def random_lamed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder laid out as M3D-LaMed's, for the phantom's grid. Read only."""
    from random_checkpoints import make_lamed

    return make_lamed(tmp_path_factory.mktemp("random") / "lamed")


@pytest.fixture(scope="session")
def random_med_2e3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder laid out as Med-2E3's, for the phantom's grid. Read only."""
    from random_checkpoints import make_med_2e3

    return make_med_2e3(tmp_path_factory.mktemp("random") / "med_2e3")


@pytest.fixture(scope="session")
def random_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder laid out as M3D-CLIP's, for the phantom's grid. Read only."""
    from random_checkpoints import make_clip

    return make_clip(tmp_path_factory.mktemp("random") / "clip")


@pytest.fixture(scope="session")
def random_radfm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder laid out as RadFM's. Read only."""
    from random_checkpoints import make_radfm

    return make_radfm(tmp_path_factory.mktemp("random") / "radfm")


@pytest.fixture(scope="session")
def random_segresnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a network of MONAI's and its description. Read only."""
    from made_monai import segresnet, write_described

    return write_described(segresnet(), tmp_path_factory.mktemp("random"))


@pytest.fixture(scope="session")
def random_segvol(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder laid out as SegVol's, for the phantom's grid. Read only."""
    from random_checkpoints import make_segvol

    return make_segvol(tmp_path_factory.mktemp("random") / "segvol")
