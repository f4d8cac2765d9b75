"""False deposits on Tron, on the embedded node; the numbers are those of chains.md 6."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from chains.sandbox.control import Reorg, Way
from chains.sandbox.evm.contracts import CRIER, HOLDER, TRANSFER, cry, word
from chains.sandbox.tron.accounts import inner
from chains.sandbox.tron.flavour import FAKE_COIN, tron
from chains.sandbox.tron.node import TronNode
from chains.sandbox.tron.payments import called
from chains.tron import TRON
from storage import Engine
from tests.attack.catalogue.nodes import on_tron
from tests.attack.catalogue.stage import BOTH_ENGINES, CONFIRMATIONS, DUE, HONEST, Stage, open_stage
from tests.chains.sandbox.tron import ASSETS, COIN, SHOP, TRX, USDT, ask, contract, open_tron
from tests.world import catch_up, the_invoice
from watcher.domain.deposits import DepositStatus
from watcher.domain.invoices import Flag, InvoiceStatus
from watcher.domain.money import Address, Asset

HUGE = 2**256 - 1
NAMED_USDT = Asset(TRON.name, "USDT", 6, Address(FAKE_COIN))
"""A TRC-10 token."""
LOOKALIKE = Address(f"0x41{contract(USDT)[2:-2]}")
"""The first 20 bytes of USDT's address as nodes write it, which has 21."""
BOTH = pytest.mark.parametrize("asset", [TRX, USDT], ids=["coin", "token"])


@pytest.fixture
async def node() -> AsyncIterator[TronNode]:
    """One on which whoever is called at LOOKALIKE logs what it is told to."""
    flavour = tron(ASSETS)
    contracts = {**flavour.contracts, LOOKALIKE: flavour.contracts[CRIER]}
    async with open_tron(flavour=replace(flavour, contracts=contracts)) as opened:
        yield opened


@pytest.fixture
async def stage(node: TronNode, engine: Engine) -> AsyncIterator[Stage]:
    async with open_stage(engine, on_tron(node)) as opened:
        yield opened


def outcome(node: TronNode, tx: str) -> tuple[str, dict[str, Any]]:
    """What a block says came of a transaction, and what the node tells beside."""
    found = node.chain.find(tx)
    assert found is not None
    mined, index = found
    return mined.block["transactions"][index]["ret"][0]["contractRet"], mined.infos[index]


@BOTH
async def test_01_a_transaction_that_failed_pays_nothing(
    stage: Stage, node: TronNode, asset: Asset
) -> None:
    tx = await stage.attack("failed", asset)
    assert outcome(node, tx)[0] == "REVERT"
    await stage.assert_nothing_came()


@BOTH
async def test_02_a_call_within_that_failed_pays_nothing(
    stage: Stage, node: TronNode, asset: Asset
) -> None:
    tx = await stage.attack("reverted", asset)
    assert outcome(node, tx)[0] == "SUCCESS"
    await stage.assert_nothing_came()


async def test_03_a_token_that_answers_false_and_logs_nothing_pays_nothing(
    stage: Stage, node: TronNode
) -> None:
    tx = await stage.attack("denied", USDT)
    result, info = outcome(node, tx)
    assert (result, info.get("log")) == ("SUCCESS", None)
    await stage.assert_nothing_came()


async def test_04_a_namesake_of_a_token_pays_nothing(stage: Stage) -> None:
    await stage.attack("fake", USDT)
    await stage.assert_nothing_came()


async def test_05_an_event_of_any_other_contract_pays_nothing(stage: Stage) -> None:
    await stage.attack("forged", USDT)
    await stage.assert_nothing_came()


@pytest.mark.parametrize("way", ["nft", "indexed", "malformed", "dirty"])
async def test_06_an_event_of_another_shape_pays_nothing(stage: Stage, way: Way) -> None:
    await stage.attack(way, USDT)
    await stage.assert_nothing_came()


async def test_06_a_fourth_topic_beside_an_amount_pays_nothing(
    stage: Stage, node: TronNode
) -> None:
    topics = (TRANSFER, *(f"0x{word(each)}" for each in (HOLDER, inner(SHOP), 7)))
    tx = node.chain.send(called(cry(contract(USDT), topics, word(DUE))))
    await stage.prove_honest(USDT)
    assert len(outcome(node, tx)[1]["log"][0]["topics"]) == 4
    await stage.assert_nothing_came()


async def test_07_a_transfer_of_nothing_pays_nothing(stage: Stage) -> None:
    await stage.attack("poison", USDT)
    await stage.assert_nothing_came()


@BOTH
async def test_08_dust_is_recorded_and_does_not_count(
    node: TronNode, engine: Engine, asset: Asset
) -> None:
    async with open_stage(engine, on_tron(node), minimum={asset.symbol: "0.5"}) as stage:
        await stage.attack("plain", asset, 499_999)
        [dust] = await stage.stored()
        assert (dust.units, dust.below_minimum) == (499_999, True)
        invoice = await the_invoice(engine)
        assert (invoice.status, invoice.seen) == (InvoiceStatus.AWAITING_PAYMENT, 0)


async def test_09_leave_to_take_pays_nothing(stage: Stage) -> None:
    await stage.attack("approval", USDT)
    await stage.assert_nothing_came()


@BOTH_ENGINES
async def test_10_a_payment_that_a_fork_lets_fail_is_taken_back(
    stage: Stage, node: TronNode
) -> None:
    """The same transaction, in another block with another result."""
    paid = stage.node.pay(DUE, USDT, stage.node.victim)
    honest = stage.node.pay(DUE, USDT, stage.node.honest)
    await stage.follow(1)
    node.reorg(Reorg(1, blocks=2, keep=(paid, honest), starved=(paid,)))
    await stage.follow(CONFIRMATIONS)
    assert outcome(node, paid)[0] == "OUT_OF_ENERGY"
    [gone] = await stage.stored()
    assert gone.status is DepositStatus.ORPHANED
    assert (await the_invoice(stage.engine)).status is InvoiceStatus.AWAITING_PAYMENT
    before, after = sorted(await stage.stored(HONEST), key=lambda each: each.status == "confirmed")
    assert (before.status, after.status) == (DepositStatus.ORPHANED, DepositStatus.CONFIRMED)
    assert (await the_invoice(stage.engine, HONEST)).status is InvoiceStatus.PAID


@BOTH_ENGINES
@BOTH
async def test_12_two_payments_of_one_transaction_count_both_and_once(
    stage: Stage, asset: Asset
) -> None:
    await stage.attack("twice", asset)
    kind = "internal" if asset is TRX else "log"
    await stage.assert_paid(asset, {f"{kind}/0": DUE, f"{kind}/1": DUE}, Flag.OVERPAID)


async def test_13_what_leaves_in_its_own_transaction_is_told_by_the_audit(stage: Stage) -> None:
    """Only the address's own key can let it go: the deposit stands, and its absence is told."""
    await stage.audit(30)
    await stage.attack("bounced", USDT)
    await stage.assert_paid(USDT, {"log/0": DUE})
    assert await stage.audit(30) == [("unclear", USDT.method, DUE)]


async def test_14_value_that_a_borrowed_code_only_speaks_of_is_no_payment(
    stage: Stage, node: TronNode
) -> None:
    tx = await stage.attack("lent", TRX)
    [call] = outcome(node, tx)[1]["internal_transactions"]
    assert call["callValueInfo"] == [{}]
    await stage.assert_nothing_came()


async def test_15_trx_that_a_contract_forces_is_money(stage: Stage) -> None:
    await stage.attack("forced", TRX)
    await stage.assert_paid(TRX, {"internal/0": DUE})
    assert await stage.audit(30) == []


async def test_20_a_token_that_keeps_a_part_is_told_by_the_audit(stage: Stage) -> None:
    await stage.audit(30)
    await stage.attack("skimmed", USDT)
    await stage.assert_paid(USDT, {"log/0": DUE})
    assert await stage.audit(30) == [("unclear", USDT.method, DUE // 100)]


@pytest.mark.parametrize(
    ("held", "kind", "units"),
    [(0, "outgoing", DUE), (DUE + 7, "surplus", 7)],
    ids=["destroyed", "grown by itself"],
)
async def test_21_a_balance_that_changes_without_a_log_is_found_by_the_audit(
    stage: Stage, held: int, kind: str, units: int
) -> None:
    """What an issuer destroys looks as if the owner had taken it out: a finding, no alarm."""
    await stage.attack("plain", USDT)
    assert await stage.audit(30) == []
    stage.node.hold(held, USDT, stage.node.victim)
    assert await stage.audit(30) == [(kind, USDT.method, units)]
    await stage.assert_paid(USDT, {"log/0": DUE})


async def test_22_a_trc10_token_that_calls_itself_usdt_is_none(
    stage: Stage, node: TronNode
) -> None:
    tx = await stage.attack("plain", NAMED_USDT, honest=USDT)
    assert outcome(node, tx)[0] == "SUCCESS"
    await stage.assert_nothing_came()


async def test_22_a_listed_trc10_token_counts_by_its_number(stage: Stage) -> None:
    await stage.attack("plain", COIN)
    await stage.assert_paid(COIN, {f"value/{COIN.contract}": DUE})


@BOTH
@pytest.mark.parametrize(("way", "result"), [("failed", "REVERT"), ("starved", "OUT_OF_ENERGY")])
async def test_23_a_call_that_did_not_succeed_pays_nothing(
    stage: Stage, node: TronNode, way: Way, result: str, asset: Asset
) -> None:
    tx = await stage.attack(way, asset)
    told, info = outcome(node, tx)
    assert (told, info["receipt"]["result"], info["result"]) == (result, result, "FAILED")
    await stage.assert_nothing_came()


@BOTH
async def test_24_logs_that_a_call_out_of_time_leaves_pay_nothing(
    stage: Stage, node: TronNode, asset: Asset
) -> None:
    tx = await stage.attack("overtime", asset)
    told, info = outcome(node, tx)
    assert (told, len(info.get("log", ()))) == ("OUT_OF_TIME", 0 if asset is TRX else 1)
    await stage.assert_nothing_came()


async def test_25_a_rejected_call_of_a_good_transaction_pays_nothing(
    stage: Stage, node: TronNode
) -> None:
    tx = await stage.attack("reverted", TRX)
    result, info = outcome(node, tx)
    calls = [call for call in info["internal_transactions"] if call["callValueInfo"] != [{}]]
    assert (result, {call.get("rejected") for call in calls}) == ("SUCCESS", {True})
    await stage.assert_nothing_came()


@BOTH
async def test_26_what_is_only_sent_is_no_payment(stage: Stage, asset: Asset) -> None:
    await stage.follow(1)
    stage.node.pay(DUE, asset, stage.node.victim)
    await catch_up(stage.followers[0])
    await stage.assert_nothing_came()


async def test_26_what_is_not_solid_yet_is_not_confirmed(engine: Engine) -> None:
    async with (
        open_tron(finality_blocks=4) as node,
        open_stage(engine, on_tron(node), required="finalized") as stage,
    ):
        await stage.attack("plain", TRX)  # which has three blocks now, and needs five
        await stage.follow(1)
        assert (await the_invoice(engine)).status is InvoiceStatus.CONFIRMING
        assert await stage.told() == ["deposit.detected", "invoice.confirming"]
        await stage.follow(1)
        await stage.assert_paid(TRX, {"value": DUE})


async def test_26_what_a_fork_dropped_is_no_payment_whatever_the_node_still_says(
    stage: Stage, node: TronNode
) -> None:
    paid = stage.node.pay(DUE, TRX, stage.node.victim)
    honest = stage.node.pay(DUE, TRX, stage.node.honest)
    await stage.follow(1)
    node.reorg(Reorg(1, keep=(honest,)))
    await stage.follow(CONFIRMATIONS)
    said = await ask(node, "wallet/gettransactionbyid", value=paid)
    assert said["ret"][0]["contractRet"] == "SUCCESS"
    assert await ask(node, "wallet/gettransactioninfobyid", value=paid) == {}
    [gone] = await stage.stored()
    assert gone.status is DepositStatus.ORPHANED
    assert (await the_invoice(stage.engine)).status is InvoiceStatus.AWAITING_PAYMENT
    assert (await the_invoice(stage.engine, HONEST)).status is InvoiceStatus.PAID


async def test_27_what_a_good_payment_returns_is_ignored(stage: Stage, node: TronNode) -> None:
    """Tron's USDT says false whenever it pays."""
    tx = await stage.attack("plain", USDT)
    assert outcome(node, tx)[1]["contractResult"] == [word(0)]
    await stage.assert_paid(USDT, {"log/0": DUE})


@pytest.mark.parametrize(
    ("way", "asset", "position"),
    [("plain", TRX, "value"), ("internal", TRX, "internal/0"), ("plain", USDT, "log/0")],
    ids=["21 bytes", "21 bytes of a call", "20 bytes"],
)
async def test_28_an_address_is_the_same_however_nodes_write_it(
    stage: Stage, way: Way, asset: Asset, position: str
) -> None:
    await stage.attack(way, asset)
    [deposit] = await stage.assert_paid(asset, {position: DUE})
    assert deposit.address == SHOP


async def test_28_a_contract_whose_bytes_only_begin_like_a_tokens_is_none(
    stage: Stage, node: TronNode
) -> None:
    topics = (TRANSFER, f"0x{word(HOLDER)}", f"0x{word(inner(SHOP))}")
    tx = node.chain.send(called(cry(LOOKALIKE, topics, word(DUE))))
    await stage.prove_honest(USDT)
    [log] = outcome(node, tx)[1]["log"]
    assert f"41{contract(USDT)[2:]}".startswith(log["address"])
    await stage.assert_nothing_came()


@pytest.mark.parametrize("way", ["pulled", "internal"])
async def test_29_who_sends_the_transaction_does_not_matter(stage: Stage, way: Way) -> None:
    await stage.attack(way, USDT)
    await stage.assert_paid(USDT, {"log/0": DUE})


@BOTH_ENGINES
async def test_31_the_largest_amount_of_all_is_kept_to_the_last_unit(stage: Stage) -> None:
    await stage.attack("plain", USDT, HUGE)
    await stage.assert_paid(USDT, {"log/0": HUGE}, Flag.OVERPAID)


async def test_33_what_a_memo_claims_changes_no_amount(stage: Stage, node: TronNode) -> None:
    claim = f"paid {DUE} USDT to {SHOP}"
    tx = await stage.attack("plain", TRX, 1, memo=claim)
    found = node.chain.find(tx)
    assert found is not None
    raw = found[0].block["transactions"][found[1]]["raw_data"]
    assert bytes.fromhex(raw["data"]).decode() == claim
    [deposit] = await stage.stored()
    assert (deposit.units, deposit.method) == (1, TRX.method)
    assert (await the_invoice(stage.engine)).status is InvoiceStatus.PARTIALLY_PAID
