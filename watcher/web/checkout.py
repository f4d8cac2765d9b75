"""The payer's page on an invoice: to choose, to pay, to see it arrive. Its id is the permission."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from aiohttp import ETag, web

import storage
from storage import Conn
from watcher import invoicing, sandbox
from watcher.api.context import ENGINE, NODES, POLICY
from watcher.api.errors import Problem
from watcher.api.limits import count
from watcher.clock import now
from watcher.domain.money import Method
from watcher.logos import content_type_of
from watcher.questionnaire import answer_questionnaire
from watcher.refused import BadField, MoneySeen, NotFound, NotOpen
from watcher.web.assets import HASH_DIGITS
from watcher.web.drawing import Setting, draw, heading
from watcher.web.messages import LANGUAGES, words_for
from watcher.web.pages import HEADERS, as_page, is_foreign, posted, root_of, show
from watcher.web.paying import draw_qr
from watcher.web.scene import Scene, read_scenes
from watcher.web.sight import Phase, Sight, sight_of

PLACE = "/pay/{id:[0-9A-Za-z_]+}"
REFRESH_SECONDS = 15  # without JavaScript
PAYABLE = {Phase.WAITING, Phase.PARTIAL}
STEADY = {Phase.QUESTIONS, Phase.CHOOSE}  # where loading again would lose what was typed
MOST_ITEMS = 50
LOGO_SECONDS = 300  # until a browser asks whether the picture is still the same

routes = web.RouteTableDef()


@routes.get(PLACE)
@as_page
async def page(request: web.Request) -> web.Response:
    """The page as things stand."""
    count(request)
    return _page(request, await _scene(request))


@routes.get(PLACE + "/qr.svg")
@as_page
async def qr(request: web.Request) -> web.Response:
    """What is to be paid now, for a wallet's camera."""
    count(request)
    sight = sight_of(request.app[POLICY], await _scene(request), now(), choosing=False)
    if sight.payment is None or sight.phase not in PAYABLE:
        raise NotFound("there is nothing to pay")
    picture = await asyncio.to_thread(draw_qr, sight.payment.uri)
    return web.Response(body=picture, content_type="image/svg+xml", headers=HEADERS)


@routes.get(PLACE + "/logo")
@as_page
async def logo(request: web.Request) -> web.Response:
    """The merchant's picture, unless the browser has it already."""
    count(request)
    async with storage.read(request.app[ENGINE]) as conn:
        picture = await storage.merchants.logo_of_invoice(conn, request.match_info["id"])
    content_type = content_type_of(picture or b"")
    if picture is None or content_type is None:
        raise NotFound("there is no logo")
    known = ETag(hashlib.sha256(picture).hexdigest()[:HASH_DIGITS])
    fresh = known in (request.if_none_match or ())
    answer = web.Response(
        status=304 if fresh else 200,
        body=None if fresh else picture,
        content_type=content_type,
        headers=HEADERS | {"Cache-Control": f"private, max-age={LOGO_SECONDS}"},
    )
    answer.etag = known
    return answer


@routes.post(PLACE + "/select")
@as_page
async def select(request: web.Request) -> web.Response:
    """Choose what to pay with."""
    method = Method((await _form(request)).get("method", ""))
    scene = await _scene(request)
    if scene.is_open and scene.unanswered:
        return go_back(request)  # to what is asked first

    async def change(conn: Conn) -> None:
        id = request.match_info["id"]
        await invoicing.select_method(conn, request.app[POLICY], None, id, method, now())

    return await _do(request, change)


@routes.post(PLACE + "/cancel")
@as_page
async def cancel(request: web.Request) -> web.Response:
    """Cancel on the payer's wish."""
    await _form(request)

    async def change(conn: Conn) -> None:
        await invoicing.cancel_as_payer(conn, request.app[POLICY], request.match_info["id"], now())

    return await _do(request, change)


@routes.post(PLACE + "/answers")
@as_page
async def answers(request: web.Request) -> web.Response:
    """Keep what the payer answered, or say what is wrong with it beside the question."""
    form = await _form(request)
    given = {
        name.removeprefix("answer."): text
        for name, text in form.items()
        if name.startswith("answer.")
    }

    async def change(conn: Conn) -> None:
        id = request.match_info["id"]
        await answer_questionnaire(conn, request.app[POLICY], id, given, now())

    try:
        return await _do(request, change)
    except BadField as error:
        name = (error.field or "").removeprefix("answers.")
        return _page(request, await _scene(request), given, {name: str(error)}, status=422)


@routes.post(PLACE + "/sandbox-pay")
@as_page
async def sandbox_pay(request: web.Request) -> web.Response:
    """In a sandbox: let an embedded node pay, all that is left or the given amount."""
    form = await _form(request)
    if NODES not in request.app:
        raise NotFound("this is no sandbox")
    amount = form.get("amount", "").strip() or None

    async def prepare(conn: Conn) -> sandbox.Payment:
        id = request.match_info["id"]
        return await sandbox.prepare_payment(conn, request.app[POLICY], id, None, amount, now())

    payment = await storage.repeat(request.app[ENGINE], prepare)
    await sandbox.pay(request.app[NODES][payment.quote.network], payment, "plain", None)
    return go_back(request)


def setting_of(request: web.Request, **more: Any) -> Setting:
    """In which language, and how links lead from here."""
    chosen = request.query.get("lang", "")
    return Setting(
        words=words_for(request),
        root=root_of(request),
        tail=f"?lang={chosen}" if chosen in LANGUAGES else "",
        sandbox=NODES in request.app,
        **more,
    )


def go_back(request: web.Request) -> web.Response:
    """To the page, from a path below it."""
    setting = setting_of(request)
    place = f"{setting.root}pay/{request.match_info['id']}{setting.tail}"
    return web.Response(status=303, headers={"Location": place, "Cache-Control": "no-store"})


async def _scene(request: web.Request) -> Scene:
    id = request.match_info["id"]
    async with storage.read(request.app[ENGINE]) as conn:
        found = await read_scenes(conn, request.app[POLICY], [id])
    if id not in found:
        raise NotFound("there is no such invoice")
    return found[id]


async def _form(request: web.Request) -> dict[str, str]:
    """What a form on our own page sent."""
    count(request)
    if is_foreign(request, request.app[POLICY].public_url):
        raise Problem(403, "this must be sent from the page itself")
    return dict(await posted(request))


async def _do(request: web.Request, change: Callable[[Conn], Awaitable[None]]) -> web.Response:
    """Make the change; then, or where the invoice has moved on meanwhile, back to the page."""
    with suppress(NotOpen, MoneySeen):  # the page shows why
        await storage.repeat(request.app[ENGINE], change)
    return go_back(request)


def _page(
    request: web.Request,
    scene: Scene,
    given: Mapping[str, str] | None = None,
    faults: Mapping[str, str] | None = None,
    status: int = 200,
) -> web.Response:
    """The page; with `given` answers and what is wrong with them."""
    time, choosing = now(), "choose" in request.query
    sight = sight_of(request.app[POLICY], scene, time, choosing)
    setting = setting_of(request, answers=given, faults=_localised(request, sight, faults or {}))
    return show(
        request,
        "checkout.html",
        status,
        sight=sight,
        words=setting.words,
        heading=heading(sight, setting.words),
        merchant=scene.merchant,
        logo=f"{setting.root}pay/{scene.invoice.id}/logo" if scene.has_logo else None,
        parts=draw(sight, scene.merchant, setting),
        items=_items(sight),
        languages=LANGUAGES,
        now=time,
        events=None if faults else _events(request),
        refresh=None if sight.phase in STEADY else REFRESH_SECONDS,
    )


def _events(request: web.Request) -> str:
    """Where the page hears what is new: asked as the page itself was."""
    query = f"?{request.query_string}" if request.query_string else ""
    return f"{root_of(request)}pay/{request.match_info['id']}/events{query}"


def _localised(request: web.Request, sight: Sight, faults: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with answers, in the reader's language."""
    words, kinds = words_for(request), {each["name"]: each["type"] for each in sight.questions}
    return {
        name: words(
            "question.required" if text == "is required" else f"question.wrong_{kinds[name]}"
        )
        for name, text in faults.items()
        if name in kinds
    }


def _items(sight: Sight) -> list[dict[str, object]]:
    """What is bought, as far as the merchant's own list says it by names."""
    return [
        {"name": item["name"], "quantity": item.get("quantity")}
        for item in sight.shown["items"][:MOST_ITEMS]
        if isinstance(item.get("name"), str)
    ]
