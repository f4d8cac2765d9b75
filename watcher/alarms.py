"""Alarms: what of the operator's status a person should look at, and a log line for each change."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

import structlog

from storage import StorageUnavailable
from watcher.render import Json

LOOK_SECONDS = 10.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that needs a person, or will if it lasts."""

    alarm: str
    """Which kind, as in the metrics."""
    subject: str
    """What it is about: a network, `network/endpoint`, a chore …"""
    reason: str


DATABASE_AWAY = Alarm("database_away", "database", "it does not answer")


def alarms_of(status: Json) -> list[Alarm]:
    """Every alarm that `GET /admin/status` gives reason for."""
    return [*_of_networks(status["networks"]), *_of_rates(status["rates"]), *_of_work(status)]


def _of_networks(rows: Sequence[Json]) -> Iterator[Alarm]:
    for row in rows:
        name, final = row["network"], row["finalized"]
        if row["state"] in ("stalled", "halted"):
            reason = row["last_error"] or "no new block for too long"
            yield Alarm(f"network_{row['state']}", name, reason)
        if final["frozen"]:
            yield Alarm("finality_frozen", name, final["reason"])
        if waits := row["agreement"]["reason"]:
            yield Alarm("agreement_waits", name, waits)
        for each in row["endpoints"]:
            if each["quarantined"] is not None:
                subject = f"{name}/{each['name']}"
                yield Alarm("endpoint_quarantined", subject, each["quarantined"])
            if each["state"] == "forked":
                yield Alarm("endpoint_forked", f"{name}/{each['name']}", each["reason"])


def _of_rates(rates: Json | None) -> Iterator[Alarm]:
    """`rates` is None where this process asks for none."""
    for row in rates["sources"] if rates else ():
        if row["stale"]:
            reason = row["last_error"] or "it has not answered for too long"
            yield Alarm("rates_stale", row["source"], reason)


def _of_work(status: Json) -> Iterator[Alarm]:
    if findings := status["audit"]["findings"]:
        words = f"{findings} findings await a decision: `deposit-watcher audit` shows them"
        yield Alarm("audit_findings", "audit", words)
    if dead := status["webhooks"]["dead"]:
        yield Alarm("webhooks_dead", "webhooks", f"{dead} deliveries were given up")
    for chore in status["chores"]:
        if chore["last_error"] is not None:
            yield Alarm("chore_failing", chore["name"], chore["last_error"])


class Journal:
    """Writes a line to the log when an alarm begins, and one when it ends."""

    def __init__(self) -> None:
        self._sounding: dict[tuple[str, str], Alarm] = {}

    def note(self, alarms: Sequence[Alarm]) -> None:
        """Tell what is new and what is over; that only the reason changed is neither."""
        now = {(each.alarm, each.subject): each for each in alarms}
        for key, each in now.items():
            if key not in self._sounding:
                log.warning("alarm", alarm=each.alarm, subject=each.subject, reason=each.reason)
        for key, each in self._sounding.items():
            if key not in now:
                log.warning("alarm is over", alarm=each.alarm, subject=each.subject)
        self._sounding = now

    def blind(self) -> None:
        """Note that the database is away: what it would say of the others is not known."""
        self.note([*self._sounding.values(), DATABASE_AWAY])


async def keep_journal(
    look: Callable[[], Awaitable[Sequence[Alarm]]], seconds: float = LOOK_SECONDS
) -> None:
    """Look for alarms again and again until cancelled."""
    journal, failing = Journal(), False
    while True:
        await asyncio.sleep(seconds)
        try:
            journal.note(await look())
            failing = False
        except StorageUnavailable:
            journal.blind()
        except Exception:  # a bug of ours in a report must not end the daemon
            if not failing:
                log.exception("looking for alarms failed")
            failing = True
