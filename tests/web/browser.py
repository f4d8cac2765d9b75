"""A real browser before the pages of a shop, with screenshots to look at and axe to judge them."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

from playwright.async_api import Browser, Page, async_playwright, expect

ROOT = Path(__file__).parents[2]
SHOTS = ROOT / "shots"  # not committed; the newest run's
AXE = (ROOT / "node_modules" / "axe-core" / "axe.min.js").read_text()
FLAGS = ("--no-sandbox", "--disable-dev-shm-usage")  # as root, with a small /dev/shm
WAIT_MILLISECONDS = 20_000
Theme = Literal["light", "dark"]

expect.set_options(timeout=WAIT_MILLISECONDS)


def chromium() -> str:
    """The program; `make test` installs it, or says what to do."""
    found = os.environ.get("CHROMIUM_BIN") or shutil.which("chromium")
    assert found, "the tests of the pages need Chromium, see .ci/browser"
    return found


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    """A browser without a window."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def visit(
    browser: Browser, url: str, *, width: int = 1280, theme: Theme = "light", **options: Any
) -> AsyncIterator[Page]:
    """A visitor of his own; whatever the page complains about in the console is a fault."""
    context = await browser.new_context(
        viewport={"width": width, "height": 800},
        color_scheme=theme,
        locale=options.pop("locale", "en-GB"),
        **options,
    )
    page = await context.new_page()
    page.set_default_timeout(WAIT_MILLISECONDS)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None,
    )
    try:
        await page.goto(url)
        yield page
        assert complaints == []
    finally:
        await context.close()


async def shoot(page: Page, name: str) -> bytes:
    """Keep a picture of the whole page."""
    SHOTS.mkdir(exist_ok=True)
    return await page.screenshot(path=SHOTS / f"{name}.png", full_page=True, animations="disabled")


async def faults(page: Page) -> list[str]:
    """What axe finds serious or critical; it is brought in past the page's own policy."""
    await page.evaluate(AXE)
    found = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{each['id']}: {node['html']}"
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


async def overflow(page: Page) -> int:
    """By how many pixels the page is wider than the window."""
    return int(
        await page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
    )
