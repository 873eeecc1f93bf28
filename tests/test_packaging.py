"""What a user gets: the wheel, the imports, the speed of the help, the arrows between rooms."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
ROOMS = {"bench": "m3dbench", "tasks": "m3dbench.tasks", "adapters": "m3dbench.adapters", "results": "m3dbench.results"}


def sources() -> Iterator[tuple[str, Path]]:
    for folder, package in ROOMS.items():
        for path in sorted((REPOSITORY / folder).rglob("*.py")):
            parts = path.relative_to(REPOSITORY / folder).with_suffix("").parts
            yield ".".join((package, *(part for part in parts if part != "__init__"))), path


def test_the_wheel_holds_every_module_and_data_file(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(tmp_path),
        ".",
    ]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    if done.returncode and "setuptools" in done.stderr:
        pytest.skip("setuptools is not installed here")
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for module, path in sources():
        inside = module.replace(".", "/") + ("/__init__.py" if path.name == "__init__.py" else ".py")
        assert inside in names, inside
    assert "m3dbench/py.typed" in names
    rooms = {"bench": "m3dbench", **{room: f"m3dbench/{room}" for room in ("tasks", "adapters", "results")}}
    for room, inside in rooms.items():
        for path in (REPOSITORY / room).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert f"{inside}/{path.relative_to(REPOSITORY / room).as_posix()}" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def imported(path: Path) -> set[str]:
    """Modules of ours that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return {name for name in found if name.split(".")[0] == "m3dbench"}


FORBIDDEN = {
    "m3dbench.metrics": (
        "m3dbench.data",
        "m3dbench.runs",
        "m3dbench.cli",
        "m3dbench.tasks",
        "m3dbench.adapters",
        "m3dbench.stats",
    ),
    "m3dbench.stats": (
        "m3dbench.data",
        "m3dbench.runs",
        "m3dbench.cli",
        "m3dbench.tasks",
        "m3dbench.adapters",
        "m3dbench.metrics",
    ),
    "m3dbench.data": ("m3dbench.runs", "m3dbench.cli", "m3dbench.tasks", "m3dbench.adapters", "m3dbench.report"),
    "m3dbench.tasks": ("m3dbench.runs", "m3dbench.cli", "m3dbench.adapters", "m3dbench.report"),
    "m3dbench.adapters": ("m3dbench.runs", "m3dbench.cli", "m3dbench.tasks", "m3dbench.report"),
    "m3dbench.chat": ("m3dbench.cli", "m3dbench.tasks", "m3dbench.adapters", "m3dbench.judge", "m3dbench.report"),
    "m3dbench.runs": ("m3dbench.cli", "m3dbench.tasks", "m3dbench.adapters", "m3dbench.upstream"),
    "m3dbench.upstream": ("m3dbench.runs", "m3dbench.cli", "m3dbench.tasks", "m3dbench.adapters"),
}


def test_arrows_between_rooms_point_one_way() -> None:
    wrong = [
        f"{module} imports {name}"
        for module, path in sources()
        for room, others in FORBIDDEN.items()
        if module == room or module.startswith(room + ".")
        for name in imported(path)
        if any(name == other or name.startswith(other + ".") for other in others)
    ]
    assert wrong == []


def test_metrics_and_stats_import_nothing_else_of_ours() -> None:
    for module, path in sources():
        for room in ("m3dbench.metrics", "m3dbench.stats"):
            if module.startswith(room):
                assert {name for name in imported(path) if not name.startswith(room)} <= {"m3dbench"}, module


def loaded_by(statement: str) -> set[str]:
    code = f"import json, sys\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded_by("import m3dbench") & {"numpy", "pandas", "torch", "typer", "rich", "nltk", "scipy"} == set()


def test_the_command_line_starts_without_the_heavy_libraries() -> None:
    heavy = {"numpy", "pandas", "torch", "nltk", "scipy", "transformers", "pydantic"}
    assert loaded_by("import m3dbench.cli.main") & heavy == set()
