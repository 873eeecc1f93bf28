"""The site in a browser, from file://: sorting, filtering, keyboard, themes, phone, plots, and no request to anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from boards import made_board
from browser import PHONE, open_page, page_errors

from m3dbench.report.site.write import write_site

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.enable_socket


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    write_site(made_board(30, 2, hostile=True, demonstration=True), out)
    return out


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page whose errors and requests beyond files fail the test."""
    opened = open_page(browser)
    asked: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    yield opened
    assert page_errors(opened) == []
    assert [url for url in asked if not url.startswith(("file://", "data:"))] == []
    assert opened.evaluate("window.hit") is None
    opened.context.close()


def ranking(site: Path) -> str:
    return next((site / "rankings").glob("vqa-closed*")).as_uri()


def column(page: Page, number: int) -> list[str]:
    cells = f"tbody tr:not([hidden]) > :nth-child({number})"
    return page.locator("table").first.locator(cells).evaluate_all("cells => cells.map(cell => cell.dataset.s)")


def drawn(page: Page, kind: str) -> Any:
    figure = page.locator(f"figure[data-figure={kind}]").first
    figure.scroll_into_view_if_needed()
    page.wait_for_selector(f"figure[data-figure={kind}][data-drawn]")
    return figure


def test_headers_sort_by_click_and_by_keyboard(page: Page, site: Path) -> None:
    page.goto(ranking(site))
    header = page.locator("#ranking thead th").nth(2)
    header.locator("button").click()
    values = [float(text) for text in column(page, 3)]
    assert values == sorted(values, reverse=True)
    assert header.get_attribute("aria-sort") == "descending"
    header.locator("button").focus()
    page.keyboard.press("Enter")
    assert [float(text) for text in column(page, 3)] == sorted(values)
    assert page.locator("#ranking th[aria-sort]").count() == 1


def test_entries_without_a_place_stay_last(page: Page, site: Path) -> None:
    page.goto(ranking(site))
    place = page.locator("#ranking thead button").nth(1)
    for _ in range(2):
        place.click()
        places = column(page, 2)
        assert all(not later for earlier, later in pairwise(places) if not earlier)


def test_filters_narrow_the_rows_and_say_how_many_are_left(page: Page, site: Path) -> None:
    page.goto((site / "index.html").as_uri())
    page.get_by_label("Search").fill("lumen")
    rows = page.locator("#board tbody tr:not([hidden])")
    assert 0 < rows.count() < 30
    assert page.locator("[role=status]").inner_text() == f"{rows.count()} of 30"
    page.get_by_label("Search").fill("")
    page.get_by_label("Role").select_option("baseline")
    assert set(rows.evaluate_all("rows => rows.map(row => row.dataset.role)")) == {"blind"}
    page.get_by_label("Role").select_option("")
    page.get_by_label("Verified only").check()
    page.get_by_label("Uncontaminated only").check()
    assert page.locator("#board tbody tr:not([hidden]) td:is([data-v='0'], [data-k='0'])").count() == 0
    page.locator("[name=ranking]").select_option(index=1)
    assert page.locator("#board thead th:not([hidden])").count() == 2
    assert page.locator("#board tbody tr:not([hidden]) td:not([hidden]):not([data-v])").count() == 0


def test_scorings_are_shown_on_demand(page: Page, site: Path) -> None:
    page.goto(ranking(site))
    upstream = page.locator("#ranking thead th[data-m=upstream]")
    assert upstream.is_hidden()
    page.get_by_label("Measures").select_option("upstream")
    assert upstream.is_visible()


@pytest.mark.parametrize("kind", ["values", "strata", "protocol"])
def test_plots_follow_the_table_and_have_their_numbers_as_text(page: Page, site: Path, kind: str) -> None:
    page.goto(ranking(site))
    page.locator("#ranking tbody th").first.wait_for()
    page.get_by_label("Search").fill("voxa")
    figure = drawn(page, kind)
    figure.locator("summary").click()
    rows = figure.locator("details tbody tr")
    rows.first.wait_for()
    rows.filter(has_not_text="Voxa").first.wait_for(state="detached")  # drawn before the search, drawn anew soon after
    assert all("Voxa" in text for text in rows.all_inner_texts())
    assert figure.locator(".canvas svg").count() > 0


def test_the_strata_of_a_run_and_the_calibration_are_plotted(page: Page, site: Path) -> None:
    page.goto(next((site / "runs").glob("voxa*")).as_uri())
    figure = drawn(page, "run")
    assert "abnormality" in figure.locator(".canvas").inner_text()
    page.goto((site / "method.html").as_uri())
    assert "coverage" in drawn(page, "calibration").locator(".canvas").inner_text()


def test_dark_follows_the_system_and_the_button_changes_it(browser: Browser, site: Path) -> None:
    page = open_page(browser, scheme="dark")
    page.goto((site / "index.html").as_uri())
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.locator("#theme").click()
    assert page.evaluate(ground) != dark
    assert page.locator("#theme").get_attribute("aria-pressed") == "false"
    page.reload()
    assert page.evaluate(ground) != dark
    page.context.close()


def one_of_each(site: Path) -> tuple[str, ...]:
    """The address of a page of each kind."""
    run = next((site / "runs").glob("voxa*"))
    return (site / "index.html").as_uri(), ranking(site), run.as_uri(), (site / "method.html").as_uri()


def test_a_phone_never_scrolls_the_page_sideways(browser: Browser, site: Path) -> None:
    page = open_page(browser, PHONE)
    for address in one_of_each(site):
        page.goto(address)
        if page.locator("figure").count():
            drawn(page, page.locator("figure").first.get_attribute("data-figure") or "")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
        for reason in page.locator("td.reason").all():
            assert (reason.bounding_box() or {})["width"] >= 200, "a reason is read in lines, not in letters"
    page.context.close()


def test_the_first_tab_stop_leads_past_the_header(page: Page, site: Path) -> None:
    page.goto(ranking(site))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#content"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Browser, site: Path, scheme: Any) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    page = open_page(browser, scheme=scheme)
    for address in one_of_each(site):
        page.goto(address)
        found = axe.Axe().run(page).response["violations"]
        told = [(one["id"], one["nodes"][0]["html"], one["nodes"][0]["failureSummary"]) for one in found]
        assert told == [], address
    page.context.close()
