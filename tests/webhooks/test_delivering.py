"""From an event in the log to a receiver that took it, on both engines."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select, update

import storage
import storage.dialects
from storage import Engine, schema
from tests.api.shop import ADMIN, Json, add_key
from tests.real.shop import until
from tests.webhooks.receiver import (
    Office,
    Receiver,
    delivering,
    hurried,
    multiply,
    open_office,
    patient_policy,
)
from tests.world import steady
from watcher import clock
from watcher.render import event_body
from watcher.webhooks import crowding, dialects
from watcher.webhooks.delivering import Deliverer

AT_ONCE = [0] * 10


@pytest.fixture
async def office(engine: Engine) -> AsyncIterator[Office]:
    async with open_office(engine, patient_policy(1)) as opened:  # some receivers hang
        yield opened


def climb(monkeypatch: pytest.MonkeyPatch, *rungs: int) -> None:
    """Put other rungs into our ladder."""
    monkeypatch.setitem(dialects.DIALECTS, "native", hurried(*rungs))


async def events(office: Office) -> list[storage.events.StoredEvent]:
    async with storage.read(office.engine) as conn:
        return await storage.events.after(conn, office.shop.merchant_id, 0, 100_000)


async def test_every_event_arrives_once_in_order_signed_and_as_the_log_has_it(
    office: Office,
) -> None:
    hook = await office.add()
    invoice = await office.shop.create(methods=["ethereum:usdt"])
    await office.shop.pay()
    await office.shop.mine(2)
    async with delivering(office):
        assert await office.settled() == {"delivered": len(await events(office))}
    assert (await office.shop.show(invoice))["status"] == "paid"
    log = await events(office)
    assert [call.id for call in office.receiver.calls] == [event.id for event in log]
    for call, event in zip(office.receiver.calls, log, strict=True):
        assert call.body == event_body(office.shop.policy, event)
        assert call.verify(hook["secret"])["seq"] == event.seq
    assert office.receiver.types()[-1] == "invoice.paid"


async def test_a_pattern_chooses_what_is_delivered(office: Office) -> None:
    for path, patterns in {"/a": ["deposit.*"], "/b": ["invoice.paid"], "/c": ["*"]}.items():
        await office.add(path, events=patterns)
    await office.shop.create(methods=["ethereum:usdt"])
    await office.shop.pay()
    await office.shop.mine(2)
    async with delivering(office):
        await office.settled()
    assert office.receiver.types("/a") == ["deposit.detected", "deposit.confirmed"]
    assert office.receiver.types("/b") == ["invoice.paid"]
    assert len(office.receiver.types("/c")) == len(await events(office))


async def test_what_was_told_before_a_webhook_was_there_is_not_delivered_to_it(
    office: Office,
) -> None:
    await office.shop.create()
    await office.add()
    assert await office.deliveries() == []


async def test_a_callback_gets_its_invoice_signed_by_the_secret_of_the_key(
    office: Office,
) -> None:
    key = await add_key(office.engine, office.shop.merchant_id)
    url = office.receiver.url("/callback")
    await office.shop.create(key.text, methods=["ethereum:usdt"], callback_url=url)
    await office.shop.create()
    async with storage.write(office.engine) as conn:
        assert await storage.keys.revoke(conn, key.key.id, clock.now())
    await office.shop.pay()
    await office.shop.mine(2)
    async with delivering(office):
        await office.settled()
    types = ["invoice.created", "invoice.confirming", "invoice.paid"]
    assert office.receiver.types("/callback") == types
    for call in office.receiver.calls:
        call.verify(key.signing_secret)


@pytest.mark.parametrize(
    "url",
    ["https://shop.example/a", "https://SHOP.example:443/b", "http://shop.example", "http://[::1]"],
)
async def test_a_callback_shares_the_lane_of_webhooks_at_its_host(office: Office, url: str) -> None:
    assert (await office.shop.post("/v1/webhooks", {"url": url})).status == 201
    await office.shop.create(callback_url=url)
    assert len({each.lane for each in await office.deliveries()}) == 1
    assert len(await office.deliveries()) == 2


async def test_a_callback_gets_deposits_too_where_it_was_asked_for(office: Office) -> None:
    url = office.receiver.url("/callback")
    fields = {"callback_url": url, "callback_per_deposit": True}
    await office.shop.create(methods=["ethereum:usdt"], **fields)
    await office.shop.pay()
    async with delivering(office):
        await office.settled()
    assert "deposit.detected" in office.receiver.types("/callback")


MANNERS = [  # what the receiver does for ever, and what the log says of it
    (500, 500, None),
    (404, 404, None),
    ("redirect", 302, None),
    ("hang", None, "no answer within 1 s"),
    ("late", None, "no answer within 1 s"),
    ("close", None, "the receiver closed the connection without an answer"),
]


@pytest.mark.parametrize(("manner", "status", "error"), MANNERS, ids=lambda each: str(each)[:9])
async def test_a_receiver_that_never_takes_it_is_given_up_with_each_try_in_the_log(
    office: Office,
    manner: int | str,
    status: int | None,
    error: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    climb(monkeypatch, *AT_ONCE)
    await office.add(retry_count=2)
    office.receiver.manners["/hook"] = [manner]
    await office.shop.create()
    async with delivering(office):
        assert await office.settled() == {"dead": 1}
    tries = await office.log()
    assert [each.number for each in tries] == [1, 2, 3]
    assert {(each.status, each.error) for each in tries} == {(status, error)}
    assert len({call.id for call in office.receiver.at("/hook")}) == 1
    assert len(office.receiver.at("/hook")) == 3
    assert office.receiver.at("/elsewhere") == []


async def test_an_answer_of_ten_megabytes_is_success_and_is_cut(office: Office) -> None:
    await office.add()
    office.receiver.manners["/hook"] = ["flood"]
    await office.shop.create()
    async with delivering(office):
        assert await office.settled() == {"delivered": 1}
    [tried] = await office.log()
    assert len(tried.answer) == 4096


async def test_a_receiver_that_fails_first_gets_the_same_event_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    climb(monkeypatch, *AT_ONCE)
    hook = await office.add()
    office.receiver.manners["/hook"] = [500, "close", 503, 200]
    await office.shop.create()
    async with delivering(office):
        assert await office.settled() == {"delivered": 1}
    calls = office.receiver.calls
    assert len(calls) == 4
    assert {(call.id, call.body) for call in calls} == {(calls[0].id, calls[0].body)}
    for call in calls:
        call.verify(hook["secret"])
    assert [each.status for each in await office.log()] == [500, None, 503, 200]


async def test_the_ladder_has_the_documented_rungs_and_a_jitter_that_only_adds(
    office: Office,
) -> None:
    await office.add()
    office.receiver.manners["/hook"] = [500]
    await office.shop.create()
    deliverer, waits = office.deliverer(), []
    for _ in dialects.LADDER:
        await one_try(office, deliverer)
        [delivery] = await office.deliveries()
        waits.append(delivery.due_at - clock.now())
        await make_due(office)
    await one_try(office, deliverer)
    await deliverer.close()
    for wait, rung in zip(waits, dialects.LADDER, strict=True):
        assert rung - 2 <= wait <= 1.2 * rung + 2
    assert await office.states() == {"dead": 1}
    assert len(await office.log()) == 11


async def one_try(office: Office, deliverer: Deliverer) -> None:
    """Begin what is due, and store how it ended."""
    assert await deliverer.turn() == 1
    begun = len(await office.log())

    async def stored() -> bool:
        await deliverer.turn(begin=False)
        return len(await office.log()) > begun

    await until(stored, "the try is in the log")


async def make_due(office: Office) -> None:
    """Let the time of every rung have passed."""
    async with storage.write(office.engine) as conn:
        await conn.execute(update(schema.deliveries).values(due_at=0))


async def test_the_next_event_of_an_invoice_waits_until_the_second_failed_try(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    climb(monkeypatch, 0, 1000)
    await office.add()
    office.receiver.manners["/hook"] = [500, 500, 200]
    invoice = await office.shop.create(methods=["ethereum:usdt", "ethereum:eth"])
    await office.shop.post(f"/v1/invoices/{invoice['id']}/select", {"method": "ethereum:eth"})
    async with delivering(office):
        await until(lambda: delivered(office, 1), "the second event is there")
    created, selected = "invoice.created", "invoice.method_selected"
    assert office.receiver.types() == [created, created, selected]
    assert [each.state for each in await office.deliveries()] == ["waiting", "delivered"]


async def delivered(office: Office, number: int) -> bool:
    return (await office.states())["delivered"] >= number


async def test_another_invoice_does_not_wait_for_one_that_fails(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    climb(monkeypatch, 1000)
    await office.add()
    office.receiver.manners["/hook"] = [500, 200]
    first, second = await office.shop.create(), await office.shop.create()
    async with delivering(office):
        await until(lambda: delivered(office, 1), "one of them is there")
    states = {each.invoice_id: each.state for each in await office.deliveries()}
    assert states == {first["id"]: "waiting", second["id"]: "delivered"}


async def test_a_receiver_that_is_gone_is_disabled_and_goes_on_when_enabled(
    office: Office,
) -> None:
    hook = await office.add()
    office.receiver.manners["/hook"] = [410, 200]
    invoice = await office.shop.create(methods=["ethereum:usdt", "ethereum:eth"])
    await office.shop.post(f"/v1/invoices/{invoice['id']}/select", {"method": "ethereum:eth"})
    path = f"/v1/webhooks/{hook['id']}"
    async with delivering(office):
        await until(lambda: disabled(office, path), "it is disabled")
        await office.shop.create()
        assert await office.states() == {"dead": 1, "held": 1}
        shown = (await office.shop.get(path)).body
        assert shown["disabled_reason"] == "the receiver answered 410 Gone"

        answer = await office.shop.ask("PATCH", path, json={"enabled": True})
        assert (answer.body["enabled"], answer.body["disabled_reason"]) == (True, None)
        assert await office.settled() == {"dead": 1, "delivered": 1}
    assert office.receiver.types() == ["invoice.created", "invoice.method_selected"]


async def disabled(office: Office, path: str) -> bool:
    return not (await office.shop.get(path)).body["enabled"]


async def test_a_rotated_secret_signs_beside_the_former_one_for_a_day(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = await office.add()
    answer = await office.shop.post(f"/v1/webhooks/{hook['id']}/rotate")
    assert answer.body["former_secret_until"] is not None
    await office.shop.create()
    async with delivering(office):
        await office.settled()
        [call] = office.receiver.calls
        call.verify(hook["secret"])
        call.verify(answer.body["secret"])

        async with storage.write(office.engine) as conn:
            yesterday = clock.now()
            await conn.execute(update(schema.webhooks).values(former_until=yesterday))
        await office.shop.create()
        await office.settled()
    last = office.receiver.calls[-1]
    last.verify(answer.body["secret"])
    with pytest.raises(Exception, match="No matching signature"):
        last.verify(hook["secret"])


async def test_a_slow_receiver_does_not_hold_up_another(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("watcher.webhooks.delivering.GRACE_SECONDS", 0)
    async with open_office(engine) as office, Receiver() as quick:
        await office.add()
        office.receiver.manners["/hook"] = ["hang"]
        await office.shop.post("/v1/webhooks", {"url": quick.url()})
        for _ in range(40):
            await office.shop.create()
        async with delivering(office):
            await until(lambda: delivered(office, 40), "the other receiver has all")
            assert office.receiver.at_work["/hook"] == crowding.PER_HOST  # none is over yet
        assert len(quick.calls) == 40


async def test_what_fails_is_tried_one_at_a_time_until_it_answers_again(office: Office) -> None:
    await office.add()
    office.receiver.manners["/hook"] = [500, "hang"]
    await office.shop.create()
    async with delivering(office):
        await until(lambda: logged(office, 1), "it failed")
        for _ in range(5):
            await office.shop.create()
        await until(lambda: logged(office, 3), "some were tried again")
    assert office.receiver.most_at_once["/hook"] == 1


async def test_a_deleted_webhook_is_told_of_nothing_any_more(office: Office) -> None:
    hook = await office.add()
    await office.shop.create()
    assert (await office.shop.ask("DELETE", f"/v1/webhooks/{hook['id']}")).status == 204
    await office.shop.create()
    async with delivering(office):
        assert await office.settled() == {"dead": 1}
    assert office.receiver.calls == []


async def test_an_event_told_while_its_webhook_was_switched_off_is_held(office: Office) -> None:
    await office.add()
    await office.shop.create()
    async with storage.write(office.engine) as conn:  # as a change that commits at the same moment
        await conn.execute(update(schema.webhooks).values(state="disabled"))
    async with delivering(office):
        assert await office.settled() == {"held": 1}
    assert office.receiver.calls == []


async def test_a_secret_that_the_key_file_does_not_open_is_a_failure_in_the_log(
    office: Office,
) -> None:
    await office.add()
    await office.shop.create()
    async with storage.write(office.engine) as conn:
        await conn.execute(update(schema.webhooks).values(secret=b"sealed elsewhere"))
    async with delivering(office):
        await until(lambda: logged(office, 1), "the try is in the log")
    [tried] = await office.log()
    assert tried.error == "not sent: no key in the key file opens this secret"
    assert office.receiver.calls == []


async def logged(office: Office, number: int) -> bool:
    return len(await office.log()) >= number


async def test_two_deliverers_never_send_one_event_at_once(office: Office) -> None:
    await office.add()
    for _ in range(60):
        await office.shop.create()
    async with delivering(office), delivering(office):
        assert await office.settled() == {"delivered": 60}
    assert max(Counter(call.id for call in office.receiver.calls).values()) == 1


async def test_what_a_dead_process_took_is_delivered_when_its_lease_is_over(
    office: Office,
) -> None:
    await office.add()
    await office.shop.create()
    async with storage.write(office.engine) as conn:
        [lane] = await storage.lanes.due(conn, 10)
        [taken] = await storage.deliveries.take(conn, lane, 10, lease_seconds=2)
        assert await storage.lanes.due(conn, 10) == []
    async with delivering(office):
        assert await office.settled() == {"delivered": 1}
    [tried] = await office.log()
    assert (taken.tries, tried.number) == (1, 2)


async def test_a_lease_is_never_shorter_than_asked_for(office: Office) -> None:
    await office.add()
    await office.shop.create()
    async with storage.write(office.engine) as conn:
        [lane] = await storage.lanes.due(conn, 10)
        second: int = (await conn.execute(select(storage.dialects.clock(conn)))).scalar_one()
        [taken] = await storage.deliveries.take(conn, lane, 10, lease_seconds=60)
    assert taken.due_at > second + 60  # that second may be all but over


async def test_the_outcome_of_a_try_whose_lease_was_lost_changes_nothing(
    office: Office,
) -> None:
    await office.add()
    await office.shop.create()
    async with storage.write(office.engine) as conn:
        [lane] = await storage.lanes.due(conn, 10)
        [old] = await storage.deliveries.take(conn, lane, 10, lease_seconds=-1)
        [new] = await storage.deliveries.take(conn, lane, 10, lease_seconds=60)
        await storage.deliveries.give_up(conn, old, 1)
        await storage.deliveries.succeed(conn, [old], 1)
        assert await storage.deliveries.get(conn, old.merchant_id, old.id) == new
        await storage.deliveries.succeed(conn, [new], 1)
    assert await office.states() == {"delivered": 1}


async def test_what_is_under_way_is_not_sent_a_second_time_by_asking_for_it(
    office: Office,
) -> None:
    hook = await office.add()
    await office.shop.create()
    async with storage.write(office.engine) as conn:
        [lane] = await storage.lanes.due(conn, 10)
        [taken] = await storage.deliveries.take(conn, lane, 10, lease_seconds=60)
    again = await office.shop.post(f"/v1/deliveries/{taken.id}/redeliver")
    assert (again.status, again.body["state"]) == (202, "waiting")
    for enabled in (False, True):
        await office.shop.ask("PATCH", f"/v1/webhooks/{hook['id']}", json={"enabled": enabled})
    async with storage.write(office.engine) as conn:
        assert await storage.lanes.due(conn, 10) == []
        await storage.deliveries.succeed(conn, [taken], 1)
    assert await office.states() == {"delivered": 1}


async def test_what_arrives_while_its_webhook_is_switched_off_has_arrived(office: Office) -> None:
    hook = await office.add()
    await office.shop.create()
    async with storage.write(office.engine) as conn:
        [lane] = await storage.lanes.due(conn, 10)
        [taken] = await storage.deliveries.take(conn, lane, 10, lease_seconds=60)
    await office.shop.ask("PATCH", f"/v1/webhooks/{hook['id']}", json={"enabled": False})
    async with storage.write(office.engine) as conn:
        await storage.deliveries.succeed(conn, [taken], 1)
    assert await office.states() == {"delivered": 1}


async def test_the_status_counts_what_waits_fails_and_was_given_up(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    climb(monkeypatch, 1000)
    hook = await office.add("/a")
    await office.add("/b", retry_count=0)
    for path in ("/a", "/b"):
        office.receiver.manners[path] = [500]
    await office.shop.create()
    async with delivering(office):
        await until(lambda: logged(office, 2), "both were tried")
    status = (await office.shop.get("/admin/status", ADMIN)).body["webhooks"]
    assert {**status, "oldest_seconds": 0} == {
        "pending": 1,
        "failing": 1,
        "dead": 1,
        "oldest_seconds": 0,
    }
    shown = (await office.shop.get(f"/v1/webhooks/{hook['id']}")).body["deliveries"]
    assert (shown["pending"], shown["failing"], shown["dead"]) == (1, 1, 0)


async def test_every_status_change_has_one_event_that_equals_the_invoice_at_its_commit(
    office: Office,
) -> None:
    hook = await office.add()
    shop = office.shop
    invoice = await shop.create(methods=["ethereum:usdt"])
    seen: list[Json] = [await shop.show(invoice)]
    steps = (
        shop.pay(units=4_000_000),
        shop.pay(units=6_000_000, tx="2"),
        shop.mine(),
        shop.mine(),
        shop.mine(),
    )
    for step in steps:
        await step
        seen.append(await shop.show(invoice))
    async with delivering(office):
        await office.settled()
    told = [call.verify(hook["secret"]) for call in office.receiver.calls]
    bodies = [each["data"]["invoice"] for each in told if each["type"].startswith("invoice.")]
    changes = [
        body for body, was in zip(bodies, [None, *bodies], strict=False) if changed(body, was)
    ]
    shown = [body for body, was in zip(seen, [None, *seen], strict=False) if changed(body, was)]
    statuses = ["awaiting_payment", "partially_paid", "confirming", "paid"]
    assert [each["status"] for each in changes] == statuses
    assert [steady(each) for each in changes] == [steady(each) for each in shown]


def changed(body: Json, was: Json | None) -> bool:
    return was is None or body["status"] != was["status"]


async def test_of_ten_thousand_that_wait_few_are_taken_at_once(office: Office) -> None:
    await office.add()
    await office.shop.create()
    await multiply(office, 10_000)
    office.receiver.manners["/hook"] = ["hang"]
    deliverer = office.deliverer()
    assert await deliverer.turn() == crowding.PER_HOST
    assert await deliverer.turn() == 0
    stop = asyncio.Event()
    stop.set()
    await deliverer.run(stop)
    await deliverer.close()
    assert (await office.states())["waiting"] == 10_001
