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
from watcher.api.limits import count, count_bad, count_guess
from watcher.keys import digest

UNKNOWN_KEY = "the API key is missing, unknown or revoked"


async def authorize(request: web.Request, scope: str, *, public: bool = False) -> Key:
    """The key that this request carries, if it may do what `scope` names.

    `public` keys may only do what is marked so.
    """
    text = bearer(request) or request.headers.get("x-api-key", "")
    return admit(request, await find_key(request, text), scope, public=public)


async def find_key(request: web.Request, text: str) -> Key | None:
    """The key with this text, unless it was revoked; looking it up counts as a guess.

    Keys are found by their digest, so how long a wrong one takes says nothing about the right ones.
    """
    # A key is ASCII; other bytes arrive as lone surrogates, of which there is no digest.
    if not text or not text.isascii():
        return None
    count_guess(request, digest(text))
    async with storage.read(request.app[ENGINE]) as conn:
        return await storage.keys.find(conn, digest(text))


def admit(request: web.Request, key: Key | None, scope: str, *, public: bool = False) -> Key:
    """Count the request, and let it pass with a key that may do what `scope` names."""
    if key is None:
        count_bad(request)
        raise _unknown()
    count(request, key)
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
    given = bearer(request).encode(errors="replace")
    if not hmac.compare_digest(given, request.app[ADMIN_TOKEN].encode()):
        count_guess(request)
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


def bearer(request: web.Request) -> str:
    """The token in the header Authorization; empty where there is none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
