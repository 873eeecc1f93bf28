"""A headless Chromium for tests that look at pages: Debian's or the system's, driven by Playwright, without network."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

# WebGL2 without a GPU needs the software renderer; names other than loopback do not resolve, so nothing leaves.
ARGUMENTS = (
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)
DESKTOP = (1280, 800)
PHONE = (390, 844)
TIMEOUT_MS = 120_000


def chromium() -> str | None:
    """The path of an installed Chromium, None where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((path for name in names if (path := shutil.which(name))), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser a test module: Playwright's event loop must be gone before other modules run loops of their own."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = chromium()
    if path is None:
        pytest.skip("no Chromium is installed")
    with api.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=path, args=list(ARGUMENTS), timeout=TIMEOUT_MS)
        yield running
        running.close()


def open_page(
    browser: Browser,
    size: tuple[int, int] = DESKTOP,
    scheme: Literal["light", "dark"] = "light",
    timeout_ms: int = TIMEOUT_MS,
) -> Page:
    """A page of its own context (close with ``page.context.close()``); ``page_errors`` reads what went wrong in it."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, reduced_motion="reduce"
    )
    context.set_default_timeout(timeout_ms)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda told: errors.append(told.text) if told.type == "error" else None)
    page.__dict__["m3d_errors"] = errors
    return page


def page_errors(page: Page) -> list[str]:
    """Uncaught errors and console errors (a refused script among them) since the page was opened."""
    found: list[str] = page.__dict__["m3d_errors"]
    return found


def screenshot(page: Page, path: Path, *, full: bool = False) -> Path:
    """The page as a PNG; ``full``: all of it, not only what the window shows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=path, full_page=full, animations="disabled")
    return path
