"""The documentation is run: every shell line with m3dbench, every Python block, every link, every excerpt."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests_support import write_jsonl

REPOSITORY = Path(__file__).parent.parent
PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.M | re.S)
Command = Callable[..., subprocess.CompletedProcess[str]]


def blocks(page: Path, language: str) -> list[str]:
    return [code for found, code in BLOCK.findall(page.read_text(encoding="utf-8")) if found == language]


def commands(page: Path) -> list[list[str]]:
    lines = [line for code in blocks(page, "sh") for line in code.splitlines()]
    return [shlex.split(line, comments=True) for line in lines if line.startswith("m3dbench ")]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's directory with a file of answers in it."""
    place = tmp_path_factory.mktemp("user")
    rows = [{"id": str(number), "prediction": "left lung", "reference": "the left lung"} for number in range(12)]
    write_jsonl(place / "answers.jsonl", rows)
    return place


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=lambda page: page.name)
def test_every_command_works(page: Path, m3dbench: Command, workplace: Path, request: pytest.FixtureRequest) -> None:
    for arguments in commands(page):
        call = arguments[1:]
        if "path/to/totalsegmentator" in call:
            source = request.getfixturevalue("shared") / "data" / "totalsegmentator"
            scans = workplace / "scans"
            if not scans.exists():
                scans.mkdir()
                shutil.copy(source / "labels.json", scans)
                shutil.copytree(source / "case_b", scans / "case_b")
            call = ["scans" if part == "path/to/totalsegmentator" else part for part in call]
        m3dbench(*call, cwd=workplace)


def test_the_python_of_the_readme_works(m3dbench: Command, workplace: Path) -> None:
    if not (workplace / "runs" / "threshold").exists():
        m3dbench("run", "--model", "threshold", "--task", "rec", "--out", "runs/threshold", cwd=workplace)
    (code,) = blocks(REPOSITORY / "README.md", "python")
    done = subprocess.run([sys.executable, "-c", code], cwd=workplace, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "corrected" in done.stdout


def test_excerpts_of_contributing_are_in_the_plug_in_package() -> None:
    package = REPOSITORY / "tests" / "plugin_package"
    files = [path.read_text(encoding="utf-8") for path in [*package.rglob("*.py"), package / "pyproject.toml"]]
    page = REPOSITORY / "CONTRIBUTING.md"
    for excerpt in blocks(page, "python") + blocks(page, "toml"):
        assert any(excerpt in content for content in files), excerpt


def test_the_readme_names_the_test_command_that_the_gate_calls() -> None:
    assert "bash tests/run.sh" in (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert "exec bash tests/run.sh" in (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
