"""False deposits on Ethereum, made by a real EVM; the numbers are those of chains.md 6."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from chains.evm.rules import SYSTEM_ADDRESS
from chains.sandbox.control import Way
from chains.sandbox.evm.contracts import CRIER, HOLDER, TRANSFER, cry, token_transfer, word
from chains.sandbox.evm.orders import Order
from storage import Engine
from tests.anvil import Anvil
from tests.attack.catalogue.nodes import ATTACKER, CUSTOMER, AnvilNode
from tests.attack.catalogue.stage import BOTH_ENGINES, CONFIRMATIONS, DUE, HONEST, Stage, open_stage
from tests.chains.sandbox.evm import ETH, USDT, contract
from tests.real.contracts import REVERTING
from tests.world import catch_up, the_invoice
from watcher.domain.deposits import DepositStatus
from watcher.domain.invoices import Flag, InvoiceStatus
from watcher.domain.money import Address, Asset

HUGE = 2**256 - 1
DELEGATE, BORROWER = Address("0x" + "de1e" * 10), Address("0x" + "b0" * 20)
CALLCODE = "0x5f5f5f5f345f355af25000"
"""callcode(gas, the first word of the data, its value, nothing, nothing), pop, stop."""
PASSING_ON = f"0x5f5f5f5f3473{'5e' * 20}5af100"
"""call(gas, another address, the call's value, nothing, nothing), stop."""
NAMES = ("0x95d89b41", "0x313ce567")  # symbol(), decimals()
BOTH = pytest.mark.parametrize("asset", [ETH, USDT], ids=["ether", "token"])


@pytest.fixture
def node() -> Iterator[AnvilNode]:
    with Anvil("--order", "fifo") as anvil:
        yield AnvilNode(anvil)


@pytest.fixture
async def stage(node: AnvilNode, engine: Engine) -> AsyncIterator[Stage]:
    async with open_stage(engine, node) as opened:
        yield opened


def receipt(node: AnvilNode, tx: str) -> dict[str, Any]:
    """What came of a transaction, by the node's own word."""
    found: dict[str, Any] = node.anvil.rpc("eth_getTransactionReceipt", tx)
    return found


async def test_01_ether_in_a_transaction_that_failed_is_not_paid(
    stage: Stage, node: AnvilNode
) -> None:
    """Whoever is paid has lent itself to code that refuses (EIP-7702)."""
    node.anvil.set_code(DELEGATE, REVERTING)
    node.anvil.set_code(node.victim, f"0xef0100{DELEGATE[2:]}")
    tx = await stage.attack("plain", ETH)
    assert receipt(node, tx)["status"] == "0x0"
    await stage.assert_nothing_came()


async def test_01_a_token_in_a_transaction_out_of_gas_is_not_paid(
    stage: Stage, node: AnvilNode
) -> None:
    data = f"0x{token_transfer(contract(USDT), node.victim, DUE).data.hex()}"
    call = {"from": node.anvil.accounts[ATTACKER], "to": contract(USDT), "data": data}
    tx = node.anvil.rpc("eth_sendTransaction", {**call, "gas": hex(30_000)})
    await stage.prove_honest(USDT)
    assert receipt(node, tx)["status"] == "0x0"
    await stage.assert_nothing_came()


@BOTH
async def test_02_a_call_within_that_failed_pays_nothing(
    stage: Stage, node: AnvilNode, asset: Asset
) -> None:
    tx = await stage.attack("reverted", asset)
    assert receipt(node, tx)["status"] == "0x1"
    await stage.assert_nothing_came()


async def test_03_a_token_that_answers_false_pays_nothing(stage: Stage, node: AnvilNode) -> None:
    tx = await stage.attack("denied", USDT)
    assert (receipt(node, tx)["status"], receipt(node, tx)["logs"]) == ("0x1", [])
    await stage.assert_nothing_came()


async def test_04_a_namesake_of_a_token_pays_nothing(stage: Stage, node: AnvilNode) -> None:
    tx = await stage.attack("fake", USDT)
    [log] = receipt(node, tx)["logs"]
    false, true = [
        [node.anvil.rpc("eth_call", {"to": each, "data": data}, "latest") for data in NAMES]
        for each in (log["address"], contract(USDT))
    ]
    assert log["address"] != contract(USDT)
    assert false == true
    await stage.assert_nothing_came()


async def test_05_an_event_of_any_other_contract_pays_nothing(
    stage: Stage, node: AnvilNode
) -> None:
    tx = await stage.attack("forged", USDT)
    [log] = receipt(node, tx)["logs"]
    assert (log["address"], log["topics"][0]) == (CRIER, TRANSFER)
    await stage.assert_nothing_came()


@pytest.mark.parametrize("way", ["nft", "indexed", "malformed", "dirty"])
async def test_06_an_event_of_another_shape_pays_nothing(
    stage: Stage, node: AnvilNode, way: Way
) -> None:
    tx = await stage.attack(way, USDT)
    [log] = receipt(node, tx)["logs"]
    assert log["topics"][0] == TRANSFER
    await stage.assert_nothing_came()


async def test_06_a_fourth_topic_beside_an_amount_pays_nothing(
    stage: Stage, node: AnvilNode
) -> None:
    topics = (TRANSFER, *(f"0x{word(each)}" for each in (HOLDER, node.victim, 7)))
    tx = node.send(cry(contract(USDT), topics, word(DUE)))
    await stage.prove_honest(USDT)
    assert len(receipt(node, tx)["logs"][0]["topics"]) == 4
    await stage.assert_nothing_came()


async def test_07_a_transfer_of_nothing_pays_nothing(stage: Stage, node: AnvilNode) -> None:
    tx = await stage.attack("poison", USDT)
    assert len(receipt(node, tx)["logs"]) == 1
    await stage.assert_nothing_came()


async def test_08_dust_is_recorded_and_does_not_count(node: AnvilNode, engine: Engine) -> None:
    async with open_stage(engine, node, minimum={"USDT": "0.5"}) as stage:
        await stage.attack("plain", USDT, 499_999)
        [dust] = await stage.stored()
        assert (dust.units, dust.below_minimum) == (499_999, True)
        assert await stage.told() == ["deposit.detected", "deposit.confirmed"]
        invoice = await the_invoice(engine)
        assert (invoice.status, invoice.seen) == (InvoiceStatus.AWAITING_PAYMENT, 0)


async def test_09_leave_to_take_pays_nothing(stage: Stage, node: AnvilNode) -> None:
    tx = await stage.attack("approval", USDT)
    assert len(receipt(node, tx)["logs"]) == 1
    await stage.assert_nothing_came()


@BOTH_ENGINES
@BOTH
async def test_10_a_payment_that_another_of_the_same_nonce_replaced_is_taken_back(
    stage: Stage, node: AnvilNode, asset: Asset
) -> None:
    count = ("eth_getTransactionCount", node.anvil.accounts[ATTACKER])
    nonce = node.anvil.rpc(*count, "latest")
    paid = node.pay(DUE, asset, node.victim)
    honest = node.pay(DUE, asset, node.honest)
    await stage.follow(1)
    raw = node.anvil.rpc("eth_getRawTransactionByHash", honest)
    node.anvil.reorg(1, [[raw, 0]])
    assert node.anvil.rpc(*count, "latest") == nonce
    node.pay(DUE, asset, BORROWER, sender=ATTACKER)
    await stage.follow(CONFIRMATIONS)
    assert node.anvil.rpc("eth_getTransactionReceipt", paid) is None
    [gone] = await stage.stored()
    assert gone.status is DepositStatus.ORPHANED
    assert (await the_invoice(stage.engine)).status is InvoiceStatus.AWAITING_PAYMENT
    [first, second] = await stage.stored(HONEST)
    assert {first.status, second.status} == {DepositStatus.ORPHANED, DepositStatus.CONFIRMED}
    assert first.tx_hash == second.tx_hash
    assert (await the_invoice(stage.engine, HONEST)).status is InvoiceStatus.PAID


@BOTH
async def test_11_a_payment_that_only_waits_is_none(
    stage: Stage, node: AnvilNode, asset: Asset
) -> None:
    await stage.follow(1)
    waiting = node.pay(DUE, asset, node.victim)
    assert node.anvil.rpc("eth_getTransactionByHash", waiting)["blockHash"] is None
    await catch_up(stage.followers[0])
    await stage.assert_nothing_came()
    node.anvil.rpc("anvil_dropTransaction", waiting)
    await stage.prove_honest(asset)
    await stage.assert_nothing_came()


@BOTH_ENGINES
@BOTH
async def test_12_two_payments_of_one_transaction_count_both_and_once(
    stage: Stage, asset: Asset
) -> None:
    await stage.attack("twice", asset)
    kind = "trace" if asset is ETH else "log"
    await stage.assert_paid(asset, {f"{kind}/0": DUE, f"{kind}/1": DUE}, Flag.OVERPAID)


async def test_13_what_leaves_in_its_own_transaction_is_missing_to_the_audit(
    stage: Stage,
) -> None:
    """Only the address's own key can let it go: the deposit stands, and its absence is told."""
    await stage.audit()
    await stage.attack("bounced", USDT)
    await stage.assert_paid(USDT, {"log/0": DUE})
    assert await stage.audit() == [("missing", USDT.method, DUE)]


async def test_13_what_the_code_of_its_address_takes_on_is_told_with_the_code(
    stage: Stage, node: AnvilNode
) -> None:
    """The address has lent itself to code that passes on all it gets (EIP-7702)."""
    await stage.audit()
    node.anvil.set_code(DELEGATE, PASSING_ON)
    node.anvil.set_code(node.victim, f"0xef0100{DELEGATE[2:]}")
    await stage.attack("plain", ETH)
    await stage.assert_paid(ETH, {"value": DUE})
    [finding] = await stage.findings()
    assert (finding.kind, finding.units, finding.state) == ("missing", DUE, "open")
    assert finding.has_code is True
    assert "audit_findings" in dict(await stage.alarms())


@pytest.mark.parametrize("code", [True, False], ids=["with code", "without"])
async def test_13_what_leaves_later_is_an_alarm_only_where_the_address_has_code(
    stage: Stage, node: AnvilNode, code: bool
) -> None:
    await stage.attack("plain", USDT)
    assert await stage.audit() == []
    if code:
        node.anvil.set_code(node.victim, f"0xef0100{DELEGATE[2:]}")
    node.hold(0, USDT, node.victim)
    [finding] = await stage.findings()
    assert (finding.kind, finding.has_code) == ("outgoing", code)
    assert ("audit_findings" in dict(await stage.alarms())) is code


async def test_14_value_that_a_borrowed_code_only_speaks_of_is_no_payment(
    stage: Stage, node: AnvilNode
) -> None:
    tx = await stage.attack("lent", ETH)
    assert called(node, tx) == [("DELEGATECALL", hex(DUE))]
    await stage.assert_nothing_came()


async def test_14_value_of_a_callcode_is_no_payment(stage: Stage, node: AnvilNode) -> None:
    node.anvil.set_code(BORROWER, CALLCODE)
    tx = node.send(Order(BORROWER, DUE, bytes.fromhex(word(node.victim))))
    await stage.prove_honest(ETH)
    assert called(node, tx) == [("CALLCODE", hex(DUE))]
    await stage.assert_nothing_came()


def called(node: AnvilNode, tx: str) -> list[tuple[str, str]]:
    """Kind and value of what a transaction's contract called."""
    trace = node.anvil.rpc("debug_traceTransaction", tx, {"tracer": "callTracer"})
    return [(call["type"], call["value"]) for call in trace["calls"] if call["to"] == node.victim]


async def test_15_ether_that_a_contract_forces_is_money(stage: Stage, node: AnvilNode) -> None:
    tx = await stage.attack("forced", ETH)
    assert called(node, tx) == [("SELFDESTRUCT", hex(DUE))]
    await stage.assert_paid(ETH, {"trace/0": DUE})
    assert await stage.audit() == []


@pytest.mark.parametrize("way", ["forced", "internal"])
async def test_15_without_traces_the_audit_finds_what_contracts_send(
    node: AnvilNode, engine: Engine, way: Way
) -> None:
    async with open_stage(engine, node, traces="off") as stage:
        await stage.attack(way, ETH)
        await stage.assert_nothing_came()
        assert await stage.audit() == [("surplus", ETH.method, DUE)]
        await stage.assert_nothing_came()


async def test_16_a_log_like_the_chains_own_does_not_count_beside_the_value(
    stage: Stage, node: AnvilNode
) -> None:
    """Before EIP-7708 is active whatever stands at its address says nothing of ether."""
    node.anvil.set_code(SYSTEM_ADDRESS, node.anvil.rpc("eth_getCode", CRIER, "latest"))
    topics = (TRANSFER, f"0x{word(HOLDER)}", f"0x{word(node.victim)}")
    tx = node.send(cry(SYSTEM_ADDRESS, topics, word(DUE)))
    await stage.attack("plain", ETH)
    assert len(receipt(node, tx)["logs"]) == 1
    await stage.assert_paid(ETH, {"value": DUE})


async def test_20_a_token_that_keeps_a_part_is_missing_to_the_audit(stage: Stage) -> None:
    await stage.audit()
    await stage.attack("skimmed", USDT)
    await stage.assert_paid(USDT, {"log/0": DUE})
    assert await stage.audit() == [("missing", USDT.method, DUE // 100)]


@pytest.mark.parametrize(
    ("held", "kind", "units"),
    [(0, "outgoing", DUE), (DUE + 7, "surplus", 7)],
    ids=["destroyed", "grown by itself"],
)
async def test_21_a_balance_that_changes_without_a_log_is_found_by_the_audit(
    stage: Stage, node: AnvilNode, held: int, kind: str, units: int
) -> None:
    """What an issuer destroys looks as if the owner had taken it out: a finding, no alarm."""
    await stage.attack("plain", USDT)
    assert await stage.audit() == []
    node.hold(held, USDT, node.victim)
    assert await stage.audit() == [(kind, USDT.method, units)]
    await stage.assert_paid(USDT, {"log/0": DUE})


@pytest.mark.parametrize("way", ["pulled", "internal"])
async def test_29_who_sends_the_transaction_does_not_matter(
    stage: Stage, node: AnvilNode, way: Way
) -> None:
    tx = await stage.attack(way, USDT)
    [deposit] = await stage.assert_paid(USDT, {"log/0": DUE})
    assert deposit.sender not in (receipt(node, tx)["from"], None)


async def test_29_an_account_that_lends_itself_to_code_pays(stage: Stage, node: AnvilNode) -> None:
    """Its transaction goes to itself, with no value (EIP-7702)."""
    payer = node.anvil.accounts[CUSTOMER]
    code = node.anvil.rpc("eth_getCode", "0x" + "ba7c" * 10, "latest")
    node.anvil.set_code(DELEGATE, code)
    node.anvil.set_code(payer, f"0xef0100{DELEGATE[2:]}")
    record = word(node.victim) + word(DUE) + word(0)
    tx = node.send(Order(Address(payer.lower()), 0, bytes.fromhex(record)), CUSTOMER)
    await stage.prove_honest(ETH)
    found = node.anvil.rpc("eth_getTransactionByHash", tx)
    assert (found["from"], found["to"], found["value"]) == (payer, payer, "0x0")
    await stage.assert_paid(ETH, {"trace/0": DUE})


@BOTH_ENGINES
async def test_31_the_largest_amount_of_all_is_kept_to_the_last_unit(stage: Stage) -> None:
    await stage.attack("plain", USDT, HUGE)
    await stage.assert_paid(USDT, {"log/0": HUGE}, Flag.OVERPAID)


@BOTH_ENGINES
async def test_31_two_of_the_largest_amounts_do_not_come_round_to_less(stage: Stage) -> None:
    await stage.attack("twice", USDT, HUGE)
    await stage.assert_paid(USDT, {"log/0": HUGE, "log/1": HUGE}, Flag.OVERPAID)
