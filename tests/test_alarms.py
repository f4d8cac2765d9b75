"""Which alarms a status gives reason for, and that each is told once when it begins and ends."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

import storage
from watcher.alarms import Alarm, Journal, alarms_of, keep_journal

ENDPOINT = {"name": "own", "state": "healthy", "reason": None, "quarantined": None}
STALLED = Alarm("network_stalled", "tron", "no new block for too long")
DEAD = Alarm("webhooks_dead", "webhooks", "1 deliveries were given up")


def status(**said: Any) -> dict[str, Any]:
    """A status that gives no reason for any alarm, but for what is `said`."""
    calm: dict[str, Any] = {
        "networks": [network()],
        "rates": {"sources": [{"source": "kraken", "stale": False, "last_error": "timeout"}]},
        "audit": {"findings": 0},
        "webhooks": {"dead": 0},
        "chores": [{"name": "audit", "last_error": None}],
    }
    return {**calm, **said}


def network(**said: Any) -> dict[str, Any]:
    calm: dict[str, Any] = {
        "network": "tron",
        "state": "following",
        "last_error": None,
        "finalized": {"frozen": False, "reason": "finality was never known"},
        "agreement": {"waiting": 1, "reason": None},
        "endpoints": [ENDPOINT],
    }
    return {**calm, **said}


@pytest.mark.parametrize("state", ["starting", "catching_up", "following"])
def test_what_goes_its_way_is_no_alarm(state: str) -> None:
    assert alarms_of(status(networks=[network(state=state, last_error="timeout")])) == []


def test_where_this_process_asks_for_no_rates_none_are_stale() -> None:
    assert alarms_of(status(rates=None)) == []


@pytest.mark.parametrize(
    ("said", "alarm"),
    [
        ({"networks": [network(state="stalled")]}, STALLED),
        (
            {"networks": [network(state="stalled", last_error="own: timeout")]},
            Alarm("network_stalled", "tron", "own: timeout"),
        ),
        (
            {"networks": [network(state="halted", last_error="too deep")]},
            Alarm("network_halted", "tron", "too deep"),
        ),
        (
            {"networks": [network(finalized={"frozen": True, "reason": "it went back"})]},
            Alarm("finality_frozen", "tron", "it went back"),
        ),
        (
            {
                "networks": [
                    network(endpoints=[ENDPOINT, {**ENDPOINT, "name": "b", "quarantined": "a lie"}])
                ]
            },
            Alarm("endpoint_quarantined", "tron/b", "a lie"),
        ),
        (
            {"networks": [network(endpoints=[{**ENDPOINT, "state": "forked", "reason": "alone"}])]},
            Alarm("endpoint_forked", "tron/own", "alone"),
        ),
        (
            {"networks": [network(agreement={"waiting": 1, "reason": "it waits"})]},
            Alarm("agreement_waits", "tron", "it waits"),
        ),
        (
            {"rates": {"sources": [{"source": "kraken", "stale": True, "last_error": None}]}},
            Alarm("rates_stale", "kraken", "it has not answered for too long"),
        ),
        (
            {"audit": {"findings": 2}},
            Alarm(
                "audit_findings",
                "audit",
                "2 findings await a decision: `deposit-watcher audit` shows them",
            ),
        ),
        ({"webhooks": {"dead": 1}}, DEAD),
        (
            {"chores": [{"name": "audit", "last_error": "no database"}]},
            Alarm("chore_failing", "audit", "no database"),
        ),
    ],
)
def test_an_alarm_says_what_it_is_about_and_why(said: dict[str, Any], alarm: Alarm) -> None:
    assert alarms_of(status(**said)) == [alarm]


def told(*looks: Sequence[Alarm] | None) -> list[tuple[str, str]]:
    """The lines of the log after these looks; None: the database was away."""
    journal = Journal()
    with capture_logs() as lines:
        for alarms in looks:
            journal.blind() if alarms is None else journal.note(alarms)
    return [(line["event"], line["alarm"]) for line in lines]


BEGINS, ENDS = ("alarm", "network_stalled"), ("alarm is over", "network_stalled")


@pytest.mark.parametrize(
    ("looks", "lines"),
    [
        pytest.param([[], []], [], id="calm"),
        pytest.param([[STALLED], [STALLED], [STALLED]], [BEGINS], id="once, however long"),
        pytest.param(
            [[STALLED], [Alarm("network_stalled", "tron", "another reason")]],
            [BEGINS],
            id="another reason is no other alarm",
        ),
        pytest.param([[STALLED], [], []], [BEGINS, ENDS], id="its end, once"),
        pytest.param([[STALLED], [], [STALLED]], [BEGINS, ENDS, BEGINS], id="again"),
        pytest.param(
            [[STALLED], [Alarm("network_stalled", "ethereum", "x")]],
            [BEGINS, BEGINS, ENDS],
            id="of another network",
        ),
        pytest.param(
            [[STALLED], None, None, [STALLED]],
            [BEGINS, ("alarm", "database_away"), ("alarm is over", "database_away")],
            id="what is unknown is not over",
        ),
    ],
)
def test_each_alarm_is_told_when_it_begins_and_when_it_ends(
    looks: list[Sequence[Alarm] | None], lines: list[tuple[str, str]]
) -> None:
    assert told(*looks) == lines


async def test_the_journal_outlives_an_outage_and_a_fault_of_our_own() -> None:
    done = asyncio.Event()
    looks: list[Any] = [
        storage.StorageUnavailable("away"),
        KeyError("state"),
        KeyError("state"),
        [STALLED],
    ]

    async def look() -> Sequence[Alarm]:
        match looks.pop(0) if looks else []:
            case Exception() as error:
                raise error
            case alarms:
                if not looks:
                    done.set()
                return list(alarms)

    with capture_logs() as lines:
        task = asyncio.create_task(keep_journal(look, seconds=0))
        await asyncio.wait_for(done.wait(), 5)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    assert [line["event"] for line in lines][:3] == ["alarm", "looking for alarms failed", "alarm"]
