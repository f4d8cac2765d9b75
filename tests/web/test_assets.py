"""Style sheets and scripts: kept for ever under a name that their content decides."""

from __future__ import annotations

import hashlib

import pytest

from tests.api.shop import Shop
from watcher.web.assets import ASSETS


@pytest.mark.parametrize("name", ASSETS)
async def test_an_asset_is_kept_for_ever_under_its_hash(shop: Shop, name: str) -> None:
    asset = ASSETS[name]
    assert hashlib.sha256(asset.content).hexdigest()[:16] in asset.path
    async with shop.http.get(f"/{asset.path}") as answer:
        assert (answer.status, await answer.read()) == (200, asset.content)
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.content_type == asset.content_type


@pytest.mark.parametrize("name", ["style.css", "style.0000000000000000.css", "..%2fassets.py"])
async def test_another_name_is_not_there(shop: Shop, name: str) -> None:
    async with shop.http.get(f"/static/{name}") as answer:
        assert answer.status == 404


def test_no_asset_names_another_host() -> None:
    for name, asset in ASSETS.items():
        text = asset.content.decode().replace("http://www.w3.org/2000/svg", "")
        assert "//" not in text.replace("// ", ""), name
