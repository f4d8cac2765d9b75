"""The role that delivers: takes what is due, posts it, stores how it went; for ever.

One transaction after the other stores all outcomes since the last and takes what may go next, so
a slow database makes larger batches. Nothing is open in the database while a receiver is waited
for. Killed at any moment, it leaves leases behind that end: at least once, always by the same id.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

import structlog

import storage
from storage import Conn, Engine, StorageUnavailable
from storage.deliveries import Delivery
from watcher import clock
from watcher.keys import SecretBox
from watcher.metrics import Metrics
from watcher.policy import Policy
from watcher.wakeup import News
from watcher.webhooks.crowding import Crowd
from watcher.webhooks.outcomes import Outcome, set_aside, store_outcomes
from watcher.webhooks.sending import Answer, Message, Sender
from watcher.webhooks.targets import CannotSign, Job, load_jobs, sign

POLL_SECONDS = 1.0
LEASE_SECONDS = 60  # well above the longest time limit of a webhook
GRACE_SECONDS = 5.0

log = structlog.get_logger()


class Deliverer:
    """Delivers for all merchants, beside any number of others like it."""

    def __init__(
        self,
        engine: Engine,
        policy: Policy,
        box: SecretBox,
        sender: Sender,
        news: News,
        *,
        lease_seconds: int = LEASE_SECONDS,
        metrics: Metrics | None = None,
    ) -> None:
        self._engine, self._policy, self._box, self._sender = engine, policy, box, sender
        self._news, self._told = news, 0
        self._lease_seconds = lease_seconds
        self._metrics = metrics or Metrics()
        self._crowd = Crowd()
        self._outcomes: list[Outcome] = []
        self._over = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stuck = False

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop`; what is under way then may still end, and is stored."""
        try:
            while not stop.is_set():
                self._over.clear()
                busy = await self._turn_or_note()
                if not busy:
                    await self._rest(stop)
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=GRACE_SECONDS)
            with suppress(StorageUnavailable):  # then the leases end, and it is told again
                await self.turn(begin=False)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def close(self) -> None:
        """Close the connections to receivers."""
        await self._sender.close()

    async def turn(self, begin: bool = True) -> int:
        """Store what is over and begin what may go next; how many were taken for that."""
        outcomes, self._outcomes = self._outcomes, []
        taken_at = time.monotonic()
        try:
            jobs = await storage.repeat(
                self._engine, lambda conn: self._exchange(conn, outcomes, begin)
            )
        except BaseException as error:
            self._outcomes = outcomes + self._outcomes
            ours = isinstance(error, Exception) and not isinstance(error, StorageUnavailable)
            if ours and await self._store_singly():
                return 0
            raise
        open_jobs = [job for job in jobs if job.target.state == "enabled" and job.posts]
        for job in open_jobs:
            self._crowd.enter(job.delivery.lane, 1)
            task = asyncio.create_task(self._try(job, taken_at))
            self._tasks.add(task)
            task.add_done_callback(partial(self._leave, job))
        if closed := [job.delivery for job in jobs if job.target.state != "enabled"]:
            await storage.repeat(self._engine, lambda conn: set_aside(conn, closed, clock.now()))
        return len(jobs)  # what was dropped or set aside may have held others up

    async def _store_singly(self) -> int:
        """Store what is over one by one; how many could not be: their leases end, and are told."""
        lost = 0
        while self._outcomes:
            outcome = self._outcomes[0]
            store = partial(store_outcomes, outcomes=[outcome], now=clock.now())
            try:
                await storage.repeat(self._engine, store)
            except StorageUnavailable:
                raise
            except Exception:  # our own bug: it must not hold up the others
                log.exception("the end of a try is lost", delivery=outcome.job.delivery.id)
                self._metrics.unstored()
                lost += 1
            del self._outcomes[0]
        return lost

    async def _turn_or_note(self) -> bool:
        """Take a turn, told in the log only where it differs; whether another may find more."""
        try:
            begun = await self.turn()
        except StorageUnavailable as error:
            if not self._stuck:
                log.warning("nothing is delivered: no database", reason=str(error))
            self._stuck = True
            return False
        except Exception:  # our own bug: it must not end what follows the chains beside it
            if not self._stuck:
                log.exception("nothing is delivered")
            self._stuck = True
            return False
        if self._stuck:
            log.info("deliveries go on")
            self._stuck = False
        return begun > 0 and self._crowd.room > 0

    async def _rest(self, stop: asyncio.Event) -> None:
        """Until something under way is over, events are told, or it is time to look again."""
        told = asyncio.create_task(self._news.wait(None, self._told, POLL_SECONDS))
        waits = [told, *(asyncio.create_task(each.wait()) for each in (self._over, stop))]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if told.done():
            self._told = told.result()
        for each in waits:
            each.cancel()
        await asyncio.gather(*waits, return_exceptions=True)

    async def _exchange(self, conn: Conn, outcomes: Sequence[Outcome], begin: bool) -> list[Job]:
        now = clock.now()
        await store_outcomes(conn, outcomes, now)
        taken = await self._take(conn) if begin else []
        jobs = await load_jobs(conn, self._policy, taken, now)
        for job in jobs:
            if job.target.state == "enabled" and not job.posts:
                await storage.deliveries.drop(conn, job.delivery)
        return jobs

    async def _take(self, conn: Conn) -> list[Delivery]:
        taken: list[Delivery] = []
        crowd = self._crowd.copy()  # the transaction may fail, and begin again
        if not crowd.room:
            return taken
        merchants, hosts, lanes = crowd.full()
        for lane in await storage.lanes.due(
            conn, crowd.room, full_merchants=merchants, full_hosts=hosts, full_lanes=lanes
        ):
            if room := crowd.room_in(lane):
                found = await storage.deliveries.take(conn, lane, room, self._lease_seconds)
                taken += found
                crowd.enter(lane, len(found))
        return taken

    async def _try(self, job: Job, taken_at: float) -> None:
        """Post it, unless so much time has passed that somebody else may be about to."""
        target, at = job.target, clock.now()
        timeout_ms = target.timeout_ms or target.dialect.timeout_ms
        timeout_seconds = timeout_ms / 1000 if timeout_ms else self._policy.webhooks.timeout_seconds
        if time.monotonic() - taken_at > self._lease_seconds - timeout_seconds:
            return
        message, answer = await self._post_all(job, at, timeout_seconds)
        outcome = Outcome(job, at, message, answer)
        self._outcomes.append(outcome)
        self._metrics.delivered(outcome.accepted)
        if self._crowd.note(job.delivery.lane, outcome.accepted):
            tell = log.info if outcome.accepted else log.warning
            what = "a receiver accepts again" if outcome.accepted else "a receiver fails"
            tell(what, webhook=job.delivery.webhook_id, invoice=job.delivery.invoice_id)

    async def _post_all(self, job: Job, at: int, timeout_seconds: float) -> tuple[Message, Answer]:
        """Post one after the other until one is not accepted; the last, and its answer."""
        spent_ms = 0
        for place, post in enumerate(job.posts, 1):
            message = Message(job.target.url, post.headers, post.body)
            try:
                message = sign(message, job.target, self._box, post.id, at)
            except CannotSign as error:
                return message, Answer(0, error=f"not sent: {error}")
            left_seconds = max(0, timeout_seconds - spent_ms / 1000)
            answer = await self._sender.post(message, left_seconds)
            spent_ms += answer.duration_ms
            if place == len(job.posts) or not job.target.accepted(answer):
                return message, answer
        raise AssertionError("a job without posts was begun")

    def _leave(self, job: Job, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._crowd.leave(job.delivery.lane)
        self._over.set()
        if not task.cancelled() and (error := task.exception()):  # our own bug: its lease ends
            log.error("a delivery failed", delivery=job.delivery.id, exc_info=error)
