"""Style sheets and scripts: each under a name with its hash, so that browsers keep it for ever."""

from __future__ import annotations

import hashlib
import mimetypes
from dataclasses import dataclass
from importlib.resources import files

from aiohttp import web

FOREVER = "public, max-age=31536000, immutable"
HASH_DIGITS = 16

routes = web.RouteTableDef()


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, under the name by which browsers know it."""

    path: str
    """Below the root: `static/style.0123456789abcdef.css`."""
    content: bytes
    content_type: str


def _read_all() -> dict[str, Asset]:
    folder = files("watcher.web") / "static"
    return {file.name: _named(file.name, file.read_bytes()) for file in folder.iterdir()}


def _named(name: str, content: bytes) -> Asset:
    stem, _, ending = name.rpartition(".")
    digest = hashlib.sha256(content).hexdigest()[:HASH_DIGITS]
    content_type = mimetypes.types_map[f".{ending}"]
    return Asset(f"static/{stem}.{digest}.{ending}", content, content_type)


ASSETS = _read_all()
"""By the name of the file."""
_BY_PATH = {asset.path: asset for asset in ASSETS.values()}


@routes.get("/static/{name}")
async def send(request: web.Request) -> web.Response:
    """One of them; never another content under the same name."""
    asset = _BY_PATH.get(f"static/{request.match_info['name']}")
    if asset is None:
        raise web.HTTPNotFound
    headers = {"Cache-Control": FOREVER, "X-Content-Type-Options": "nosniff"}
    return web.Response(
        body=asset.content, content_type=asset.content_type, charset="utf-8", headers=headers
    )
