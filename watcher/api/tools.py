"""The operator's tools over HTTP: explain a transaction, read blocks again.

A rescan runs in the process that was asked for it, which alone can tell how far it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import structlog
from aiohttp import web

import storage
from chains.base import ChainClient, ChainError
from watcher import refused
from watcher.api import operator_answers
from watcher.api.auth import authorize_admin
from watcher.api.context import CLIENTS, ENGINE, POLICY
from watcher.api.describing import ADMIN, Operation
from watcher.api.idempotency import perform_outside
from watcher.api.models import RescanIn
from watcher.api.reading import read_body
from watcher.domain.money import Network
from watcher.explain import explain, parse_hash
from watcher.refused import BadField, Busy, NotFound, Refused
from watcher.render import Json
from watcher.rescan import Rescan, plan

LARGEST_SPAN = 100_000  # blocks; for more there is the command

routes = web.RouteTableDef()
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Running:
    """The newest rescan of a network, which may be over."""

    rescan: Rescan
    task: asyncio.Task[None]


RESCANS: web.AppKey[dict[Network, Running]] = web.AppKey("rescans")


@routes.get("/admin/networks/{network}/transactions/{hash}")
@Operation(
    answers={200: operator_answers.Explanation},
    scope=ADMIN,
    refuses=(refused.BadField,),
    asks_chain=True,
)
async def show(request: web.Request) -> web.Response:
    """Each move of a transaction: credited to what, or exactly why not."""
    authorize_admin(request)
    network, client = _network(request)
    hash = parse_hash(request.match_info["hash"])
    policy, engine = request.app[POLICY], request.app[ENGINE]
    return web.json_response(await explain(engine, policy, client, network, hash))


@routes.post("/admin/networks/{network}/rescan")
@Operation(
    answers={202: operator_answers.Rescan},
    scope=ADMIN,
    body=RescanIn,
    refuses=(refused.Busy, refused.NotOurs),
    asks_chain=True,
)
async def begin(request: web.Request) -> web.Response:
    """Begin to read blocks again; one at a time for each network."""
    authorize_admin(request)
    network, client = _network(request)
    asked = await read_body(request, RescanIn)

    async def act() -> Json:
        return await begin_rescan(request.app, network, client, asked.first, asked.last)

    return await perform_outside(request, None, act, status=202)


@routes.get("/admin/networks/{network}/rescan")
@Operation(answers={200: operator_answers.Rescan}, scope=ADMIN)
async def progress(request: web.Request) -> web.Response:
    """How far the newest rescan is that this process was asked for."""
    authorize_admin(request)
    network, _ = _network(request)
    newest = newest_rescan(request.app, network)
    if newest is None:
        raise NotFound("this process was not asked for a rescan since it started")
    return web.json_response(newest)


async def end_rescans(app: web.Application) -> AsyncIterator[None]:
    """Cancel what still runs when the API ends: a block is read again whole, or not at all."""
    yield
    tasks = [running.task for running in app[RESCANS].values()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def begin_rescan(
    app: web.Application, network: Network, client: ChainClient, first: int, last: int | None
) -> Json:
    """Begin to read these blocks again, and say so.

    Raises:
        BadField: they are not there to be read, or too many.
        Busy: another rescan of this network is running here.
    """
    policy, engine = app[POLICY], app[ENGINE]
    span = await plan(engine, policy, network, first, last)
    if span.blocks > LARGEST_SPAN:
        raise BadField(
            f"more than {LARGEST_SPAN} blocks; use `deposit-watcher rescan`", field="from"
        )
    running = app[RESCANS].get(network)
    if running is not None and not running.task.done():
        raise Busy(f"a rescan of {network} runs already")
    rescan = Rescan(engine, policy, client, span)
    task = asyncio.create_task(_run(rescan))
    running = app[RESCANS][network] = Running(rescan, task)
    return _render(running)


def newest_rescan(app: web.Application, network: Network) -> Json | None:
    """How far the newest rescan is that this process was asked for."""
    running = app[RESCANS].get(network)
    return None if running is None else _render(running)


async def _run(rescan: Rescan) -> None:
    """Run it to its end; what stopped it is kept in it for whoever asks."""
    network = rescan.span.network
    try:
        await rescan.run()
    except (ChainError, Refused, storage.StorageUnavailable) as error:
        rescan.error = str(error)
        log.warning("a rescan stopped", network=network, reason=rescan.error)
    except Exception:  # our own bug: seen, and told as such
        rescan.error = "something went wrong on our side"
        log.exception("a rescan failed", network=network)


def _network(request: web.Request) -> tuple[Network, ChainClient]:
    network = Network(request.match_info["network"])
    client = request.app[CLIENTS].get(network)
    if client is None:
        raise NotFound("there is no such enabled network")
    return network, client


def _render(running: Running) -> Json:
    rescan, over = running.rescan, running.task.done()
    left = rescan.span.blocks - rescan.done
    pace = rescan.done / rescan.seconds if rescan.seconds else 0.0
    return {
        "network": rescan.span.network,
        "from": rescan.span.first,
        "to": rescan.span.last,
        "state": ("failed" if rescan.error else "done") if over else "running",
        "blocks_done": rescan.done,
        "blocks_per_second": round(pace, 1),
        "eta_seconds": None if over or not pace else round(left / pace),
        "added": [deposit.id for deposit in rescan.added],
        "orphaned": [deposit.id for deposit in rescan.orphaned],
        "warnings": list(rescan.warnings),
        "error": rescan.error,
    }
