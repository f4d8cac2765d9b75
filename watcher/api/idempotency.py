"""Doing what a POST asks for; with an Idempotency-Key, once, however often it is asked for.

The key is reserved before the work, in a transaction of its own. The answer is stored in the
transaction of the work: whatever is committed is answered the same ever after, and a crash leaves a
reservation that lapses, and nothing else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress

from aiohttp import web

import storage
from storage import Conn
from storage.idempotency import Claim
from storage.keys import Key
from watcher.api.context import BOX, ENGINE
from watcher.api.errors import Problem, of_refusal, refusal
from watcher.clock import new_id
from watcher.keys import CannotOpen, SecretBox
from watcher.refused import KeyReused, Refused, RefusedForNow, RequestRunning
from watcher.render import Json

HEADER, REPLAYED = "Idempotency-Key", "Idempotent-Replayed"
LONGEST = 255

Work = Callable[[Conn], Awaitable[Json]]
Act = Callable[[], Awaitable[Json]]
Keep = Callable[[Conn, web.Response], Awaitable[None]]
"""Stores an answer in the transaction of what it tells of."""


async def perform(
    request: web.Request, key: Key | None, work: Work, status: int = 200
) -> web.Response:
    """Do `work` in a transaction; answer with what it returns, after the commit.

    `key` says whose Idempotency-Key it is; None: the operator's. What refuses the work is an answer
    too, and kept; what refuses it for now, and a failure of ours, are not.
    """
    engine = request.app[ENGINE]

    async def settle(keep: Keep) -> web.Response:
        async def whole(conn: Conn) -> web.Response:
            answer = web.json_response(await work(conn), status=status)
            await keep(conn, answer)
            return answer

        return await storage.repeat(engine, whole)

    return await _once(request, key, await _asked(request), settle)


async def perform_once(
    request: web.Request, key: Key, asked: bytes, work: Callable[[Conn], Awaitable[web.Response]]
) -> web.Response:
    """The same where `work` makes the answer; a refusal leaves the key free.

    `asked` is what two requests with one key must have in common.
    """

    async def settle(keep: Keep) -> web.Response:
        async def whole(conn: Conn) -> web.Response:
            answer = await work(conn)
            await keep(conn, answer)
            return answer

        try:
            return await storage.repeat(request.app[ENGINE], whole)
        except Refused as error:
            raise of_refusal(error) from error

    return await _once(request, key, asked, settle)


async def perform_outside(
    request: web.Request, key: Key | None, act: Act, status: int = 200
) -> web.Response:
    """The same for what is done outside of the database, where a crash may come between."""
    engine = request.app[ENGINE]

    async def settle(keep: Keep) -> web.Response:
        answer = web.json_response(await act(), status=status)
        await storage.repeat(engine, lambda conn: keep(conn, answer))
        return answer

    return await _once(request, key, await _asked(request), settle)


async def _once(
    request: web.Request,
    key: Key | None,
    asked: bytes,
    settle: Callable[[Keep], Awaitable[web.Response]],
) -> web.Response:
    """Let `settle` do the work and keep its answer, unless the same was asked before."""
    engine, box = request.app[ENGINE], request.app[BOX]
    claim = _claim(request, key, asked)
    if claim is None:
        return await settle(_keep_nothing)

    async def keep(conn: Conn, answer: web.Response) -> None:
        if not await storage.idempotency.finish(conn, claim, _seal(box, answer)):
            raise RequestRunning

    told = await storage.repeat(engine, lambda conn: storage.idempotency.reserve(conn, claim))
    match told:
        case "running":
            raise RequestRunning
        case "other":
            raise KeyReused
        case bytes():
            return _open(box, told)
    try:
        return await settle(keep)
    except Exception as error:
        if isinstance(error, Refused) and not isinstance(error, RefusedForNow):
            answer = refusal(error, new_id("req"))
            await storage.repeat(engine, lambda conn: keep(conn, answer))
            return answer
        with suppress(storage.StorageUnavailable):  # then it lapses
            await storage.repeat(engine, lambda conn: storage.idempotency.release(conn, claim))
        raise


async def _asked(request: web.Request) -> bytes:
    """Method, path and body: two requests that differ in nothing of it are one."""
    return b"\0".join((request.method.encode(), request.path_qs.encode(), await request.read()))


def _claim(request: web.Request, key: Key | None, asked: bytes) -> Claim | None:
    """What this request claims; None where it has no Idempotency-Key."""
    given = request.headers.getall(HEADER, [])
    if not given:
        return None
    text = given[0]
    if len(given) > 1 or not (0 < len(text) <= LONGEST and text.isascii() and text.isprintable()):
        reason = f"must be given once, with 1 to {LONGEST} printable ASCII characters"
        error = {"field": HEADER, "code": "invalid_field", "message": reason}
        raise Problem(422, f"{HEADER}: {reason}", errors=[error])
    return Claim(_owner(key), text, hashlib.sha256(asked).digest(), new_id("req"))


def _owner(key: Key | None) -> str:
    """A merchant's keys retry for each other; but what a secret one did, no public one is told."""
    if key is None:
        return "admin"
    return key.merchant_id if key.kind == "secret" else f"{key.merchant_id} public"


async def _keep_nothing(conn: Conn, answer: web.Response) -> None:
    """There is no key to keep it by."""


def _seal(box: SecretBox, answer: web.Response) -> bytes:
    """The answer, encrypted: it may hold a secret that is shown but once."""
    return box.seal(json.dumps([answer.status, dict(answer.headers), answer.text]))


def _open(box: SecretBox, sealed: bytes) -> web.Response:
    try:
        status, headers, text = json.loads(box.open(sealed))
    except CannotOpen as error:
        raise KeyReused(
            "this was done before; its answer cannot be read, since the key file was changed"
        ) from error
    return web.Response(status=status, text=text, headers={**headers, REPLAYED: "true"})
