"""False deposits of Polygon's own kinds, on the embedded node; the numbers are chains.md 6's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from chains.evm.logs import LOG_FEE_TRANSFER
from chains.evm.rules import SYSTEM_ADDRESS
from chains.polygon import COIN, POLYGON
from chains.sandbox.control import Way
from chains.sandbox.evm.contracts import CRIER, HOLDER, TRANSFER, cry, word
from chains.sandbox.evm.node import EvmNode
from chains.sandbox.evm.polygon import PRODUCER, polygon
from storage import Engine
from tests import proxy
from tests.attack.catalogue.nodes import on_polygon
from tests.attack.catalogue.stage import BOTH_ENGINES, DUE, Stage, open_stage
from tests.chains.sandbox.evm import SHOP, open_evm
from tests.proxy import Proxy
from watcher.domain.invoices import Flag
from watcher.domain.money import Asset

POL, USDC = POLYGON.assets[:2]
BOTH = pytest.mark.parametrize("asset", [POL, USDC], ids=["coin", "token"])


@pytest.fixture
async def node() -> AsyncIterator[EvmNode]:
    """One upon which whoever is called at the address of EIP-7708 logs what it is told to."""
    flavour = polygon(POLYGON.chain_id, POLYGON.assets)
    crier = flavour.contracts[CRIER]
    loud = replace(flavour, contracts={**flavour.contracts, SYSTEM_ADDRESS: crier})
    async with open_evm(loud) as opened:
        yield opened


@pytest.fixture
async def stage(node: EvmNode, engine: Engine) -> AsyncIterator[Stage]:
    async with open_stage(engine, on_polygon(node)) as opened:
        yield opened


def logs(node: EvmNode, tx: str) -> list[dict[str, Any]]:
    """What a transaction logged."""
    found = node.chain.find(tx)
    assert found is not None
    mined, index = found
    told: list[dict[str, Any]] = mined.receipts[index]["logs"]
    return told


@BOTH
async def test_01_a_transaction_that_failed_pays_nothing(
    stage: Stage, node: EvmNode, asset: Asset
) -> None:
    tx = await stage.attack("failed", asset)
    assert [log["topics"][0] for log in logs(node, tx)] == [LOG_FEE_TRANSFER]
    await stage.assert_nothing_came()


@BOTH
async def test_02_a_call_within_that_failed_pays_nothing(stage: Stage, asset: Asset) -> None:
    await stage.attack("reverted", asset)
    await stage.assert_nothing_came()


async def test_11_a_preconfirmed_receipt_is_not_believed(node: EvmNode, engine: Engine) -> None:
    def preview(receipts: list[dict[str, Any]]) -> None:
        """As newer nodes give of what is in no block yet; it pays the victim."""
        false = receipts[-1]
        false |= {"preconfirmation": True, "blockHash": None, "blockNumber": None}
        for log in false["logs"]:
            log["topics"] = [*log["topics"][:-1], f"0x{word(SHOP)}"]

    async with open_evm(node.chain.flavour) as twin, Proxy(node.url) as liar:
        liar.fail(proxy.alter(preview), "eth_getBlockReceipts")
        nodes = on_polygon(node, twin)
        urls = [liar.url, node.url, twin.url]
        async with open_stage(engine, nodes, urls=urls) as stage:
            await stage.prove_honest(USDC)
            await stage.assert_nothing_came()
            refused, *others = stage.clients[0].endpoints()
    assert refused.state == "quarantined"
    assert "preconfirmation" in str(refused.reason)
    assert {each.state for each in others} == {"healthy"}


@BOTH_ENGINES
@BOTH
async def test_12_two_payments_of_one_transaction_count_both_and_once(
    stage: Stage, node: EvmNode, asset: Asset
) -> None:
    tx = await stage.attack("twice", asset)
    places = [log["logIndex"] for log in logs(node, tx) if SHOP[2:] in "".join(log["topics"])]
    assert len(places) == 2
    first = 1 if asset is POL else 0  # after the log of what the batch was given
    await stage.assert_paid(asset, {f"log/{first}": DUE, f"log/{first + 1}": DUE}, Flag.OVERPAID)


async def test_14_value_that_a_borrowed_code_only_speaks_of_is_no_payment(stage: Stage) -> None:
    await stage.attack("lent", POL)
    await stage.assert_nothing_came()


async def test_15_what_a_contract_forces_is_found_by_the_audit(stage: Stage) -> None:
    """The one way of the coin that no log tells of."""
    await stage.attack("forced", POL)
    await stage.assert_nothing_came()
    assert await stage.audit() == [("surplus", POL.method, DUE)]
    await stage.assert_nothing_came()


async def test_16_a_log_of_eip_7708_does_not_count_beside_the_networks_own(
    stage: Stage, node: EvmNode
) -> None:
    topics = (TRANSFER, f"0x{word(HOLDER)}", f"0x{word(SHOP)}")
    tx = node.chain.send(cry(SYSTEM_ADDRESS, topics, word(DUE)))
    await stage.attack("plain", POL)
    assert logs(node, tx)[0]["address"] == SYSTEM_ADDRESS
    await stage.assert_paid(POL, {"log/0": DUE})


async def test_17_a_payment_through_the_coins_contract_counts_once(
    stage: Stage, node: EvmNode
) -> None:
    tx = await stage.attack("plain", replace(POL, contract=COIN), honest=POL)
    paid = [log for log in logs(node, tx) if SHOP[2:] in "".join(log["topics"])]
    assert len(paid) == 3  # the chain's, and the contract's two
    await stage.assert_paid(POL, {"log/1": DUE})
    assert await stage.audit() == []


async def test_18_a_fee_that_is_logged_is_no_payment(node: EvmNode, engine: Engine) -> None:
    """The address of an invoice is that of the producer, who gets a fee by each transaction."""
    async with open_stage(engine, on_polygon(node, victim=PRODUCER.address)) as stage:
        await stage.prove_honest(POL)
        mined = node.chain.block(1)
        assert mined is not None
        [paid] = mined.receipts
        fee = paid["logs"][-1]
        assert (fee["topics"][0], fee["topics"][-1]) == (
            LOG_FEE_TRANSFER,
            f"0x{word(PRODUCER.address)}",
        )
        await stage.assert_nothing_came()


@BOTH
async def test_19_a_message_over_the_bridge_that_failed_pays_nothing(
    stage: Stage, node: EvmNode, asset: Asset
) -> None:
    await stage.attack("stranded", asset)
    assert any(
        tx["type"] == "0x7f" for each in node.chain.blocks for tx in each.block["transactions"]
    )
    await stage.assert_nothing_came()


@BOTH
async def test_19_a_message_over_the_bridge_pays_once(stage: Stage, asset: Asset) -> None:
    await stage.attack("bridge", asset)
    await stage.assert_paid(asset, {"log/0": DUE})


@pytest.mark.parametrize("way", ["pulled", "internal"])
async def test_29_who_sends_the_transaction_does_not_matter(stage: Stage, way: Way) -> None:
    await stage.attack(way, USDC)
    await stage.assert_paid(USDC, {"log/0": DUE})
