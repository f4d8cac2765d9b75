"""The Tron client against a node that replays true recordings, and lies, refuses and forks."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise

import pytest

from chains.base import (
    ChainDataError,
    ChainError,
    ChainUnavailable,
    EndpointRefused,
    EndpointSettings,
    WrongChain,
)
from chains.redaction import Redaction
from tests import javatron as faults
from tests.chains.tvm.made import make_answers, trigger
from tests.chains.tvm.opened import (
    GENESIS,
    TEN,
    TRON,
    TRX,
    USDT,
    block_of,
    fork,
    open_client,
    put,
    states,
)
from tests.chains.tvm.recorded import FORKS, PRIVATE, Json, chain, load
from tests.javatron import BLOCK, INFOS, NEWEST, SOLID, Fault, JavaTron
from watcher.domain.blocks import Transfer

KEYS = ("PathKey0123456789", "QueryKey01234", "HeaderKey0123456789")


@pytest.fixture
async def node() -> AsyncIterator[JavaTron]:
    async with JavaTron(*chain(*PRIVATE)) as node:
        yield node


@pytest.fixture
async def other() -> AsyncIterator[JavaTron]:
    async with JavaTron(*chain(*PRIVATE)) as node:
        yield node


async def test_a_block_has_its_transfers_in_order(node: JavaTron) -> None:
    async with open_client(node) as client:
        block = await block_of(client, 13)
    assert (block.ref.number, block.ref.hash) == (13, node.blocks[13]["blockID"])
    assert block.ref.parent_hash == node.blocks[12]["blockID"]
    header = node.blocks[13]["block_header"]["raw_data"]
    assert block.ref.timestamp * 1000 == header["timestamp"]
    assert {t.method for t in block.transfers} == {TRX.method}
    assert [t.position for t in block.transfers][:3] == ["value", "internal/0", "internal/1"]


async def test_every_block_of_a_chain_is_read_and_links(node: JavaTron) -> None:
    async with open_client(node) as client:
        blocks = await asyncio.gather(*(block_of(client, number) for number in range(29)))
    for lower, upper in pairwise(blocks):
        assert upper.ref.parent_hash == lower.ref.hash


async def test_what_is_not_listed_is_not_given(node: JavaTron) -> None:
    for asset, number in ((TRX, 13), (USDT, 8), (TEN, 15)):
        async with open_client(node, assets=[asset]) as client:
            block = await block_of(client, number)
        assert {t.method for t in block.transfers} == {asset.method}


async def test_a_block_takes_two_calls(node: JavaTron) -> None:
    async with open_client(node) as client:
        await client.block(1)
        node.calls.clear()
        await client.block(2)
        await client.block(3)
    assert node.calls == {BLOCK: 2, INFOS: 2}


async def test_a_block_is_proven_in_the_shared_process(node: JavaTron) -> None:
    async with open_client(node, read=None) as client:
        assert len((await block_of(client, 21)).transfers) == 60
        node.fail(faults.alter(lambda infos: infos.pop()), INFOS)
        with pytest.raises(ChainDataError, match="infos are not those"):
            await client.block(21)


async def test_another_block_than_asked_for_is_a_lie(node: JavaTron) -> None:
    node.fail(faults.says(node.blocks[1]), BLOCK, number=2)
    async with open_client(node) as client:
        with pytest.raises(ChainDataError, match="asked for block 2, got block 1"):
            await client.block(2)


async def test_a_block_that_is_not_there_yet_is_none(node: JavaTron) -> None:
    async with open_client(node) as client:
        assert await client.block(29) is None
        await client.head()
        assert await client.block(29) is None
        assert states(client) == ["healthy"]


async def test_a_block_below_the_head_is_there_or_unavailable(node: JavaTron) -> None:
    async with open_client(node) as client:
        await client.head()
        node.fail(faults.says({}), BLOCK, number=20)
        with pytest.raises(ChainUnavailable, match="no block 20, but a head at 28"):
            await client.block(20)


@pytest.mark.parametrize("nothing", [[], {}])
async def test_infos_that_are_not_there_yet_are_never_nothing(
    node: JavaTron, nothing: Json
) -> None:
    node.fail(faults.says(nothing), INFOS, number=21)
    async with open_client(node) as client:
        with pytest.raises(ChainUnavailable, match="no infos yet of block 21"):
            await client.block(21)
        assert states(client) == ["waiting"]


async def test_head_and_finality(node: JavaTron) -> None:
    async with open_client(node) as client:
        head = await client.head()
        assert (head.number, head.hash) == (28, node.blocks[28]["blockID"])
        solid = await client.finalized()
        assert solid is not None
        assert (solid.number, solid.hash) == (10, node.blocks[10]["blockID"])
        assert await client.genesis() == GENESIS
        assert client.endpoints()[0].head == 28


async def test_final_is_what_as_many_as_must_agree_call_final(
    node: JavaTron, other: JavaTron
) -> None:
    other.solid = 7
    async with open_client(node, other, agreement=2) as client:
        solid = await client.finalized()
        assert solid is not None
        assert solid.number == 7
        other.fail(faults.says("", code=500), SOLID)
        assert await client.finalized() is None


async def test_a_fork_between_the_two_calls_is_no_lie(node: JavaTron) -> None:
    node.play(*fork("forkB_before"))
    node.fail(faults.then(lambda node: node.play(*fork("forkA_before"))), BLOCK, number=58)
    async with open_client(node) as client:
        with pytest.raises(ChainUnavailable, match="block 58 changed while it was read"):
            await client.block(58)
        assert states(client) == ["waiting"]


def halve(infos: Json) -> None:
    """Let the first log tell of another amount, which no hash forbids."""
    log = next(info["log"][0] for info in infos if "log" in info)
    log["data"] = f"{1:064x}"


LIES: dict[str, tuple[Fault, str]] = {
    "last info missing": (faults.alter(lambda infos: infos.pop()), INFOS),
    "null info": (faults.alter(lambda infos: infos.append(None)), INFOS),
    "infos no list": (faults.says({"blockID": "00"}), INFOS),
    "other id": (faults.alter(lambda block: block.update(blockID="00" * 32)), BLOCK),
    "no transactions": (faults.alter(lambda block: block.pop("transactions")), BLOCK),
    "other result": (
        faults.alter(lambda block: block["transactions"][0]["ret"][0].pop("contractRet")),
        BLOCK,
    ),
    "field missing": (faults.alter(lambda block: block.pop("blockID")), BLOCK),
    "block no object": (faults.says(["0"]), BLOCK),
}


@pytest.mark.parametrize("name", LIES)
async def test_a_lie_is_no_block_and_quarantines_its_endpoint(
    node: JavaTron, other: JavaTron, name: str
) -> None:
    fault, method = LIES[name]
    async with open_client(node, other) as client:
        await client.head()
        node.fail(fault, method, number=8)
        block = await block_of(client, 8)
        assert block.ref.hash == other.blocks[8]["blockID"]
        assert len(block.transfers) == 4
        assert states(client) == ["quarantined", "healthy"]


async def test_a_lie_of_the_sole_endpoint_is_an_error(node: JavaTron) -> None:
    node.fail(faults.alter(lambda infos: infos.pop()), INFOS, number=8)
    async with open_client(node) as client:
        with pytest.raises(ChainDataError, match=r"^a: block 8: the infos are not those"):
            await client.block(8)


FAILURES: dict[str, tuple[Fault, type[ChainError]]] = {
    "429": (faults.says("", code=429), ChainUnavailable),
    "500": (faults.says("", code=500), ChainUnavailable),
    "page": (faults.says("<html></html>"), ChainUnavailable),
    "empty": (faults.says(""), ChainUnavailable),
    "half of JSON": (faults.says('{"blockID":"00'), ChainUnavailable),
    "hung up": (faults.hang_up(), ChainUnavailable),
    "busy": (faults.says({"Error": "class X : lack of computing resources"}), ChainUnavailable),
    "quota": (faults.says({"Error": "Exceed the user daily usage"}, code=403), ChainUnavailable),
    "echo": (faults.echo(), ChainUnavailable),
    "echo 401": (faults.echo(401), EndpointRefused),
    "lite": (
        faults.says("this API is closed because this node is a lite fullnode"),
        EndpointRefused,
    ),
    "405": (faults.says("<html></html>", code=405), EndpointRefused),
}


@pytest.mark.parametrize("name", FAILURES)
async def test_a_failure_goes_elsewhere_and_never_tells_a_key(
    node: JavaTron, other: JavaTron, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    fault, kind = FAILURES[name]
    node.fail(fault)
    path, query, header = KEYS
    url = f"{node.url}/{path}?token={query}"
    secret = EndpointSettings("a", url, headers={"TRON-PRO-API-KEY": header})
    async with open_client(secret) as client:
        with pytest.raises(kind) as error:
            await client.head()
        told = [*traceback.format_exception(error.value), repr(error.value), caplog.text]
        told += [repr(client.endpoints()), repr(await client.capabilities())]
    async with open_client(secret, other) as client:
        assert (await client.head()).number == 28
        state = "refused" if kind is EndpointRefused else "waiting"
        assert states(client) == [state, "healthy"]
    for words in told:
        for key in (*KEYS, node.url.removeprefix("http://")):
            assert key.lower() not in words.lower()


async def test_a_suspension_is_waited_for_as_long_as_it_says(node: JavaTron) -> None:
    async with open_client(node) as client:
        await client.head()
        node.fail(faults.says({"Error": "the query server is suspended for 17 s"}), NEWEST, times=1)
        node.calls.clear()
        for _ in range(2):
            with pytest.raises(ChainUnavailable) as error:
                await client.head()
            assert error.value.retry_after == pytest.approx(17, abs=1)
    assert node.calls == {NEWEST: 1}


async def test_a_node_of_another_chain_is_not_followed(node: JavaTron, other: JavaTron) -> None:
    other.blocks[0] = load(*FORKS, "forkA_before.blocks.json")[0]
    async with open_client(node, genesis=TRON.genesis_hash) as client:
        with pytest.raises(WrongChain, match=f"its block 0 is {GENESIS}"):
            await client.head()


async def test_without_a_known_genesis_the_first_one_said_is_required(node: JavaTron) -> None:
    async with open_client(node, genesis=None, chain_id=1) as client:
        assert await client.genesis() == GENESIS
        assert (await client.head()).number == 28


async def test_who_repeats_block_and_transfers_corroborates(
    node: JavaTron, other: JavaTron
) -> None:
    async with open_client(node, other) as client:
        block = await block_of(client, 8)
        assert await client.corroborate(block.ref, block.transfers) == {"a", "b"}
        assert await client.corroborate(block.ref, ()) == {"a", "b"}
        other.head = 7
        assert await client.corroborate(block.ref, block.transfers) == {"a"}
        other.head = 28
        other.fail(faults.alter(halve), INFOS, number=8)
        assert await client.corroborate(block.ref, block.transfers) == {"a"}
        assert states(client) == ["healthy", "healthy"]  # who of the two lies is not known


@pytest.mark.parametrize(
    "claim",
    [{"units": 1}, {"position": "log/7"}, {"to": USDT.contract}, {"method": TEN.method}],
)
async def test_a_transfer_that_differs_in_anything_is_not_corroborated(
    node: JavaTron, claim: dict[str, object]
) -> None:
    async with open_client(node) as client:
        block = await block_of(client, 8)
        first = next(each for each in block.transfers if each.position == "log/0")
        wrong: Transfer = replace(first, **claim)  # type: ignore[arg-type]
        assert await client.corroborate(block.ref, [first]) == {"a"}
        assert await client.corroborate(block.ref, [first, wrong]) == frozenset()


async def test_a_block_that_left_the_chain_is_not_corroborated(node: JavaTron) -> None:
    node.play(*fork("forkA_before"))
    async with open_client(node) as client:
        block = await block_of(client, 55)
        assert await client.corroborate(block.ref, ()) == {"a"}
        node.play(*fork("forkA_after"))
        assert await client.corroborate(block.ref, ()) == frozenset()


async def test_a_true_fork_changes_blocks_heads_and_payments(node: JavaTron) -> None:
    fates = {name.split()[0]: row["txid"] for name, row in load(*FORKS, "labels.json").items()}
    node.play(*fork("forkA_before"))
    async with open_client(node) as client:
        before = [await block_of(client, number) for number in range(52, 71)]
        assert (await client.head()).number == 70
        node.play(*fork("forkA_after"))
        assert (await client.head()).number == 95
        after = [await block_of(client, number) for number in range(52, 96)]
    assert before[0].ref == after[0].ref
    assert before[1].ref.hash != after[1].ref.hash
    assert before[1].ref.parent_hash == after[1].ref.parent_hash == before[0].ref.hash
    paid, now = (
        {t.tx_hash: block.ref.number for block in blocks for t in block.transfers}
        for blocks in (before, after)
    )
    assert {"A1", "A3", "A4", "AB7"} <= {name for name, tx in fates.items() if tx in paid}
    assert {"A3", "A4"}.isdisjoint({name for name, tx in fates.items() if tx in now})
    assert (now[fates["A1"]], now[fates["B5"]]) == (83, 67)
    assert paid[fates["AB7"]] != now[fates["AB7"]]


async def test_what_became_of_a_transaction_may_change_with_its_block(node: JavaTron) -> None:
    order: tuple[bytes, Json] = (trigger(7), {})
    async with open_client(node) as client:
        put(node, make_answers(order))
        before = await block_of(client, 7)
        put(node, make_answers(order, results=["OUT_OF_ENERGY"], timestamp=1_700_000_003_000))
        after = await block_of(client, 7)
    assert [each.units for each in before.transfers] == [7]
    assert after.transfers == ()
    assert before.ref.hash != after.ref.hash


async def test_the_survey_finds_who_lags(node: JavaTron, other: JavaTron) -> None:
    node.head = 20
    async with open_client(node, other) as client:
        await client.survey()
        assert states(client) == ["lagging", "healthy"]
        assert (await client.head()).number == 28


async def test_capabilities_of_a_good_endpoint(node: JavaTron) -> None:
    node.solid = 16
    node.answers["wallet/triggerconstantcontract"] = {"constant_result": [f"{6:064x}"]}
    node.answers["wallet/getassetissuebyid"] = {"id": TEN.contract}
    async with open_client(node) as client:
        found = await client.capabilities()
    checks = ["chain", "head", "finality", "infos", "internal TRX", "token USDT", "token TEN"]
    assert [capability.check for capability in found] == checks
    assert all(capability.ok for capability in found if capability.check != "head"), found


async def test_capabilities_say_what_is_wrong(node: JavaTron) -> None:
    node.answers["wallet/triggerconstantcontract"] = {"constant_result": [f"{18:064x}"]}
    node.fail(faults.says("this API is closed because this node is a lite fullnode"), SOLID)
    async with open_client(node) as client:
        found = {each.check: each.detail for each in await client.capabilities() if not each.ok}
    assert set(found) >= {"finality", "infos", "internal TRX", "token USDT"}
    assert found["token USDT"] == "18 decimals, configured 6"
    assert "lite fullnode" in found["finality"]


async def test_internal_trx_is_not_promised_where_no_call_was_seen(node: JavaTron) -> None:
    node.solid = 28
    async with open_client(node) as client:
        found = {each.check: each for each in await client.capabilities()}
    assert not found["internal TRX"].ok
    assert "not proven to be served" in found["internal TRX"].detail


async def test_an_endpoint_that_never_told_of_an_internal_call_is_named(node: JavaTron) -> None:
    async with open_client(node) as client:
        [warning] = client.warnings()
        assert "internal TRX is not covered" in warning
        for number in range(1, 29):
            await client.block(number)
        assert client.warnings() == ()


async def test_a_node_may_answer_what_is_solid_at_a_port_of_its_own(
    node: JavaTron, other: JavaTron
) -> None:
    settings = EndpointSettings("own", node.url, solidity_url=other.url)
    async with open_client(settings) as client:
        assert await client.finalized() is not None
        assert (await client.head()).number == 28
    assert {path.strip("/").split("/")[0] for path in node.paths} == {"wallet"}
    assert {path.strip("/").split("/")[0] for path in other.paths} == {"walletsolidity"}


def test_the_second_url_of_a_node_is_as_secret_as_the_first() -> None:
    settings = EndpointSettings("own", "http://a.test/", solidity_url="http://b.test/0123456789ab")
    assert Redaction(settings).scrub("http://b.test/0123456789ab said no to 0123456789ab") == (
        "*** said no to ***"
    )
