"""The frame of every dashboard page: for the operator only, with what must not be overlooked.

Handlers behind it read a request, call one use case, and show what came of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import wraps
from typing import TypeVar
from urllib.parse import urlencode

from aiohttp import web
from multidict import MultiDict
from pydantic import BaseModel, ValidationError

import storage
from chains.base import ChainError
from watcher.api.context import ENGINE, POLICY, STARTED_AT
from watcher.api.errors import REFUSALS, Problem, of_validation
from watcher.clock import now
from watcher.refused import Refused
from watcher.status import network_rows
from watcher.web.dashboard.sessions import SESSIONS, Session
from watcher.web.pages import Handler, as_page, is_foreign, posted, root_of, show

SESSION: web.RequestKey[Session] = web.RequestKey("session", Session)
DONE = "deposit_watcher_done"
SENTENCES = {
    "accepted": "Accepted.",
    "cancelled": "The invoice is cancelled.",
    "finding_accepted": "The finding became a deposit.",
    "finding_dismissed": "The finding is dismissed.",
    "redelivered": "The delivery is due now.",
    "rescan_begun": "The blocks are being read again.",
}
"""What a page says of the action that led to it, once."""
FORM = "application/x-www-form-urlencoded"
Model = TypeVar("Model", bound=BaseModel)


def operator(handler: Handler) -> Handler:
    """Let only the operator in, and his own forms; whatever goes wrong is a page."""

    @wraps(handler)
    async def guarded(request: web.Request) -> web.StreamResponse:
        session = request.app[SESSIONS].of(request)
        if session is None:
            return to_login(request)
        request[SESSION] = session
        try:
            if request.method == "POST":
                await _require_own_form(request, session)
            return await handler(request)
        except Problem as problem:
            return await refuse(request, problem.status, problem.detail)
        except Refused as error:
            return await refuse(request, REFUSALS[type(error)][0], error.sentence)
        except ChainError as error:  # its text holds no URL, key or token
            return await refuse(request, 503, str(error))

    return as_page(guarded)


async def render(
    request: web.Request, template: str, facts: Mapping[str, object], status: int = 200
) -> web.Response:
    """A dashboard page: `template` with `facts`, below the networks that need a person."""
    policy, moment = request.app[POLICY], now()
    async with storage.read(request.app[ENGINE]) as conn:
        rows = await network_rows(conn, policy, request.app[STARTED_AT], moment)
    page = show(
        request,
        f"dashboard/{template}",
        status,
        session=request[SESSION],
        troubled=[row for row in rows if row["state"] in ("halted", "stalled")],
        livemode=policy.livemode,
        networks=list(policy.networks),
        path=request.path,
        moment=moment,
        done=SENTENCES.get(request.cookies.get(DONE, "")),
        **facts,
    )
    if DONE in request.cookies:
        page.del_cookie(DONE, httponly=True, samesite="Strict")
    return page


async def refuse(request: web.Request, status: int, sentence: str) -> web.Response:
    """A page that says why something was not done or cannot be shown."""
    facts = {"sentence": sentence, "acting": request.method == "POST"}
    return await render(request, "refused.html", facts, status)


def go_to(request: web.Request, path: str, done: str | None = None) -> web.Response:
    """Send the browser to another page of the dashboard, which says what was done."""
    headers = {"Location": f"{root_of(request)}admin/{path}", "Cache-Control": "no-store"}
    response = web.Response(status=303, headers=headers)
    if done is not None:
        response.set_cookie(DONE, done, max_age=60, httponly=True, samesite="Strict")
    return response


def to_login(request: web.Request) -> web.Response:
    """Ask for the admin token first; then come back, unless something was to be changed."""
    wanted = request.path_qs.removeprefix("/admin/") if request.method == "GET" else ""
    return go_to(request, f"login?{urlencode({'next': wanted})}" if wanted else "login")


def read_form(form: Mapping[str, object], model: type[Model]) -> Model:
    """A form, or a query, as `model`; fields left empty are not there.

    Raises:
        Problem: 422, with the field that is wrong.
    """
    try:
        return model.model_validate({name: text for name, text in form.items() if text != ""})
    except ValidationError as error:
        raise of_validation(error) from error


async def form_of(request: web.Request) -> MultiDict[str]:
    """What a form of ours brought, but for the token that proves it to be ours."""
    if request.content_type != FORM:
        raise Problem(415, f"send a form as Content-Type: {FORM}")
    form = await posted(request)
    form.popall("csrf", None)
    return form


async def _require_own_form(request: web.Request, session: Session) -> None:
    if request.content_type != FORM:
        raise Problem(415, f"send a form as Content-Type: {FORM}")
    told = (await posted(request)).get("csrf", "")
    foreign = is_foreign(request, request.app[POLICY].public_url)
    if foreign or not session.vouches_for(told):
        raise Problem(403, "this form is not from here, or too old: go back, reload, try again")
