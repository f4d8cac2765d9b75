"""What the end of a try means: delivered, another try, or given up; and its line in the log."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import storage
from storage import Conn
from storage.deliveries import Delivery
from storage.tries import Try
from watcher.webhooks.dialect import GONE
from watcher.webhooks.sending import Answer, Message
from watcher.webhooks.targets import Job

GONE_REASON = "the receiver answered 410 Gone"
JITTER = 0.2
"""Up to so much longer than the rung, so that what failed together does not come back together."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A try that is over."""

    job: Job
    at: int
    message: Message
    answer: Answer

    @property
    def accepted(self) -> bool:
        """Whether the receiver took it."""
        return self.job.target.accepted(self.answer)


async def store_outcomes(conn: Conn, outcomes: Sequence[Outcome], now: int) -> None:
    """Note these tries, and move their deliveries on."""
    gone = {each.job.delivery.webhook_id for each in outcomes if each.answer.status == GONE}
    await storage.webhooks.lock(conn, [id for id in gone if id])  # before their deliveries
    await storage.tries.add(conn, [_try_of(each) for each in outcomes])
    accepted = [each.job.delivery for each in outcomes if each.accepted]
    await storage.deliveries.succeed(conn, accepted, now)
    for outcome in outcomes:
        if not outcome.accepted:
            await _store_failure(conn, outcome, now)


async def set_aside(conn: Conn, taken: Sequence[Delivery], now: int) -> None:
    """Hold or end what was told while its webhook was switched off, or deleted; untried.

    By what the webhook is once it is locked: what is put back after it was enabled again would
    wait for ever.
    """
    webhooks = await storage.webhooks.lock(conn, {e.webhook_id for e in taken if e.webhook_id})
    for each in taken:
        match webhooks[each.webhook_id].state if each.webhook_id else "deleted":
            case "enabled":
                await storage.deliveries.put_back(conn, each, "waiting")
            case "disabled":
                await storage.deliveries.put_back(conn, each, "held")
            case "deleted":
                await storage.deliveries.give_up(conn, each, now)


async def _store_failure(conn: Conn, outcome: Outcome, now: int) -> None:
    """Another try or none; a receiver that is gone is not asked again."""
    delivery, answer, rungs = outcome.job.delivery, outcome.answer, outcome.job.target.rungs
    ended = answer.status is not None and outcome.job.target.dialect.ends(answer.status)
    if not ended and delivery.failed < len(rungs):
        longer = 1 + JITTER * random.random()
        await storage.deliveries.fail(conn, delivery, math.ceil(rungs[delivery.failed] * longer))
    else:
        await storage.deliveries.give_up(conn, delivery, now)
    if ended and answer.status == GONE:
        await _end(conn, delivery, now)


async def _end(conn: Conn, delivery: Delivery, now: int) -> None:
    """Tell a receiver that is gone of nothing more: a webhook may be enabled again."""
    if delivery.webhook_id:
        await storage.webhooks.disable(conn, delivery.webhook_id, GONE_REASON, now)
        await storage.deliveries.hold(conn, delivery.webhook_id)
    else:
        await storage.callbacks.end(conn, delivery.invoice_id, now)
        await storage.deliveries.abandon(conn, delivery.invoice_id, now)


def _try_of(outcome: Outcome) -> Try:
    return Try(
        delivery_id=outcome.job.delivery.id,
        number=outcome.job.delivery.tries,
        at=outcome.at,
        duration_ms=outcome.answer.duration_ms,
        url=outcome.message.url,
        headers=dict(outcome.message.headers),
        status=outcome.answer.status,
        answer=outcome.answer.body,
        error=outcome.answer.error,
    )
