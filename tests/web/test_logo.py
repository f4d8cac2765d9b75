"""The merchant's logo: what is taken for one, how it is served, where payers see it."""

from __future__ import annotations

import pytest
from playwright.async_api import Page

import storage
from tests.api.shop import Shop
from tests.web.browser import faults, open_browser, overflow, shoot, visit
from tests.web.payer import look
from tests.web.png import grey, paint
from watcher import logos
from watcher.refused import BadField, NotFound

PNG = paint(160, 40, b"\x1d\x4e\xd8")
PAINTED_GREEN = 0x4E
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF"
WEBP = b"RIFF\x1a\x00\x00\x00WEBPVP8L"
KINDS = {"image/png": PNG, "image/jpeg": JPEG, "image/webp": WEBP}
NOBODY = "mer_00000000000000000000000000"


async def set_logo(shop: Shop, logo: bytes | None) -> None:
    """Give the shop this logo."""
    async with storage.write(shop.engine) as conn:
        await logos.set_logo(conn, shop.merchant_id, logo)


async def has_logo(shop: Shop) -> bool:
    """Whether the books say that the shop has one, each way they are asked."""
    async with storage.read(shop.engine) as conn:
        [listed] = await storage.merchants.listing(conn)
        assert await storage.merchants.get(conn, shop.merchant_id) == listed
    return listed.has_logo


@pytest.mark.parametrize("content_type", KINDS)
async def test_a_picture_is_served_as_what_it_is(shop: Shop, content_type: str) -> None:
    invoice = await shop.create()
    await set_logo(shop, KINDS[content_type])
    assert await has_logo(shop) is True
    async with shop.http.get(f"/pay/{invoice['id']}/logo") as response:
        assert (response.status, response.content_type) == (200, content_type)
        assert await response.read() == KINDS[content_type]
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        assert response.headers["Cache-Control"] == "private, max-age=300"


async def test_a_picture_that_a_browser_has_is_not_sent_again(shop: Shop) -> None:
    path = f"/pay/{(await shop.create())['id']}/logo"
    await set_logo(shop, PNG)
    async with shop.http.get(path) as response:
        had = {"If-None-Match": response.headers["ETag"]}
    async with shop.http.get(path, headers=had) as response:
        assert (response.status, await response.read()) == (304, b"")
        assert response.headers["ETag"] == had["If-None-Match"]
    await set_logo(shop, JPEG)
    async with shop.http.get(path, headers=had) as response:
        assert (response.status, await response.read()) == (200, JPEG)
        assert response.headers["ETag"] != had["If-None-Match"]


async def test_where_there_is_no_logo_none_is_served_or_shown(shop: Shop) -> None:
    invoice = await shop.create()
    await set_logo(shop, PNG)
    await set_logo(shop, None)
    assert await has_logo(shop) is False
    for id in (invoice["id"], "inv_00000000000000000000000000"):
        async with shop.http.get(f"/pay/{id}/logo") as response:
            assert (response.status, response.headers["Cache-Control"]) == (404, "no-store")
    assert 'class="logo"' not in (await look(shop, invoice)).text


async def test_the_page_shows_it_before_the_name(shop: Shop) -> None:
    invoice = await shop.create()
    await set_logo(shop, PNG)
    page = (await look(shop, invoice)).text
    logo = f'<img class="logo" src="../pay/{invoice["id"]}/logo" width="96" height="48" alt="">'
    assert page.count(logo) == 1
    assert page.index(logo) < page.index("<bdi>Shop</bdi>")


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (b"", "must be a PNG, JPEG or WebP picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "must be a PNG, JPEG or WebP picture"),
        (b"GIF89a", "must be a PNG, JPEG or WebP picture"),
        (PNG[1:], "must be a PNG, JPEG or WebP picture"),
        (b"RIFF\x1a\x00\x00\x00WAVEfmt ", "must be a PNG, JPEG or WebP picture"),
        (PNG.ljust(256 * 1024 + 1), "must have at most 256 KiB"),
    ],
)
async def test_what_is_no_small_picture_is_refused_and_the_former_stays(
    shop: Shop, picture: bytes, said: str
) -> None:
    await set_logo(shop, JPEG)
    with pytest.raises(BadField, match=f"^{said}$") as refused:
        await set_logo(shop, picture)
    assert refused.value.field == "logo"
    invoice = await shop.create()
    async with shop.http.get(f"/pay/{invoice['id']}/logo") as response:
        assert await response.read() == JPEG


async def test_the_largest_picture_is_taken(shop: Shop) -> None:
    await set_logo(shop, PNG.ljust(256 * 1024))
    assert await has_logo(shop) is True


@pytest.mark.parametrize("logo", [PNG, None])
async def test_nobody_has_no_logo(shop: Shop, logo: bytes | None) -> None:
    async with storage.write(shop.engine) as conn:
        with pytest.raises(NotFound, match="there is no such merchant"):
            await logos.set_logo(conn, NOBODY, logo)
    assert await has_logo(shop) is False


SHAPES = {
    "wide": paint(400, 60),
    "square": paint(64, 64, b"\xc2\x41\x0c\xff"),
    "tall": paint(9, 99),
}


@pytest.mark.timeout(180)
@pytest.mark.parametrize("shape", SHAPES)
async def test_every_shape_has_the_same_place_so_nothing_moves(stall: Shop, shape: str) -> None:
    await set_logo(stall, SHAPES[shape])
    url = str(stall.http.make_url(f"/pay/{(await stall.create())['id']}"))
    async with open_browser() as browser:
        for width, theme in ((320, "light"), (320, "dark"), (1280, "light"), (1280, "dark")):
            async with visit(browser, url, width=width, theme=theme) as page:  # type: ignore[arg-type]
                await shoot(page, f"logo-{shape}-{width}-{theme}")
                logo = page.locator(".logo")
                assert await logo.evaluate("image => image.naturalWidth") > 0
                assert await size_of(page) == (96, 48)
                assert await faults(page) == []
                assert await overflow(page) == 0


async def test_it_needs_no_javascript(stall: Shop) -> None:
    await set_logo(stall, PNG)
    url = str(stall.http.make_url(f"/pay/{(await stall.create())['id']}"))
    async with (
        open_browser() as browser,
        visit(browser, url, width=320, java_script_enabled=False) as page,
    ):
        assert await size_of(page) == (96, 48)
        shot = grey(await page.locator(".logo").screenshot())
        assert shot[24, 48] == PAINTED_GREEN


async def size_of(page: Page) -> tuple[float, float]:
    """Of the logo on this page."""
    box = await page.locator(".logo").bounding_box()
    assert box is not None
    return box["width"], box["height"]
