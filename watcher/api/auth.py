"""Who asks: a merchant's key with its scopes, or the operator."""

from __future__ import annotations

import hmac
from ipaddress import ip_address

from aiohttp import web

import storage
from storage import Conn
from storage.keys import Key
from watcher.api.context import ADMIN_TOKEN, ENGINE
from watcher.api.errors import Problem
from watcher.api.limits import count
from watcher.keys import digest

UNKNOWN_KEY = "the API key is missing, unknown or revoked"


async def authorize(request: web.Request, scope: str, *, public: bool = False) -> Key:
    """The key that this request carries, if it may do what `scope` names.

    `public` keys may only do what is marked so. Keys are found by their digest, so how long a wrong
    one takes says nothing about the right ones.
    """
    text = _bearer(request) or request.headers.get("x-api-key", "")
    async with storage.read(request.app[ENGINE]) as conn:
        # A key is ASCII; other bytes arrive as lone surrogates, of which there is no digest.
        key = await storage.keys.find(conn, digest(text)) if text and text.isascii() else None
    count(request, key)
    if key is None:
        raise _unknown()
    if key.kind == "public" and not public:
        raise Problem(403, "a public key may not do this")
    if key.kind == "secret" and scope not in key.scopes:
        raise Problem(403, f"the key lacks the scope {scope}")
    return key


async def still_works(conn: Conn, key: Key) -> None:
    """Refuse a key that was revoked since it was authorized; for requests that wait."""
    if not await storage.keys.works(conn, key.id):
        raise _unknown()


def authorize_admin(request: web.Request) -> None:
    """Let only the operator pass; compared in constant time, and wrong tokens are counted."""
    given = (_bearer(request) or "").encode(errors="replace")
    if not hmac.compare_digest(given, request.app[ADMIN_TOKEN].encode()):
        count(request)
        raise Problem(
            401, "the admin token is missing or wrong", headers={"WWW-Authenticate": "Bearer"}
        )


def authorize_local(request: web.Request) -> None:
    """Let pass who asks from this very machine and not through a proxy; else only the operator."""
    forwarded = any(name in request.headers for name in ("Forwarded", "X-Forwarded-For", "Via"))
    if forwarded or not ip_address(request.remote or "::").is_loopback:
        authorize_admin(request)


def _unknown() -> Problem:
    return Problem(401, UNKNOWN_KEY, headers={"WWW-Authenticate": "Bearer"})


def _bearer(request: web.Request) -> str | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
