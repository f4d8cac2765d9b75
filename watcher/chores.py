"""Chores: what is done every some minutes, by whichever process gets to it first.

Every process looks every half a minute; the database says whether a chore is due, and gives each
run to one process. Never the loops that follow a chain.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import structlog
from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MISSED, JobExecutionEvent
from apscheduler.schedulers.asyncio import AsyncIOScheduler

import storage
from chains.base import ChainClient
from storage import Engine
from watcher import clock
from watcher.audit import EVERY_SECONDS as AUDIT_SECONDS
from watcher.audit import audit_network
from watcher.domain.money import Network
from watcher.forgetting import forget_events
from watcher.policy import Policy

FORGET_SECONDS, FORGOTTEN = 3600, 1000
LOOK_SECONDS, JITTER_SECONDS = 30, 5  # apart, so that processes do not look at once

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Chore:
    """Something to do now and then."""

    name: str
    every_seconds: int
    work: Callable[[], Awaitable[object]]


def chores_of(
    engine: Engine, policy: Policy, clients: Mapping[Network, ChainClient]
) -> list[Chore]:
    """All there is to do."""

    async def audit() -> None:
        """All networks at once, so that one that takes for ever, or fails, holds up no other."""
        runs = (audit_network(engine, policy.networks[each], clients[each]) for each in clients)
        ends = await asyncio.gather(*runs, return_exceptions=True)
        for failure in (end for end in ends if isinstance(end, BaseException)):
            raise failure

    async def forget_requests() -> None:
        """What Idempotency-Keys were kept long enough, a few at a time."""
        while await storage.repeat(engine, partial(storage.idempotency.prune, limit=FORGOTTEN)):
            pass

    chores = [
        Chore("audit", AUDIT_SECONDS, audit),
        Chore("idempotency", FORGET_SECONDS, forget_requests),
    ]
    if policy.keep_seconds is not None:
        forget = partial(forget_events, engine, policy.keep_seconds)
        chores.append(Chore("events", FORGET_SECONDS, lambda: forget(clock.now())))
    return chores


async def run_chores(
    engine: Engine, chores: Sequence[Chore], look_seconds: float = LOOK_SECONDS
) -> None:
    """Do what is due until cancelled; then nothing is at work any more."""
    at_work: set[asyncio.Task[object] | None] = set()

    async def look(chore: Chore) -> None:
        task = asyncio.current_task()
        at_work.add(task)
        try:
            await do_if_due(engine, chore)
        finally:
            at_work.discard(task)

    scheduler = AsyncIOScheduler(
        timezone="UTC",
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
    )
    scheduler.add_listener(_tell, EVENT_JOB_ERROR | EVENT_JOB_MISSED)
    # It would tell of each failure once more, and of every look while a long run is not over.
    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)
    for chore in chores:
        scheduler.add_job(
            look,
            "interval",
            [chore],
            seconds=look_seconds,
            jitter=min(JITTER_SECONDS, look_seconds / 2),
            id=chore.name,
            replace_existing=True,
        )
    scheduler.start()
    try:
        await asyncio.Event().wait()
    finally:
        scheduler.shutdown(wait=False)  # cancels what is at work, and waits for nothing
        await asyncio.gather(*filter(None, at_work), return_exceptions=True)


async def do_if_due(engine: Engine, chore: Chore) -> None:
    """Do the chore unless it is not due or another process has taken it; note how it went.

    A run that is not over when the next is due is ended, so that no two are ever at work.
    """
    try:
        every = chore.every_seconds
        if not await storage.repeat(
            engine, lambda conn: storage.chores.claim(conn, chore.name, every)
        ):
            return
        async with asyncio.timeout(every):
            await chore.work()
        async with storage.write(engine) as conn:
            await storage.chores.succeeded(conn, chore.name)
    except (storage.StorageUnavailable, TimeoutError) as error:
        reason = str(error) or f"not done within {chore.every_seconds} s"
        log.warning("a chore failed", chore=chore.name, reason=reason)
        await _note_failure(engine, chore, reason)
    except Exception as error:  # our own bug: counted here, told by the listener
        await _note_failure(engine, chore, type(error).__name__)
        raise


async def _note_failure(engine: Engine, chore: Chore, reason: str) -> None:
    with suppress(storage.StorageUnavailable):  # the log has it
        async with storage.write(engine) as conn:
            await storage.chores.failed(conn, chore.name, reason)


def _tell(event: JobExecutionEvent) -> None:
    """Log what no supervisor would hear of: a job that raises stays scheduled."""
    if not isinstance(event.exception, asyncio.CancelledError):  # we end, and it with us
        log.error("a chore failed", chore=event.job_id, exc_info=event.exception)
