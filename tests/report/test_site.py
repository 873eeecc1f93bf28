"""The site as files: which pages there are, that links lead somewhere, that strangers' text stays text."""

from __future__ import annotations

import importlib.util
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from boards import HOSTILE, made_board

from m3dbench.errors import UserError
from m3dbench.report.leaderboard.board import Measure, Score
from m3dbench.report.site.cells import column
from m3dbench.report.site.names import slugs
from m3dbench.report.site.write import write_site

REPOSITORY = Path(__file__).parent.parent.parent


class Elements(HTMLParser):
    """Every element of a page as (name, attributes), and the text of its JSON block."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.data = ""
        self.inside = False
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self.inside = tag == "script" and dict(attrs).get("type") == "application/json"

    def handle_endtag(self, tag: str) -> None:
        self.inside = False

    def handle_data(self, data: str) -> None:
        self.data += data if self.inside else ""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("hostile")
    write_site(made_board(9, 3, hostile=True, demonstration=True), out)
    return out


def test_there_is_a_page_for_every_ranking_and_submission(hostile: Path) -> None:
    board = made_board(9, 3, hostile=True, demonstration=True)
    assert len(list((hostile / "rankings").iterdir())) == len(board.rankings)
    assert len(list((hostile / "runs").iterdir())) == len(board.submissions)
    assert {"index.html", "method.html", ".nojekyll"} <= {path.name for path in hostile.iterdir()}


def test_every_link_leads_to_a_file_and_an_element(hostile: Path) -> None:
    pages = {path: Elements(path) for path in hostile.rglob("*.html")}
    ids = {path: {attributes.get("id") for _, attributes in page.found} for path, page in pages.items()}
    for path, page in pages.items():
        for _, attributes in page.found:
            for address in (attributes.get("href"), attributes.get("src"), attributes.get("data-plotly")):
                if address is None or address.startswith(("https://", "data:")):
                    continue
                assert "javascript" not in address
                file, _, fragment = unquote(address).partition("#")
                target = (path.parent / file).resolve() if file else path
                assert target.is_file(), f"{path.name}: {address}"
                assert not fragment or fragment in ids[target], f"{path.name}: {address}"


def test_strangers_text_is_text_everywhere(hostile: Path) -> None:
    for path in hostile.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert "<img" not in text
        assert HOSTILE not in text
        page = Elements(path)
        assert not any(name.startswith("on") for _, attributes in page.found for name in attributes)
        assert all(
            "src" in held or held.get("type") == "application/json" for tag, held in page.found if tag == "script"
        )
        if page.data:
            json.loads(page.data)


def test_a_demonstration_says_so_on_every_page_and_a_board_does_not(hostile: Path, tmp_path: Path) -> None:
    assert all("Demonstration." in path.read_text(encoding="utf-8") for path in hostile.rglob("*.html"))
    write_site(made_board(3, 1), tmp_path)
    assert not any("Demonstration." in path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.html"))


def test_the_same_board_gives_the_same_bytes_and_stale_pages_go(tmp_path: Path) -> None:
    first = write_site(made_board(4, 2), tmp_path / "a")
    (tmp_path / "a" / "runs" / "mine.html").write_text("not ours", encoding="utf-8")
    bytes_before = {path.relative_to(tmp_path / "a"): path.read_bytes() for path in first}
    assert {
        p.relative_to(tmp_path / "b"): p.read_bytes() for p in write_site(made_board(4, 2), tmp_path / "b")
    } == bytes_before
    write_site(made_board(2, 1), tmp_path / "a")
    left = {path.name for path in (tmp_path / "a" / "runs").iterdir()}
    assert left == {"lumen-2b-0.html", "voxa-2b-1.html", "mine.html"}
    assert len(list((tmp_path / "a" / "rankings").iterdir())) == 1


def test_an_empty_board_is_a_site_too(tmp_path: Path) -> None:
    write_site(made_board(0, 0), tmp_path)
    assert "0 submissions" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "site").write_text("", encoding="utf-8")
    with pytest.raises(UserError, match="is a file"):
        write_site(made_board(1, 1), tmp_path / "site")


def test_an_entry_without_its_submission_is_refused(tmp_path: Path) -> None:
    board = made_board(3, 1)
    with pytest.raises(UserError, match="belongs to no submission"):
        write_site(board.model_copy(update={"submissions": ()}), tmp_path)


def test_file_names_are_safe_and_differ() -> None:
    names = slugs(["a/b", "a-b", "A-B", "../..", "ü", "", "x" * 300])
    assert names["a-b"] == "a-b"
    assert len(set(names.values())) == len(names)
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9-]{0,90}", name) for name in names.values())


def test_fractions_are_shown_in_per_cent_and_other_units_as_they_are() -> None:
    rate = Measure(metric="a", scoring="corrected", direction="higher", signature="")
    score = Score(value=0.5, low=0.25, high=0.75)
    cell = column(rate, [score]).cell(score)
    assert (cell.text, cell.interval, cell.sort) == ("50.0", "25.0 to 75.0", "0.5")
    millimetres = rate.model_copy(update={"unit": "mm"})
    assert column(millimetres, [Score(value=3.14159)]).cell(Score(value=3.14159)).text == "3.14"
    assert column(millimetres, [Score(value=12345.6)]).cell(Score(value=-2.0)).text == "−2"
    assert column(rate, []).cell(Score(value=None)).text == "–"
    assert column(rate, [score]).difference(score, Score(value=0.4)) == "−10.0"


def test_the_stored_coverage_is_the_table_of_the_documentation() -> None:
    spec = importlib.util.spec_from_file_location("coverage_data", REPOSITORY / "benchmarks" / "coverage_data.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.DATA.read_text(encoding="utf-8") == module.text(
        module.coverage_data(module.TABLE.read_text(encoding="utf-8"))
    )
