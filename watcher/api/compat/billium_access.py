"""Who asks Billium, and where: its header and the merchant in its paths."""

from __future__ import annotations

from aiohttp import web

from storage.keys import Key
from watcher.api.auth import admit, find_key
from watcher.api.compat.serving import check_tenant

BASE = "{api:(/api)?}/v1/merchants/merchant/{merchant}"  # /api/v1 in its pages, /v1 in its SDK


async def authenticate(request: web.Request, scope: str, *, public: bool = False) -> Key:
    """The key in `x-api-key`; the merchant in the path must be its own."""
    found = await find_key(request, request.headers.get("x-api-key", ""))
    key = admit(request, found, scope, public=public)
    check_tenant(key, request.match_info["merchant"])
    return key
