"""What becomes of every kind of payment, true and false, on a real node (chains.md 6)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from chains.evm.address import CODEC
from tests.anvil import Anvil
from tests.factories import ADDRESS
from tests.proxy import Call, Proxy, error
from tests.real import contracts
from tests.real.shop import (
    DUE,
    ETH,
    ETHER,
    OTHER,
    TETHER,
    USDT,
    Shop,
    bill,
    open_desk,
    run_shop,
    until,
)
from tests.world import the_invoice, told
from watcher.domain.invoices import Flag, InvoiceStatus
from watcher.domain.money import Address

PAID = ["deposit.detected", "invoice.confirming", "deposit.confirmed", "invoice.paid"]
SPLITTER = "0x" + "e5" * 20
UNLISTED = "0x" + "f6" * 20
ETH_ADDRESS = Address("0x" + "a9" * 20)


@pytest.fixture
async def shop(anvil: Anvil, tmp_path: Path, db_url: str) -> AsyncIterator[Shop]:
    """Two invoices of 100 USDT and one of 2 ETH, at addresses of their own."""
    bills = (bill(), bill(to=OTHER, key="2"), bill(2 * ETHER, ETH, to=ETH_ADDRESS, key="3"))
    async with run_shop(tmp_path, db_url, anvil.url, invoices=bills) as opened:
        yield opened


def shown(address: str) -> str:
    return CODEC.show(CODEC.parse(address))


async def assert_nothing_came(shop: Shop) -> None:
    assert await told(shop.engine) == []
    for key in "123":
        assert (await the_invoice(shop.engine, key)).status is InvoiceStatus.AWAITING_PAYMENT


async def test_ether_pays_and_carries_where_it_came_from(shop: Shop, anvil: Anvil) -> None:
    tx = anvil.send(ETH_ADDRESS, 2 * ETHER, sender=1)
    await shop.follow(anvil)
    [deposit] = await shop.deposits()
    block = anvil.number()
    expected = {
        "method": ETH,
        "amount": "2",
        "amount_units": str(2 * ETHER),
        "status": "pending",
        "counts": True,
        "tx_hash": tx,
        "position": "value",
        "explorer_url": f"https://etherscan.io/tx/{tx}",
        "from": shown(anvil.accounts[1]),
        "to": shown(ETH_ADDRESS),
        "block_number": block,
        "block_hash": f"0x{anvil.hash(block)}",
        "confirmations": 1,
    }
    assert {name: deposit[name] for name in expected} == expected
    await shop.follow(anvil)
    assert (await the_invoice(shop.engine, "3")).status is InvoiceStatus.CONFIRMING
    await shop.follow(anvil)
    assert (await the_invoice(shop.engine, "3")).status is InvoiceStatus.PAID
    assert await told(shop.engine) == PAID


async def test_a_token_pays_by_its_log(shop: Shop, anvil: Anvil) -> None:
    tx = anvil.send_token(TETHER, ADDRESS, DUE, sender=2)
    await shop.follow(anvil, 3)
    [deposit] = await shop.deposits()
    assert (deposit["method"], deposit["amount"]) == (USDT, "100")
    assert (deposit["tx_hash"], deposit["position"]) == (tx, "log/0")
    assert deposit["from"] == shown(anvil.accounts[2])
    assert await told(shop.engine) == PAID


async def test_two_transfers_of_one_transaction_both_count_once(shop: Shop, anvil: Anvil) -> None:
    anvil.set_code(SPLITTER, contracts.batch(TETHER))
    tx = anvil.send(SPLITTER, 0, data=contracts.transfers((ADDRESS, 40), (ADDRESS, DUE - 40)))
    await shop.follow(anvil, 3)
    deposits = await shop.deposits()
    assert [(each["tx_hash"], each["position"], each["amount_units"]) for each in deposits] == [
        (tx, "log/0", "40"),
        (tx, "log/1", str(DUE - 40)),
    ]
    assert {each["from"] for each in deposits} == {shown(SPLITTER)}
    invoice = await the_invoice(shop.engine)
    assert (invoice.status, invoice.seen, invoice.flags) == (InvoiceStatus.PAID, 1, frozenset())


async def test_one_transaction_pays_two_invoices(shop: Shop, anvil: Anvil) -> None:
    anvil.set_code(SPLITTER, contracts.batch(TETHER))
    data = contracts.transfers((ADDRESS, DUE), (UNLISTED, 7), (OTHER, DUE))
    anvil.send(SPLITTER, 0, data=data)
    await shop.follow(anvil, 3)
    places = [(each["to"], each["position"]) for each in await shop.deposits()]
    assert places == [(shown(ADDRESS), "log/0"), (shown(OTHER), "log/2")]
    for key in "12":
        assert (await the_invoice(shop.engine, key)).status is InvoiceStatus.PAID
    assert (await the_invoice(shop.engine, "3")).status is InvoiceStatus.AWAITING_PAYMENT


async def test_calldata_to_an_account_changes_nothing_about_its_ether(
    shop: Shop, anvil: Anvil
) -> None:
    claim = contracts.transfers((ADDRESS, DUE))  # says so, and nobody runs it
    anvil.send(ETH_ADDRESS, 2 * ETHER, data=claim)
    await shop.follow(anvil, 3)
    [deposit] = await shop.deposits()
    assert (deposit["method"], deposit["to"]) == (ETH, shown(ETH_ADDRESS))
    assert (await the_invoice(shop.engine, "3")).status is InvoiceStatus.PAID


async def test_a_coin_that_was_not_offered_is_seen_and_does_not_count(
    shop: Shop, anvil: Anvil
) -> None:
    anvil.send(ADDRESS, ETHER)
    await shop.follow(anvil, 3)
    [deposit] = await shop.deposits()
    assert (deposit["counts"], deposit["reason"]) == (False, "wrong_asset")
    invoice = await the_invoice(shop.engine)
    assert (invoice.status, invoice.flags) == (InvoiceStatus.AWAITING_PAYMENT, {Flag.WRONG_ASSET})


async def test_the_value_of_a_failed_transaction_is_no_payment(shop: Shop, anvil: Anvil) -> None:
    anvil.set_code(ETH_ADDRESS, contracts.REVERTING)
    tx = anvil.send(ETH_ADDRESS, 2 * ETHER)
    await shop.follow(anvil, 3)
    assert anvil.rpc("eth_getTransactionReceipt", tx)["status"] == "0x0"
    await assert_nothing_came(shop)


async def test_a_payment_that_a_failed_transaction_took_back_is_none(
    shop: Shop, anvil: Anvil
) -> None:
    """The token is paid, then the gas ends within a second call, and both are undone."""
    anvil.set_code(SPLITTER, contracts.batch(TETHER))
    data = contracts.transfers((ADDRESS, DUE), (OTHER, DUE))
    enough_for_one = {"from": anvil.accounts[0], "to": SPLITTER, "data": data, "gas": hex(27_500)}
    tx = anvil.rpc("eth_sendTransaction", enough_for_one)
    await shop.follow(anvil, 3)
    frames = anvil.rpc("debug_traceTransaction", tx, {"tracer": "callTracer"})
    assert "error" in frames
    assert ["error" in call for call in frames["calls"]] == [False, True]
    await assert_nothing_came(shop)


async def test_a_transfer_of_nothing_is_no_payment(shop: Shop, anvil: Anvil) -> None:
    anvil.send_token(TETHER, ADDRESS, 0)
    anvil.send(ETH_ADDRESS, 0)
    await shop.follow(anvil, 3)
    await assert_nothing_came(shop)


async def test_a_namesake_of_a_token_is_not_that_token(shop: Shop, anvil: Anvil) -> None:
    anvil.set_code(UNLISTED, contracts.NAMESAKE)
    symbol = anvil.rpc("eth_call", {"to": UNLISTED, "data": "0x95d89b41"}, "latest")
    assert bytes.fromhex(symbol[2:]).endswith(b"\x04USDT".ljust(33, b"\0"))
    tx = anvil.send_token(UNLISTED, ADDRESS, DUE)
    await shop.follow(anvil, 3)
    assert len(anvil.rpc("eth_getTransactionReceipt", tx)["logs"]) == 1
    await assert_nothing_came(shop)


@pytest.mark.parametrize(
    ("code", "topics"),
    [
        pytest.param(contracts.NON_FUNGIBLE, [4], id="an id, as ERC-721 logs it"),
        pytest.param(contracts.INDEXED, [4], id="one topic too many"),
        pytest.param(contracts.APPROVING, [3], id="an approval"),
        pytest.param(contracts.SILENT, [], id="true, without a log"),
    ],
)
async def test_what_a_listed_contract_does_beside_a_transfer_is_no_payment(
    shop: Shop, anvil: Anvil, code: str, topics: list[int]
) -> None:
    await shop.follow(anvil, 1)  # at the start, its decimals would give it away
    anvil.set_code(TETHER, code)
    tx = anvil.send_token(TETHER, ADDRESS, DUE)
    await shop.follow(anvil, 3)
    receipt = anvil.rpc("eth_getTransactionReceipt", tx)
    assert (receipt["status"], [len(log["topics"]) for log in receipt["logs"]]) == ("0x1", topics)
    await assert_nothing_came(shop)


def put_splitter(anvil: Anvil) -> None:
    """Put a contract at SPLITTER that passes on to ETH_ADDRESS, in two calls, what it gets."""
    half = f"60006000600060006002340473{ETH_ADDRESS[2:]}5af150"
    anvil.set_code(SPLITTER, f"0x{half}{half}")


async def test_ether_that_a_contract_sends_pays_call_by_call(shop: Shop, anvil: Anvil) -> None:
    put_splitter(anvil)
    anvil.send(SPLITTER, 2 * ETHER)
    await shop.follow(anvil, 3)
    deposits = await shop.deposits()
    assert [(each["position"], each["amount"]) for each in deposits] == [
        ("trace/0", "1"),
        ("trace/1", "1"),
    ]
    assert {each["from"] for each in deposits} == {shown(SPLITTER)}
    assert (await the_invoice(shop.engine, "3")).status is InvoiceStatus.PAID


async def test_ether_that_one_of_two_endpoints_invents_is_never_confirmed(
    anvil: Anvil, tmp_path: Path, db_url: str
) -> None:
    async def invent(call: Call) -> web.StreamResponse:
        traces = await call.ask()
        for trace in traces:
            sent = {"from": SPLITTER, "to": ETH_ADDRESS, "value": hex(2 * ETHER), "type": "CALL"}
            trace["result"]["calls"] = [sent]
        return call.reply(result=traces)

    invoice = bill(2 * ETHER, ETH, to=ETH_ADDRESS, key="3")
    async with Proxy(anvil.url) as liar:
        liar.fail(invent, "debug_traceBlockByHash")
        urls = (liar.url, anvil.url)
        async with run_shop(tmp_path, db_url, *urls, invoices=(invoice,)) as shop:
            anvil.send(OTHER, 1)
            await shop.follow(anvil, 6)
            assert [each["position"] for each in await shop.deposits()] == ["trace/0"]
            assert (await the_invoice(shop.engine, "3")).status is InvoiceStatus.CONFIRMING
            assert shop.follower.health.report("me")["warnings"] == [
                "block 1 waits for agreement: 1 of 2 endpoints repeat it"
            ]


@pytest.mark.parametrize("traced", [True, False])
async def test_the_operator_sees_who_traces(
    anvil: Anvil, tmp_path: Path, db_url: str, traced: bool
) -> None:
    async with Proxy(anvil.url) as node:
        if not traced:
            refused = error({"code": -32601, "message": "the method does not exist"})
            node.fail(refused, "debug_traceBlockByHash", "trace_block")
        async with run_shop(tmp_path, db_url, node.url) as shop:
            await shop.follow(anvil)
            async with open_desk(shop) as desk:
                seen = await until(lambda: desk.endpoint("a"), "no endpoint is shown")
                warnings = (await desk.network())["warnings"]
    assert seen["traces"] is traced
    alone = "ETH that contracts send is confirmed on the word of a, the only one to trace"
    none = "ETH that contracts send: by audit only, since no endpoint is known to trace"
    assert (alone in warnings, none in warnings) == (traced, not traced)
