"""In and out: the operator logs in with the admin token."""

from __future__ import annotations

import re
from urllib.parse import unquote

from aiohttp import web

from watcher.api.context import POLICY
from watcher.api.errors import Problem
from watcher.api.limits import Limits
from watcher.web.dashboard.frame import form_of, go_to, operator
from watcher.web.dashboard.sessions import SESSIONS
from watcher.web.pages import as_page, is_foreign, show

LOGINS: web.AppKey[Limits] = web.AppKey("logins")
PER_MINUTE = 10
"""Logins that one address may try."""
NEXT = re.compile(r"[\w./?=&%:+-]*", re.ASCII)

routes = web.RouteTableDef()


@routes.get("/admin/login")
@as_page
async def ask(request: web.Request) -> web.Response:
    """Ask for the token."""
    return _page(request, _next(request.query.get("next", "")))


@routes.post("/admin/login")
@as_page
async def login(request: web.Request) -> web.Response:
    """Open a session for the right token; a few tries a minute."""
    quota = request.app[LOGINS].ask(request, None)
    if quota.retry_seconds:
        again = str(quota.retry_seconds)
        raise Problem(429, f"try again in {again} s", headers={"Retry-After": again})
    if is_foreign(request, request.app[POLICY].public_url):
        raise Problem(403, "this form is not from here")
    form = await form_of(request)
    wanted = _next(form.get("next", ""))
    if not request.app[SESSIONS].is_token(form.get("token", "").strip()):
        return _page(request, wanted, wrong=True)
    response = go_to(request, wanted)
    request.app[SESSIONS].begin(response)
    return response


@routes.post("/admin/logout")
@operator
async def logout(request: web.Request) -> web.Response:
    """Forget the session in this browser."""
    response = go_to(request, "login")
    request.app[SESSIONS].end(response)
    return response


def _page(request: web.Request, wanted: str, wrong: bool = False) -> web.Response:
    status = 403 if wrong else 200
    return show(request, "dashboard/login.html", status, next=wanted, wrong=wrong)


def _next(text: str) -> str:
    """Where to go below /admin/; the overview for what is no such path."""
    return text if NEXT.fullmatch(text) and ".." not in unquote(text) else ""
