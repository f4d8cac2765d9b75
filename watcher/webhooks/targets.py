"""Where a delivery goes, by which secrets it is signed, and how long to wait for the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import storage
from storage import Conn
from storage.deliveries import Delivery
from storage.events import StoredEvent
from storage.webhooks import State, Webhook
from watcher.domain.events import EventType
from watcher.keys import CannotOpen, SecretBox
from watcher.policy import Policy
from watcher.webhooks.dialect import LADDER, Dialect, Post, Telling
from watcher.webhooks.dialects import DIALECTS
from watcher.webhooks.sending import Answer, Message


class CannotSign(Exception):
    """There is no secret to sign with, or the key file does not open it."""


@dataclass(frozen=True, slots=True)
class Target:
    """A webhook, or the `callback_url` of an invoice; its secrets still encrypted."""

    url: str
    sealed: Sequence[bytes]
    """Newest first; none where it is not known which key opened the invoice."""
    dialect: Dialect
    state: State = "enabled"
    retries: int = len(LADDER)
    timeout_ms: int | None = None
    """None: as the dialect says, or as configured."""

    @property
    def rungs(self) -> Sequence[int]:
        """Seconds until each further try."""
        return self.dialect.ladder[: self.retries]

    def accepted(self, answer: Answer) -> bool:
        """Whether the receiver took what it was sent."""
        return answer.status is not None and self.dialect.accepts(answer)


@dataclass(frozen=True, slots=True)
class Job:
    """A delivery that was taken, with all that it takes to try it."""

    delivery: Delivery
    event: StoredEvent
    target: Target
    posts: Sequence[Post]
    """In order; none where the target's dialect has no words for the event."""


def webhook_target(webhook: Webhook, now: int) -> Target:
    """A registered webhook; while a rotation is recent, the former secret signs, too."""
    sealed = [webhook.secret]
    if webhook.former_secret and webhook.former_until and now < webhook.former_until:
        sealed.append(webhook.former_secret)
    return Target(
        url=webhook.url,
        sealed=sealed,
        dialect=DIALECTS[webhook.dialect],
        state=webhook.state,
        retries=webhook.retry_count,
        timeout_ms=webhook.timeout_ms,
    )


def callback_target(event: StoredEvent, sealed: bytes | None, state: State) -> Target:
    """The `callback_url` of an invoice, spoken to in the dialect of the API that opened it."""
    invoice = event.data["invoice"]
    face = invoice.get("face") or {"name": "native"}
    dialect = DIALECTS[face["name"]]
    return Target(
        url=invoice["callback_url"],
        sealed=[sealed] if sealed else [],
        dialect=dialect,
        state=state,
        retries=len(dialect.ladder),
    )


def sign(message: Message, target: Target, box: SecretBox, event_id: str, now: int) -> Message:
    """The message with the headers that the target's dialect puts on it.

    Raises:
        CannotSign: see there.
    """
    if not target.sealed:
        raise CannotSign("the invoice was opened without a key, so nothing can sign its callback")
    try:
        secrets = [box.open(each) for each in target.sealed]
    except CannotOpen as error:
        raise CannotSign(str(error)) from error
    headers = target.dialect.sign(secrets, event_id, now, message.body)
    return replace(message, headers={**message.headers, **headers})


async def load_jobs(conn: Conn, policy: Policy, taken: Sequence[Delivery], now: int) -> list[Job]:
    """What was taken, with events, targets and sealed secrets, in the same order."""
    if not taken:
        return []
    events = await storage.events.by_ids(conn, [each.event_id for each in taken])
    webhooks = await storage.webhooks.get_many(conn, {e.webhook_id for e in taken if e.webhook_id})
    called = {each.invoice_id for each in taken if each.webhook_id is None}
    secrets = await storage.keys.secrets_of_invoices(conn, called) if called else {}
    ended = await storage.callbacks.ended(conn, called) if called else set()
    jobs = []
    for each in taken:
        event = events[each.event_id]
        webhook = webhooks[each.webhook_id] if each.webhook_id else None
        if webhook is not None:
            target = webhook_target(webhook, now)
        else:
            state: State = "deleted" if each.invoice_id in ended else "enabled"
            target = callback_target(event, secrets.get(each.invoice_id), state)
        before = None
        if event.type is EventType.DEPOSIT_ORPHANED and event.deposit_id:
            before = await storage.deliveries.told_before(conn, each, event.deposit_id)
        posts = target.dialect.tell(Telling(policy, event, each.id, webhook, before))
        jobs.append(Job(each, event, target, posts))
    return jobs
