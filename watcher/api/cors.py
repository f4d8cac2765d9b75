"""Browsers: which pages may use the API, with the public keys that they can hold."""

from __future__ import annotations

from aiohttp import web

from watcher.api.errors import Handler

ORIGINS: web.AppKey[frozenset[str]] = web.AppKey("origins")

PATHS = ("/v1/", "/compat/")
PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, X-Api-Key",
    "Access-Control-Max-Age": "600",
}
EXPOSED = (
    "Idempotent-Replayed, Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, "
    "X-RateLimit-Reset, X-Request-Id, X-Watcher-Flags, X-Watcher-Invoice, X-Watcher-Status"
)


@web.middleware
async def preflight(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer what a browser asks before it sends a page's request."""
    asks = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
    if asks and _allowed(request) is not None:
        return web.Response(status=204, headers=PREFLIGHT)
    return await handler(request)


async def tell_origin(request: web.Request, response: web.StreamResponse) -> None:
    """Let the page see the answer, if it is one of the configured."""
    if request.app[ORIGINS] and request.path.startswith(PATHS):
        response.headers.add("Vary", "Origin")
        if origin := _allowed(request):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = EXPOSED


def _allowed(request: web.Request) -> str | None:
    """The origin of the page that asks, if it may."""
    origin = request.headers.get("Origin", "")
    if origin and request.path.startswith(PATHS):
        known = request.app[ORIGINS]
        return origin if origin in known or "*" in known else None
    return None
