"""The whole program as `make run` starts it, in a browser: its own nodes pay by a button."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.real.test_sandbox import Sandbox
from tests.web.browser import open_browser, visit

pytestmark = pytest.mark.timeout(180)


async def test_a_button_pays_in_a_sandbox_and_the_payment_arrives_before_ones_eyes(
    tmp_path: Path,
) -> None:
    sandbox = Sandbox(tmp_path / "sandbox")
    try:
        sandbox.start()
        id = sandbox.open_invoice("tron:usdt")
        url = sandbox.invoice(id)["checkout_url"]
        assert url == f"{sandbox.url}/pay/{id}"
        async with open_browser() as browser, visit(browser, url, width=320) as page:
            assert await page.locator("#wallet").count() == 0  # Tron has no standard for it
            await page.fill("#sandbox-amount", "4")
            await page.click("#sandbox-pay")
            await page.wait_for_selector("main[data-phase=partial]")
            assert await page.inner_text("#amount") == "5.99"
            await page.click("#sandbox-pay")
            await page.wait_for_selector("main[data-phase=confirming]")
            await page.wait_for_selector("main[data-phase=paid]")
            link = await page.get_by_text("explorer").first.get_attribute("href")
            assert str(link).startswith(f"{sandbox.url}/sandbox/tron/transaction/")
        assert sandbox.stop() == 0
    finally:
        if sandbox.process is not None and sandbox.process.poll() is None:
            sandbox.process.kill()
            sandbox.process.wait()
