"""The pages as a reader uses them, in a headless Chromium: from files, and served."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from browser import PHONE, TIMEOUT_MS, open_page, page_errors
from PIL import Image

from m3dbench.report.viewer.documents import Viewer
from m3dbench.report.viewer.server import ViewServer
from m3dbench.report.viewer.static import write_pages

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.enable_socket
REC, SEG, VQA = 0, 1, 2


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, run_a: Path, run_b: Path) -> str:
    """The address of both runs' pages as files."""
    return write_pages(Viewer([run_a, run_b]), tmp_path_factory.mktemp("pages") / "out", "both").page.as_uri()


@pytest.fixture(scope="module")
def long_pages(tmp_path_factory: pytest.TempPathFactory, long_run: Path) -> str:
    return write_pages(Viewer([long_run]), tmp_path_factory.mktemp("pages") / "out", "long").page.as_uri()


@pytest.fixture(scope="module")
def served(run_a: Path) -> Iterator[str]:
    with ViewServer(Viewer([run_a]), "first") as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server.url
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Page]:
    """One page for all tests; what goes wrong in any of them fails it."""
    page = open_page(browser)
    yield page
    assert page_errors(page) == []
    page.context.close()


def look(page: Page, url: str, task: int, sample: int) -> None:
    """Open a sample anew and wait until all of it is there."""
    page.goto("about:blank")
    page.goto(f"{url}#/{task}/{sample}")
    page.wait_for_selector(f'#sample[data-ready="{sample}"]')


def told(page: Page) -> str:
    return page.inner_text("#shown")


def wait_told(page: Page, text: str) -> None:
    """Wait until the list says how many samples it shows."""
    page.wait_for_selector(f'#shown:text-is("{text}")')


def eventually(page: Page, holds: Callable[[], bool]) -> None:
    """Wait for what Playwright does not: the effect of a wheel's turn, a line in the console."""
    deadline = time.monotonic() + TIMEOUT_MS / 1000
    while not holds():
        assert time.monotonic() < deadline
        page.wait_for_timeout(20)


def pixels_drawn(page: Page) -> None:
    page.evaluate("() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))")


def pixels(page: Page, plane: str, run: int = 0) -> list[Any]:
    """How often the colours of reference, first and second answer stand in a slice, and a checksum of all of it."""
    code = """([plane, run]) => {
      const canvas = document.querySelector(`canvas.slice[data-plane=${plane}][data-run="${run}"]`);
      const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
      const colours = [[0x2f, 0xd0, 0x7c], [0xff, 0x5c, 0x8a], [0x5a, 0xa9, 0xff]];
      const counts = [0, 0, 0];
      let sum = 0;
      for (let at = 0; at < data.length; at += 4) {
        sum = (sum * 31 + data[at] + data[at + 1] * 3 + data[at + 2] * 7) % 1000003;
        colours.forEach((one, index) => { counts[index] += one.every((level, part) => Math.abs(level - data[at + part]) < 12); });
      }
      return [...counts, sum];
    }"""
    pixels_drawn(page)
    found: list[Any] = page.evaluate(code, [plane, run])
    return found


def test_keys_and_sliders_scroll_the_slices(tab: Page, written: str) -> None:
    look(tab, written, SEG, 0)
    where = "figure:has(canvas[data-plane=axial][data-run='0']) figcaption span"
    before, image = tab.inner_text(where), pixels(tab, "axial")
    tab.keyboard.press("ArrowDown")
    after = pixels(tab, "axial")
    assert tab.inner_text(where) != before
    assert after[3] != image[3]
    tab.keyboard.press("ArrowUp")
    assert pixels(tab, "axial") == image
    tab.locator("input[type=range][aria-label^=coronal]").first.fill("3")
    assert "H = 3" in tab.inner_text("figure:has(canvas[data-plane=coronal][data-run='1'])")
    tab.locator("canvas.slice").first.hover()
    tab.mouse.wheel(0, 100)
    eventually(tab, lambda: pixels(tab, "axial")[3] != image[3])


def test_windows_change_the_grey_values(tab: Page, written: str) -> None:
    look(tab, written, SEG, 0)
    image = pixels(tab, "axial")
    tab.select_option("#window", "liver")
    assert "HU" in tab.inner_text("#window option:checked")
    assert pixels(tab, "axial")[3] != image[3]
    tab.select_option("#window", "auto")
    assert pixels(tab, "axial") == image


def test_masks_and_boxes_lie_over_the_slices_and_can_be_hidden(tab: Page, written: str) -> None:
    look(tab, written, SEG, 0)
    assert pixels(tab, "axial", 0)[0] > 20  # the reference's outline
    tab.locator('[data-overlay="reference-mask"]').uncheck()
    assert pixels(tab, "axial", 0)[0] == 0
    tab.locator('[data-overlay="reference-mask"]').check()
    look(tab, written, REC, 0)
    assert pixels(tab, "axial")[0] > 20
    tab.locator('[data-overlay="reference-box"]').uncheck()
    tab.locator('[data-overlay="reference-mask"]').uncheck()
    assert pixels(tab, "axial")[0] == 0


def test_the_oracles_mask_covers_the_reference_in_its_own_half(tab: Page, written: str) -> None:
    look(tab, written, SEG, 0)
    tab.locator('[data-overlay="reference-mask"]').uncheck()
    first, second = pixels(tab, "axial", 0), pixels(tab, "axial", 1)
    assert second[2] > 20  # the second run's outline in its own colour, and nothing of the first run's
    assert second[1] == 0
    assert first[2] == 0
    assert tab.locator(".run-name").all_inner_texts() == ["A · first", "B · second"]


def test_two_runs_stand_side_by_side(tab: Page, written: str, run_a: Path, run_b: Path) -> None:
    from m3dbench.runs.load import load_run

    look(tab, written, VQA, 1)
    shown = tab.locator("section.answer").all_inner_texts()
    texts = [load_run(run).predictions("vqa_closed")["text"][1] for run in (run_a, run_b)]
    assert [expected in text for expected, text in zip(texts, shown, strict=True)] == [True, True]
    assert (
        tab.locator("section.answer").nth(0).bounding_box()["y"]
        == tab.locator("section.answer").nth(1).bounding_box()["y"]
    )  # type: ignore[index]
    heads = tab.locator("table thead th").all_inner_texts()
    assert heads == ["Metric", "A corrected", "A upstream", "B corrected", "B upstream"]
    tab.click("#more summary")
    tab.select_option("#versus", "fixed")
    piece = Viewer([run_a, run_b]).document(f"{VQA}/list/0")["runs"]
    pairs = zip(piece[0]["values"]["corrected:accuracy"], piece[1]["values"]["corrected:accuracy"], strict=True)
    fixed = f"{sum(a < 0.5 <= b for a, b in pairs)} of "
    eventually(tab, lambda: told(tab).startswith(fixed))
    assert tab.is_visible("#clear")


def test_a_judges_reasons_are_shown(tab: Page, written: str) -> None:
    look(tab, written, VQA, 1)
    judged = tab.inner_text("section.judged")
    assert "some-judge" in judged
    assert "the spleen" in judged
    assert "a cyst <b>in</b> the liver" in judged


def test_an_answer_full_of_markup_does_nothing(tab: Page, written: str, served: str) -> None:
    for url, samples in ((written, (0, 1, 2)), (served + "?view=slices", (0,))):
        for sample in samples:
            look(tab, url, VQA, sample)
            assert tab.evaluate("window.owned") is None
            assert tab.locator("#sample img, #rows img, #sample script, #sample svg, #rows svg").count() == 0
            assert "<script>window.owned = 1</script>" in (tab.text_content("#sample") or "")
            assert "49" not in (tab.text_content("section.answer") or "")


def test_markup_would_not_run_even_as_markup(browser: Browser, written: str, served: str) -> None:
    page = open_page(browser, PHONE)
    for url in (written, served):
        page.goto(url)
        page.wait_for_selector("#rows a")
        page.evaluate("""async () => {
          document.body.insertAdjacentHTML("beforeend", "<img src=x onerror='window.owned = 1'>");
          const failed = new Promise((resolve) => document.body.lastElementChild.addEventListener("error", resolve));
          const script = document.createElement("script");
          script.textContent = "window.owned = 2";
          document.body.append(script);
          await failed;
        }""")
        assert page.evaluate("window.owned") is None
    eventually(page, lambda: any("Content Security Policy" in told for told in page_errors(page)))
    page.context.close()


def test_filters_narrow_a_long_list_that_comes_in_pages(tab: Page, long_pages: str) -> None:
    look(tab, long_pages, 0, 60)
    wait_told(tab, "1,200 samples")
    assert tab.locator("#rows li").count() == 50
    assert tab.inner_text("#page-told") == "page 2 of 24"
    expectations = [
        ("#wrong", "300 of 1,200 samples"),
        ("#protocol", "120 of 1,200 samples"),
        ("#errored", "0 of 1,200 samples"),
    ]
    for box, expected in expectations:
        tab.check(box)
        wait_told(tab, expected)
        tab.uncheck(box)
    tab.click("#more summary")
    tab.select_option("#dimension", "part")
    tab.wait_for_selector("#stratum option[value=odd]", state="attached")
    tab.select_option("#stratum", "odd")
    wait_told(tab, "600 of 1,200 samples")
    tab.click("#clear")
    wait_told(tab, "1,200 samples")
    tab.select_option("#metric", "upstream:bleu1")
    tab.fill("#low", "0.4")
    tab.fill("#high", "0.6")
    wait_told(tab, "120 of 1,200 samples")
    tab.click("#clear")
    tab.fill("#search", "question 1199")
    wait_told(tab, "1 of 1,200 samples")
    tab.click("#rows a")
    tab.wait_for_selector('#sample[data-ready="1199"]')
    assert "answer 1199" in tab.inner_text("section.answer")


def test_n_and_p_follow_the_filtered_list(tab: Page, long_pages: str) -> None:
    look(tab, long_pages, 0, 0)
    tab.check("#wrong")
    wait_told(tab, "300 of 1,200 samples")
    tab.keyboard.press("n")
    tab.wait_for_selector('#sample[data-ready="4"]')
    tab.keyboard.press("p")
    tab.wait_for_selector('#sample[data-ready="0"]')


def test_without_its_data_a_run_still_shows_texts_and_scores(tab: Page, long_pages: str) -> None:
    look(tab, long_pages, 0, 4)
    assert "no longer there" in tab.inner_text("section.viewer")
    assert "no longer there" in tab.inner_text("#task-note")
    assert "answer 4" in tab.inner_text("section.answer")
    assert "bleu1" in tab.inner_text("table")


def drawn_extent(content: bytes) -> tuple[Any, Any]:
    """Bounds (top, left, bottom, right) of the answer's mask as NiiVue fills it, and as its outline is drawn over it."""
    red, green, blue = np.moveaxis(np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int), -1, 0)
    outline = (abs(red - 0xFF) < 12) & (abs(green - 0x5C) < 12) & (abs(blue - 0x8A) < 12)
    filled = (red > green + 25) & (blue > green + 4) & (red < 0xF0)
    bounds = [[*np.argwhere(part).min(0), *np.argwhere(part).max(0)] for part in (filled, outline)]
    return bounds[0], bounds[1]


def test_served_volumes_are_shown_with_niivue(tab: Page, served: str) -> None:
    if not tab.evaluate("Boolean(document.createElement('canvas').getContext('webgl2'))"):
        pytest.skip("this Chromium has no WebGL2")
    look(tab, served + "?view=niivue", SEG, 0)
    assert tab.get_attribute(".view", "data-engine") == "niivue"
    where = tab.inner_text(".where")
    tab.evaluate("""() => {
      const state = m3d.viewer.state();
      const [, height, width] = state.scene.grid;
      const places = [...state.scene.masks[0].voxels.keys()].filter((at) => state.scene.masks[0].voxels[at]);
      const middle = places[Math.floor(places.length / 2)];
      [Math.floor(middle / (height * width)), Math.floor(middle / width) % height, middle % width].forEach((cut, axis) => state.move(axis, cut));
    }""")
    for _ in range(10):
        pixels_drawn(tab)
    assert tab.inner_text(".where") != where
    where = tab.inner_text(".where")
    fill, outline = drawn_extent(tab.locator(".nii").screenshot())
    np.testing.assert_allclose(fill, outline, atol=6)
    tab.keyboard.press("ArrowDown")
    pixels_drawn(tab)
    assert tab.inner_text(".where") != where
    tab.click("[data-engine=slices]")
    tab.wait_for_selector(".view[data-engine=slices] canvas.slice")
    assert tab.locator("canvas.slice").count() == 3


def test_on_a_phone_the_list_and_the_sample_take_turns_and_nothing_is_cut_off(browser: Browser, written: str) -> None:
    page = open_page(browser, PHONE)
    page.goto(written)
    page.wait_for_selector("#rows a")
    assert not page.is_visible("#sample")
    page.locator("#rows a").first.click()
    page.wait_for_selector("#sample[data-ready]")
    assert not page.is_visible("#list")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    page.click(".back")
    page.wait_for_selector("#rows a:visible")
    assert page_errors(page) == []
    page.context.close()


def test_controls_have_names_for_screen_readers(tab: Page, written: str) -> None:
    look(tab, written, SEG, 0)
    nameless = """() => [...document.querySelectorAll("button, input, select, canvas[role=img], a")].filter((one) =>
      !(one.ariaLabel || one.textContent.trim() || (one.labels && one.labels.length))).map((one) => one.outerHTML)"""
    assert tab.evaluate(nameless) == []
    assert "axial slice" in (tab.get_attribute("canvas.slice", "aria-label") or "")
