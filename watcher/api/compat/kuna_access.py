"""Who asks KUNA Pay: a plain key, or a request signed by a key's signing secret.

The secret is the private key, the key's id the public one. Signed are path and query as they were
sent, the nonce (milliseconds since the epoch) and the body.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from urllib.parse import urlsplit

from aiohttp import web

import storage
from storage.keys import Key
from watcher.api.auth import admit, find_key
from watcher.api.context import BOX, ENGINE, POLICY
from watcher.clock import now
from watcher.faces.ids import read_id
from watcher.faces.kuna import NAME, signature
from watcher.keys import CannotOpen
from watcher.refused import NotFound

NONCE_SECONDS = 300
ROOT = f"/compat/{NAME}"


async def authenticate(request: web.Request, scope: str) -> Key:
    """The key that may do what `scope` names."""
    if "public-key" in request.headers:
        key = await _signed_by(request)
    else:
        key = await find_key(request, request.headers.get("api-key", ""))
    return admit(request, key, scope)


async def _signed_by(request: web.Request) -> Key | None:
    """The key that signed this request a short while ago; None where that cannot be said."""
    nonce = request.headers.get("nonce", "")
    if not (nonce.isascii() and nonce.isdigit() and len(nonce) <= len("9" * 16)):
        return None
    if abs(now() * 1000 - int(nonce)) > NONCE_SECONDS * 1000:
        return None
    try:
        key_id = read_id("key", request.headers["public-key"])
    except NotFound:
        return None
    async with storage.read(request.app[ENGINE]) as conn:
        key = await storage.keys.get(conn, key_id)
        sealed = await storage.keys.signing_secret(conn, key_id)
    if key is None or sealed is None:
        return None
    try:
        private_key = request.app[BOX].open(sealed)
    except CannotOpen:
        return None
    given = request.headers.get("signature", "").lower().encode(errors="replace")
    body = (await request.read()).rstrip() or b"{}"  # clients send a line's end that they skip
    texts = [f"{path}{nonce}".encode() + body for path in _paths(request)]
    expected = [signature(private_key, each).encode() for each in texts]
    return key if any([hmac.compare_digest(each, given) for each in expected]) else None


def _paths(request: web.Request) -> Iterator[str]:
    """The path as it was sent, or without our prefix, or as a proxy's clients know it."""
    path = request.raw_path
    yield path
    yield path.removeprefix(ROOT)
    yield urlsplit(request.app[POLICY].public_url).path.rstrip("/") + path
