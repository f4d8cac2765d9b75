"""Stories of one network: payments, reorgs, lag, outages, restarts; on both engines."""

from __future__ import annotations

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

import storage
from chains.base import ChainUnavailable
from storage.leases import LeaseLost
from tests.factories import NETWORK, make_hash, make_invoice, make_transfer
from tests.fakes import FakeChain
from tests.world import (
    bodies,
    catch_up,
    make_follower,
    make_policy,
    open_shop,
    the_invoice,
    told,
)
from watcher import corroboration, finality
from watcher.beginning import Halted
from watcher.domain.blocks import Block
from watcher.domain.invoices import Flag, InvoiceStatus
from watcher.follower import Follower


@pytest.fixture
def chain():
    return FakeChain()


@pytest.fixture
async def follower(chain, engine, monkeypatch) -> Follower:
    monkeypatch.setattr(finality, "ASK_SECONDS", 0)
    await open_shop(engine)
    return make_follower(chain, engine)


async def mine(chain, follower, blocks: int) -> None:
    for _ in range(blocks):
        chain.mine()
    await catch_up(follower)


async def test_a_payment_is_seen_then_confirmed_at_its_depth_and_not_one_block_earlier(
    chain, follower, engine
):
    chain.mine(make_transfer(100))
    await catch_up(follower)
    assert (await the_invoice(engine)).status is InvoiceStatus.CONFIRMING

    await mine(chain, follower, 1)
    assert (await the_invoice(engine)).status is InvoiceStatus.CONFIRMING

    await mine(chain, follower, 1)
    assert (await the_invoice(engine)).status is InvoiceStatus.PAID
    await mine(chain, follower, 5)
    assert await told(engine) == [
        "deposit.detected",
        "invoice.confirming",
        "deposit.confirmed",
        "invoice.paid",
    ]


async def test_an_event_carries_what_was_true_at_its_commit(chain, follower, engine):
    chain.mine(make_transfer(40), make_transfer(60, position="log/1"))
    await catch_up(follower)
    first, second, third = await bodies(engine)
    assert (first["deposit"]["amount_units"], second["deposit"]["amount_units"]) == ("40", "60")
    assert [body["invoice"]["status"] for body in (first, second, third)] == ["confirming"] * 3
    assert len(third["invoice"]["deposits"]) == 2
    assert third["invoice"]["deposits"][0]["confirmations"] == 1


async def test_a_reorg_orphans_a_payment_and_a_new_block_brings_it_anew(chain, follower, engine):
    chain.mine(make_transfer(100))
    await mine(chain, follower, 1)
    chain.reorg(depth=2)
    chain.mine()
    chain.mine()
    chain.mine(make_transfer(100))
    await catch_up(follower)
    invoice = await the_invoice(engine)
    assert (invoice.status, invoice.seen) == (InvoiceStatus.CONFIRMING, 1)
    deposits = [kind for kind in await told(engine) if kind.startswith("deposit.")]
    assert deposits == ["deposit.detected", "deposit.orphaned", "deposit.detected"]


async def test_a_paid_invoice_whose_money_is_reorganised_away_is_reverted(chain, follower, engine):
    chain.mine(make_transfer(100))
    await mine(chain, follower, 2)
    assert (await the_invoice(engine)).paid_at is not None
    chain.reorg(depth=3)
    for _ in range(4):
        chain.mine()
    await catch_up(follower)
    invoice = await the_invoice(engine)
    assert (invoice.status, invoice.flags) == (InvoiceStatus.AWAITING_PAYMENT, {Flag.REORGED})
    assert invoice.paid_at is None
    assert (await told(engine))[-2:] == ["deposit.orphaned", "invoice.reverted"]


async def test_the_very_same_block_may_come_back(chain, follower, engine):
    await catch_up(follower)
    chain.mine(make_transfer(100))
    await catch_up(follower)
    first = chain.reorg(depth=1)
    chain.mine()
    await catch_up(follower)

    chain.reorg(depth=1, onto=first)
    chain.mine()
    await catch_up(follower)
    assert (await the_invoice(engine)).status is InvoiceStatus.CONFIRMING
    deposits = [kind for kind in await told(engine) if kind.startswith("deposit.")]
    assert deposits == ["deposit.detected", "deposit.orphaned", "deposit.detected"]


async def test_a_shorter_fork_is_followed(chain, follower, engine):
    chain.mine()
    chain.mine(make_transfer(100))
    await mine(chain, follower, 1)
    chain.reorg(depth=3)
    chain.mine()
    await catch_up(follower)
    assert (await the_invoice(engine)).status is InvoiceStatus.AWAITING_PAYMENT
    async with storage.read(engine) as conn:
        assert await storage.blocks.tip(conn, NETWORK) == chain.tip


async def test_a_node_that_lags_is_no_reorg(chain, follower, engine):
    chain.mine(make_transfer(100))
    await mine(chain, follower, 2)
    chain.lag = 2
    assert await follower.turn() is False
    assert (await the_invoice(engine)).status is InvoiceStatus.PAID


async def test_a_head_that_has_no_block_behind_it_is_no_reorg(chain, follower, engine):
    chain.mine(make_transfer(100))
    await mine(chain, follower, 2)
    chain.false_head = replace(chain.tip, hash=make_hash("f0"))
    assert await follower.turn() is False
    assert (await the_invoice(engine)).status is InvoiceStatus.PAID
    async with storage.read(engine) as conn:
        assert await storage.blocks.tip(conn, NETWORK) == chain.tip


async def test_a_block_that_enough_endpoints_still_have_is_not_given_up(engine, monkeypatch):
    monkeypatch.setattr(finality, "ASK_SECONDS", 0)
    await open_shop(engine)
    chain = FakeChain(["a", "b", "c"])
    follower = make_follower(chain, engine, policy=make_policy(agreement=2))
    chain.mine(make_transfer(100))
    await mine(chain, follower, 3)
    assert (await the_invoice(engine)).status is InvoiceStatus.PAID
    chain.reorg(depth=2)
    for _ in range(3):
        chain.mine()
    chain.stayed = {"b", "c"}
    with pytest.raises(ChainUnavailable, match="b, c still have block 4"):
        await follower.turn()
    assert (await the_invoice(engine)).status is InvoiceStatus.PAID
    chain.stayed = {"c"}
    await catch_up(follower)
    async with storage.read(engine) as conn:
        assert await storage.blocks.tip(conn, NETWORK) == chain.tip


@pytest.mark.parametrize("depth", [1, 3, 8])
async def test_a_reorg_within_the_limit_is_followed(chain, follower, engine, depth):
    await mine(chain, follower, 12)
    chain.reorg(depth)
    await mine(chain, follower, depth + 1)
    async with storage.read(engine) as conn:
        assert await storage.blocks.tip(conn, NETWORK) == chain.tip


async def test_a_reorg_deeper_than_the_limit_halts_and_changes_nothing_below(
    chain, follower, engine
):
    chain.mine(make_transfer(100))
    await mine(chain, follower, 12)
    chain.reorg(depth=10)
    for _ in range(12):
        chain.mine()
    with pytest.raises(Halted, match="deeper than the 8 blocks"):
        await catch_up(follower)
    assert (await the_invoice(engine)).status is InvoiceStatus.PAID


async def test_a_break_below_finality_halts(chain, follower, engine):
    chain.final = 4
    await mine(chain, follower, 6)
    chain.reorg(depth=3)
    for _ in range(5):
        chain.mine()
    with pytest.raises(Halted, match="block 4 was final"):
        await catch_up(follower)
    async with storage.read(engine) as conn:
        assert (await storage.blocks.tip(conn, NETWORK)).number == 4


async def test_finality_beyond_our_tip_does_not_make_a_stale_tail_final(chain, follower, engine):
    await mine(chain, follower, 5)
    chain.reorg(depth=2)
    for _ in range(20):
        chain.mine()
    chain.final = 20
    await catch_up(make_follower(chain, engine))
    async with storage.read(engine) as conn:
        cursor = await storage.cursors.get(conn, NETWORK)
    assert (cursor.tip, cursor.finalized) == (chain.tip, 20)


@pytest.mark.parametrize("said", [2, None])
async def test_finality_that_steps_back_takes_nothing_back_and_freezes_confirming(
    chain, follower, engine, said
):
    chain.final = 4
    await mine(chain, follower, 5)
    chain.mine(make_transfer(100))
    chain.final = said
    await mine(chain, follower, 4)
    assert (await the_invoice(engine)).status is InvoiceStatus.CONFIRMING
    assert follower.health.report("me")["frozen"]
    async with storage.read(engine) as conn:
        assert (await storage.cursors.get(conn, NETWORK)).finalized == 4
    chain.final = 5
    await catch_up(follower)
    assert (await the_invoice(engine)).status is InvoiceStatus.PAID
    assert follower.health.report("me")["frozen"] is None


async def test_a_rule_of_finality_waits_for_the_final_block(chain, engine, monkeypatch):
    monkeypatch.setattr(finality, "ASK_SECONDS", 0)
    quote = replace(make_invoice().quotes[0], required="finalized")
    await open_shop(engine, make_invoice(quotes=[quote]))
    follower = make_follower(chain, engine)
    chain.mine(make_transfer(100))
    await mine(chain, follower, 6)
    assert (await the_invoice(engine)).status is InvoiceStatus.CONFIRMING
    chain.final = 1
    await catch_up(follower)
    assert (await the_invoice(engine)).status is InvoiceStatus.PAID


async def test_a_deposit_is_not_confirmed_before_enough_endpoints_agree(engine, monkeypatch):
    monkeypatch.setattr(finality, "ASK_SECONDS", 0)
    monkeypatch.setattr(corroboration, "FIRST_PAUSE", 0)
    chain = FakeChain(["own"])
    await open_shop(engine)
    follower = make_follower(chain, engine, make_policy(agreement=2))
    chain.mine(make_transfer(100))
    await mine(chain, follower, 6)
    assert (await the_invoice(engine)).status is InvoiceStatus.CONFIRMING
    chain.names.append("backup")
    await catch_up(follower)
    assert (await the_invoice(engine)).status is InvoiceStatus.PAID


async def test_a_transfer_that_only_one_endpoint_tells_of_holds_up_no_other(engine, monkeypatch):
    monkeypatch.setattr(finality, "ASK_SECONDS", 0)
    chain, other = FakeChain(["own", "backup"]), "0x" + "a2" * 20
    chain.silent = {"backup": {"internal/0"}}
    await open_shop(engine, make_invoice(), make_invoice(key="2", addresses={"evm": other}))
    policy = make_policy(agreement=2, repeat_transfers=True)
    follower = make_follower(chain, engine, policy)
    chain.mine(make_transfer(100), make_transfer(100, to=other, position="internal/0", tx="2"))
    await mine(chain, follower, 4)
    assert (await the_invoice(engine)).status is InvoiceStatus.PAID
    assert (await the_invoice(engine, "2")).status is InvoiceStatus.CONFIRMING
    assert follower.health.report("me")["warnings"] == [
        "block 1 waits for agreement: 1 of 2 endpoints repeat it"
    ]


async def test_what_endpoints_said_before_a_reorg_counts_no_more(engine, monkeypatch):
    monkeypatch.setattr(finality, "ASK_SECONDS", 0)
    chain = FakeChain(["own", "backup"])
    await open_shop(engine)
    follower = make_follower(chain, engine, make_policy(agreement=2))
    chain.mine(make_transfer(100))
    await mine(chain, follower, 2)
    assert (await the_invoice(engine)).status is InvoiceStatus.PAID
    left = chain.reorg(depth=3)
    for _ in range(4):
        chain.mine()
    await catch_up(follower)
    chain.names.remove("backup")
    chain.reorg(depth=4, onto=left)
    for _ in range(3):
        chain.mine()
    await catch_up(follower)
    assert (await the_invoice(engine)).status is InvoiceStatus.CONFIRMING


async def test_endpoints_are_not_asked_again_for_what_is_not_deep_enough(chain, follower):
    chain.mine(make_transfer(100))
    await mine(chain, follower, 1)
    assert chain.corroborated == []
    await mine(chain, follower, 1)
    assert len(chain.corroborated) == 1
    await mine(chain, follower, 3)
    assert len(chain.corroborated) == 1


async def test_what_was_paid_while_the_daemon_was_down_is_found_in_order(chain, follower, engine):
    await catch_up(follower)
    for _ in range(200):
        chain.mine()
    chain.mine(make_transfer(30))
    chain.mine(make_transfer(70, tx="2"))
    for _ in range(200):
        chain.mine()
    await catch_up(make_follower(chain, engine))
    invoice = await the_invoice(engine)
    assert (invoice.status, invoice.seen) == (InvoiceStatus.EXPIRED, 0)  # block time was past it
    assert Flag.LATE in invoice.flags
    assert (await told(engine)).count("deposit.confirmed") == 2


async def test_a_batch_tells_what_single_steps_would(engine, chain, follower, monkeypatch):
    for _ in range(3):
        chain.mine()
    chain.mine(make_transfer(50))
    chain.mine(make_transfer(50, tx="2"))
    for _ in range(30):
        chain.mine()
    await catch_up(follower)
    assert await told(engine) == [
        "deposit.detected",
        "invoice.partially_paid",
        "deposit.detected",
        "invoice.confirming",
        "deposit.confirmed",
        "invoice.updated",
        "deposit.confirmed",
        "invoice.paid",
    ]


async def test_an_invoice_expires_by_the_chain_and_a_step_back_undoes_it(chain, follower, engine):
    chain.mine(seconds=1000)
    await catch_up(follower)
    assert (await the_invoice(engine)).status is InvoiceStatus.AWAITING_PAYMENT
    chain.mine(seconds=1)
    await catch_up(follower)
    assert (await the_invoice(engine)).status is InvoiceStatus.EXPIRED
    chain.reorg(depth=2)
    chain.mine(seconds=10)
    await catch_up(follower)
    assert (await the_invoice(engine)).status is InvoiceStatus.AWAITING_PAYMENT


async def test_an_invoice_does_not_expire_while_the_follower_lags(chain, follower, engine):
    chain.mine(seconds=900)
    await catch_up(follower)
    chain.mine(make_transfer(100), seconds=50)
    chain.mine(seconds=5000)
    chain.lag = 2
    await catch_up(follower)
    assert (await the_invoice(engine)).status is InvoiceStatus.AWAITING_PAYMENT
    chain.lag = 0
    await catch_up(follower)
    assert (await the_invoice(engine)).status is InvoiceStatus.CONFIRMING


async def test_money_in_another_coin_is_seen_and_flagged(chain, follower, engine):
    chain.mine(make_transfer(100, method="polygon:pol"))
    await catch_up(follower)
    invoice = await the_invoice(engine)
    assert (invoice.status, invoice.flags) == (InvoiceStatus.AWAITING_PAYMENT, {Flag.WRONG_ASSET})
    [deposit, _] = await bodies(engine)
    assert deposit["deposit"]["reason"] == "wrong_asset"


async def test_a_transfer_to_a_stranger_is_no_deposit(chain, follower, engine):
    chain.mine(make_transfer(100, to="0x" + "77" * 20))
    await catch_up(follower)
    assert await told(engine) == []


async def test_one_transaction_pays_two_invoices(chain, engine, monkeypatch):
    other = "0x" + "a2" * 20
    await open_shop(engine, make_invoice(), make_invoice(key="2", addresses={"evm": other}))
    follower = make_follower(chain, engine)
    chain.mine(make_transfer(100), make_transfer(100, to=other, position="log/1"))
    await catch_up(follower)
    assert (await the_invoice(engine)).seen == (await the_invoice(engine, "2")).seen == 1


async def test_a_failed_step_leaves_no_trace(chain, follower, engine, monkeypatch):
    await catch_up(follower)
    chain.mine(make_transfer(100))

    async def crash(*args):
        raise RuntimeError("the last write of the step")

    monkeypatch.setattr(storage.events, "append", crash)
    with pytest.raises(RuntimeError):
        await follower.turn()
    async with storage.read(engine) as conn:
        assert (await storage.blocks.tip(conn, NETWORK)).number == 0
        assert await storage.deposits.pending(conn, NETWORK) == []


async def test_an_outage_is_waited_out_and_told_of(chain, follower, engine):
    await catch_up(follower)
    chain.down = True
    chain.mine(make_transfer(100))
    with pytest.raises(ChainUnavailable):
        await follower.turn()
    pauses = [follower.health.failed(NETWORK, ChainUnavailable("down")) for _ in range(9)]
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert follower.health.report("me")["last_error"] == "down"
    chain.down = False
    await catch_up(follower)
    assert (await the_invoice(engine)).status is InvoiceStatus.CONFIRMING


async def test_our_own_fault_stops_its_step_and_skips_no_block(chain, follower, engine):
    await catch_up(follower)
    chain.mine(make_transfer(100))
    chain.mine()
    chain.blocks_asked.clear()
    chain.bugs = [ValueError("once"), ValueError("twice")]
    with capture_logs() as logs:
        pauses = [await follower._guarded_turn() for _ in range(2)]
        assert pauses == [1, 2]
        assert chain.blocks_asked.count(1) == 2
        report = follower.health.report("me")
        assert (report["errors_1h"], report["tip"]["number"]) == (2, 0)
        assert "ValueError" in report["last_error"]
        assert await told(engine) == []
        await follower._guarded_turn()
    assert [entry["log_level"] for entry in logs] == ["error", "warning", "warning"]
    report = follower.health.report("me")
    assert (report["errors_1h"], report["last_error"]) == (2, None)
    await catch_up(follower)
    assert await told(engine) == ["deposit.detected", "invoice.confirming"]
    assert follower.health.report("me")["tip"]["number"] == 2


async def test_each_kind_of_our_own_faults_is_logged_once_per_outage(chain, follower):
    await catch_up(follower)
    chain.mine()
    chain.bugs = [ValueError(), KeyError(), ValueError(), KeyError()]
    with capture_logs() as logs:
        for _ in range(5):
            await follower._guarded_turn()
        chain.bugs = [ValueError()]
        chain.mine()
        await follower._guarded_turn()
    told_of = [entry["exc_info"] for entry in logs if entry["log_level"] == "error"]
    assert [type(error) for error in told_of] == [ValueError, KeyError, ValueError]


async def test_what_our_own_fault_says_may_be_secret_and_is_not_shown(chain, follower):
    await catch_up(follower)
    chain.bugs = [ValueError("https://node.example/v2/0123456789abcdef")]
    await follower._guarded_turn()
    assert "0123456789abcdef" not in str(follower.health.report("me"))


async def test_a_node_that_never_answered_shows_with_its_reason(chain, follower, engine):
    chain.down = True
    with pytest.raises(ChainUnavailable):
        await follower.turn()
    follower.health.failed(NETWORK, ChainUnavailable("connection refused"))
    await follower._beat()
    async with storage.read(engine) as conn:
        [(_, report)] = (await storage.health.reports(conn)).values()
    assert (report["state"], report["last_error"]) == ("starting", "connection refused")


async def test_a_heartbeat_notes_where_the_network_stands(chain, follower, engine):
    await catch_up(follower)
    for _ in range(2):
        await follower._beat()
    async with storage.read(engine) as conn:
        samples = await storage.samples.since(conn, NETWORK, 0)
    assert [each.lag_blocks for each in samples] in ([0], [0, 0])  # a minute may have begun


async def test_a_second_process_stands_by_and_a_fenced_one_writes_nothing(chain, engine):
    await open_shop(engine)
    first = make_follower(chain, engine)
    second = Follower(make_policy(), NETWORK, chain, engine, "test:2")
    await catch_up(first)
    chain.mine(make_transfer(100))
    assert await second.turn() is False

    await first.stop()
    await catch_up(second)
    chain.mine()
    with pytest.raises(LeaseLost):
        # As if it had been paused past its lease: it still believes in its old epoch.
        await first._connect(replace(second._lease, epoch=1), [Block(chain.tip)])
    assert (await the_invoice(engine)).status is InvoiceStatus.CONFIRMING


async def test_a_database_of_another_chain_is_never_mixed(chain, follower, engine):
    await catch_up(follower)
    other = FakeChain()
    other._blocks = [Block(replace(other.tip, hash="ff" * 32))]
    with pytest.raises(Halted, match="genesis"):
        await make_follower(other, engine).turn()


async def test_a_first_start_begins_below_the_head(chain, engine):
    await open_shop(engine)
    policy = make_policy()
    network = replace(policy.networks[NETWORK], start_block=None)
    for _ in range(100):
        chain.mine()
    await catch_up(make_follower(chain, engine, replace(policy, networks={NETWORK: network})))
    assert min(chain.blocks_asked) == 92
    async with storage.read(engine) as conn:
        assert await storage.blocks.at(conn, NETWORK, 92) is not None


async def test_only_what_may_be_undone_is_kept(chain, follower, engine):
    await mine(chain, follower, 30)
    async with storage.read(engine) as conn:
        assert await storage.blocks.at(conn, NETWORK, 22) is not None
        assert await storage.blocks.at(conn, NETWORK, 21) is None


async def test_after_a_long_sleep_blocks_are_fetched_ahead(chain, follower):
    await mine(chain, follower, 5)
    for _ in range(50):
        chain.mine()
    for _ in range(4):
        await follower.turn()
    assert max(chain.blocks_asked) > 12  # further than the turns alone would come


async def test_each_block_is_asked_for_once(chain, follower):
    await mine(chain, follower, 60)
    found = [number for number in chain.blocks_asked if number <= 60]
    assert sorted(found) == sorted(set(found))
