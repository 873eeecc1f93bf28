"""How fast a leaderboard of many rows opens: builds one of drawn numbers and times its pages in headless Chromium.

    python benchmarks/site.py [--submissions 200] [--tasks 8] [--repeat 5]

Prints what the build takes, what the pages weigh, and per page the median milliseconds from navigation until the table
can be used, of a sort, of a filter, and until the first plot is drawn. Needs playwright and a Chromium.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))

from boards import made_board
from browser import ARGUMENTS, chromium
from playwright.sync_api import sync_playwright

from m3dbench.report.site.write import write_site

LOADED = "performance.getEntriesByType('navigation')[0].loadEventEnd"
SORT = """() => { const t = performance.now(); document.querySelector('thead button').click();
  document.body.offsetHeight; return performance.now() - t; }"""
FILTER = """() => { const field = document.querySelector('[name=text]'), t = performance.now(); field.value = 'vox';
  field.dispatchEvent(new Event('input', { bubbles: true }));
  document.body.offsetHeight; return performance.now() - t; }"""


def measured(browser: Any, page: Path) -> dict[str, float]:
    """Milliseconds on a fresh page: ``load``, and where the page has them ``sort``, ``filter``, ``plot``."""
    tab = browser.new_page(viewport={"width": 1280, "height": 800})
    tab.goto(page.as_uri())
    found = {"load": tab.evaluate(LOADED)}
    if tab.locator("form.filters").count():
        found["sort"], found["filter"] = tab.evaluate(SORT), tab.evaluate(FILTER)
    if tab.locator("figure").count():
        start = time.perf_counter()
        tab.locator("figure").first.scroll_into_view_if_needed()
        tab.wait_for_selector("figure[data-drawn]")
        found["plot"] = 1000 * (time.perf_counter() - start)
    tab.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--submissions", type=int, default=200)
    parser.add_argument("--tasks", type=int, default=8)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    board = made_board(options.submissions, options.tasks)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        out = Path(folder)
        start = time.process_time()
        written = write_site(board, out)
        size = sum(path.stat().st_size for path in written) / 1e6
        print(f"build: {time.process_time() - start:.1f} CPU s, {len(written)} files, {size:.1f} MB")
        browser = driver.chromium.launch(executable_path=chromium(), args=list(ARGUMENTS))
        pages = [
            out / "index.html",
            *(sorted((out / kind).iterdir())[0] for kind in ("rankings", "runs")),
            out / "method.html",
        ]
        for page in pages:
            runs = [measured(browser, page) for _ in range(options.repeat)]
            shown = ", ".join(f"{name} {statistics.median(run[name] for run in runs):.0f} ms" for name in runs[0])
            print(f"{page.relative_to(out)}: {page.stat().st_size / 1000:.0f} kB, {shown}")
        browser.close()


if __name__ == "__main__":
    main()
