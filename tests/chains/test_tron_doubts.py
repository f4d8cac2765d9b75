"""What only a second Tron endpoint can tell: who may sign, and what no hash commits to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
from coincurve import PrivateKey

from chains.base import ChainDataError, ChainUnavailable
from chains.tvm.doubts import KEPT, SHOWN, Doubts, claims_of, repeating
from tests import javatron as faults
from tests.chains.tvm.made import KEY, make_answers, make_call, make_log, transfer, trigger
from tests.chains.tvm.opened import LABELS, block_of, open_client, put, states
from tests.chains.tvm.recorded import PRIVATE, Answers, Json, chain, read
from tests.factories import ADDRESS, make_hash, make_ref
from tests.javatron import BLOCK, INFOS, JavaTron
from watcher.domain.blocks import Transfer

STRANGER, ANOTHER = PrivateKey(b"\x09" * 32), PrivateKey(b"\x0a" * 32)
LOG_BLOCK = 8  # two payments of TRX, two of USDT
BATCH_BLOCK = 10
BATCH = LABELS["labels"]["one call, three USDT transfers (w1 twice)"]
COIN_BLOCK = 15  # two payments of a TRC-10 token, and one from a contract
SIGNED = r"block 7: T\w+ signed for witness T\w+"


@pytest.fixture
async def node() -> AsyncIterator[JavaTron]:
    async with JavaTron(*chain(*PRIVATE)) as node:
        yield node


@pytest.fixture
async def other() -> AsyncIterator[JavaTron]:
    async with JavaTron(*chain(*PRIVATE)) as node:
        yield node


def signed(key: PrivateKey, nonce: int = 0) -> Answers:
    """A block of the same witness, signed by `key`."""
    return make_answers((transfer(nonce=nonce), {}), key=key)


def doubts(warnings: object) -> str:
    """The warnings that are not about internal calls, in one text."""
    assert isinstance(warnings, tuple)
    return "\n".join(each for each in warnings if not each.startswith("internal TRX"))


# Who signed.


async def test_a_block_that_its_witness_signed_needs_no_other(
    node: JavaTron, other: JavaTron
) -> None:
    put(node, signed(KEY))
    async with open_client(node, other) as client:
        assert len((await block_of(client, 7)).transfers) == 1
        assert doubts(client.warnings()) == ""
    assert other.calls[BLOCK] == 0


async def test_another_key_may_sign_what_another_endpoint_has_too(
    node: JavaTron, other: JavaTron
) -> None:
    for each in (node, other):
        put(each, signed(STRANGER))
    async with open_client(node, other) as client:
        assert len((await block_of(client, 7)).transfers) == 1
        assert "signed by other keys than their witnesses' own" in doubts(client.warnings())
        assert "last: block 7, T" in doubts(client.warnings())
        assert "b has the same block" in doubts(client.warnings())
        assert states(client) == ["healthy", "healthy"]


async def test_a_pair_of_witness_and_signer_is_asked_about_once(
    node: JavaTron, other: JavaTron
) -> None:
    for each in (node, other):
        put(each, signed(STRANGER))
    async with open_client(node, other) as client:
        await block_of(client, 7)
        other.calls.clear()
        put(node, signed(STRANGER, nonce=1))
        await block_of(client, 7)
        assert other.calls[BLOCK] == 0
        put(node, signed(ANOTHER, nonce=1))
        with pytest.raises(ChainDataError, match=SIGNED):
            await client.block(7)


async def test_a_block_that_a_stranger_invented_at_one_endpoint_is_refused(
    node: JavaTron, other: JavaTron
) -> None:
    put(node, signed(STRANGER))
    async with open_client(node, other) as client:
        with pytest.raises(ChainDataError, match=rf"{SIGNED}, and b has another block"):
            await client.block(7)
        assert states(client) == ["quarantined", "healthy"]
        assert doubts(client.warnings()) == ""
        assert (await block_of(client, 7)).ref.hash == other.blocks[7]["blockID"]


@pytest.mark.parametrize(
    "silence",
    [faults.says("", code=503), faults.says({}), faults.says("this API is closed")],
    ids=["down", "does not have it", "refuses"],
)
async def test_where_no_other_endpoint_tells_a_strangers_block_is_unavailable(
    node: JavaTron, other: JavaTron, silence: faults.Fault
) -> None:
    for each in (node, other):
        put(each, signed(STRANGER))
    other.fail(silence, BLOCK, number=7)
    async with open_client(node, other) as client:
        with pytest.raises(ChainUnavailable, match=f"{SIGNED}, and no other endpoint tells"):
            await client.block(7)
        assert states(client)[0] == "healthy"  # no fault of who gave it
        assert doubts(client.warnings()) == ""


async def test_the_sole_endpoint_is_believed_with_a_warning(node: JavaTron) -> None:
    put(node, signed(STRANGER))
    async with open_client(node) as client:
        assert len((await block_of(client, 7)).transfers) == 1
        assert "no other endpoint is configured to repeat it" in doubts(client.warnings())


async def test_a_strangers_block_that_left_the_chain_meanwhile_is_unavailable(
    node: JavaTron, other: JavaTron
) -> None:
    put(node, signed(STRANGER))
    node.fail(faults.then(lambda node: put(node, signed(KEY, nonce=1))), INFOS, number=7)
    async with open_client(node, other) as client:
        with pytest.raises(ChainUnavailable, match="block 7 changed while it was read"):
            await client.block(7)
        assert states(client) == ["healthy", "healthy"]


# What is under the block's id, and what is not.


def picked(transfers: tuple[Transfer, ...], kind: str) -> list[Transfer]:
    """Those at positions of this kind; there must be some."""
    found = [each for each in transfers if each.position.split("/")[0] == kind]
    assert found
    return found


@pytest.mark.parametrize("number", [LOG_BLOCK, COIN_BLOCK])
async def test_what_the_id_commits_to_is_repeated_with_the_id(
    node: JavaTron, other: JavaTron, number: int
) -> None:
    async with open_client(node, other) as client:
        block = await block_of(client, number)
        other.fail(faults.says("", code=500), INFOS)
        node.calls.clear()
        asked = await client.corroborate(block.ref, picked(block.transfers, "value"))
        assert asked == {"a", "b"}
        assert node.calls == {BLOCK: 1}
        assert other.calls[INFOS] == 0


@pytest.mark.parametrize(("number", "kind"), [(LOG_BLOCK, "log"), (COIN_BLOCK, "internal")])
async def test_what_the_id_does_not_commit_to_is_asked_for_itself(
    node: JavaTron, other: JavaTron, number: int, kind: str
) -> None:
    async with open_client(node, other) as client:
        block = await block_of(client, number)
        asked = [*picked(block.transfers, "value")[:1], *picked(block.transfers, kind)]
        assert await client.corroborate(block.ref, asked) == {"a", "b"}
        other.fail(faults.says("", code=500), INFOS)
        assert await client.corroborate(block.ref, asked) == {"a"}


# What only one of them shows.


def withhold(infos: Json) -> None:
    """Leave out the last transaction's logs, which no hash forbids."""
    del [info for info in infos if "log" in info][-1]["log"]


def halve(infos: Json) -> None:
    """Let the last log tell of another amount."""
    [info for info in infos if "log" in info][-1]["log"][0]["data"] = f"{1:064x}"


async def test_endpoints_that_show_the_same_leave_no_doubt(node: JavaTron, other: JavaTron) -> None:
    async with open_client(node, other) as client:
        block = await block_of(client, LOG_BLOCK)
        await client.corroborate(block.ref, block.transfers)
        assert doubts(client.warnings()) == ""


async def test_a_payment_that_the_first_endpoint_left_out_is_warned_of(
    node: JavaTron, other: JavaTron
) -> None:
    node.fail(faults.alter(withhold), INFOS, number=LOG_BLOCK)
    async with open_client(node, other) as client:
        block = await block_of(client, LOG_BLOCK)
        shown = picked(block.transfers, "log")
        assert len(shown) == 1
        assert await client.corroborate(block.ref, shown) == {"a", "b"}
        lost = node.infos[LOG_BLOCK][-1]["id"]
        assert doubts(client.warnings()) == (
            f"endpoints differ about block 8: a lacks 1 that another shows, such as log/0 of {lost}"
        )
        node.heal()
        await client.corroborate(block.ref, shown)
        assert doubts(client.warnings()) == ""


async def test_each_endpoints_own_copy_shows_what_it_shows(node: JavaTron, other: JavaTron) -> None:
    node.fail(faults.alter(withhold), INFOS, number=LOG_BLOCK)
    async with open_client(node, other) as client:
        copies = await client.copies(LOG_BLOCK)
        assert {n: len(picked(b.transfers, "log")) for n, b in copies.items()} == {"a": 1, "b": 2}
        assert copies["a"].ref == copies["b"].ref
        assert "endpoints differ about block 8: a lacks 1" in doubts(client.warnings())
        other.fail(faults.says("", code=500), INFOS)
        assert set(await client.copies(LOG_BLOCK)) == {"a"}


@pytest.mark.parametrize("lie", [withhold, halve])
async def test_a_payment_that_only_one_endpoint_shows_is_not_repeated_by_the_other(
    node: JavaTron, other: JavaTron, lie: Callable[[Json], object]
) -> None:
    other.fail(faults.alter(lie), INFOS, number=LOG_BLOCK)
    async with open_client(node, other) as client:
        block = await block_of(client, LOG_BLOCK)
        *_, last = picked(block.transfers, "log")
        assert await client.corroborate(block.ref, [last]) == {"a"}
        assert "endpoints differ about block 8: " in doubts(client.warnings())
        assert "b lacks 1 that another shows" in doubts(client.warnings())
        assert states(client) == ["healthy", "healthy"]  # who of the two lies is not known


def withhold_one(infos: Json) -> None:
    """Leave out the last of several logs of one transaction."""
    next(info for info in infos if len(info.get("log", ())) == 3)["log"].pop()


async def test_who_shows_less_for_a_receiver_does_not_confirm_the_rest(
    node: JavaTron, other: JavaTron
) -> None:
    node.fail(faults.alter(withhold_one), INFOS, number=BATCH_BLOCK)
    async with open_client(node, other) as client:
        block = await block_of(client, BATCH_BLOCK)
        batch = [each for each in block.transfers if each.tx_hash == BATCH]
        twice_paid, once_paid = batch
        assert len(await client.corroborate(block.ref, [twice_paid])) == 1
        assert await client.corroborate(block.ref, [once_paid]) == {"a", "b"}
        assert "such as log/2 of " in doubts(client.warnings())


async def test_one_that_shows_less_or_more_holds_up_no_two_that_agree(
    node: JavaTron, other: JavaTron
) -> None:
    async with (
        JavaTron(*chain(*PRIVATE)) as third,
        open_client(node, other, third) as client,
    ):
        node.fail(faults.alter(withhold_one), INFOS, number=BATCH_BLOCK)
        block = await block_of(client, BATCH_BLOCK)
        first = next(each for each in block.transfers if each.tx_hash == BATCH)
        assert await client.corroborate(block.ref, [first]) == {"b", "c"}


def test_who_keeps_no_internal_calls_still_repeats_logs() -> None:
    """By the same receiver, in the same block: it is a setting of the node, and no lie."""
    usdt = LABELS["contracts"]["USDT"]
    logs = {"log": [make_log(address=usdt)]}
    calls = {**logs, "internal_transactions": [make_call()]}
    less, more = (
        read(make_answers((trigger(), info)), usdt).block.transfers for info in (logs, calls)
    )
    assert (len(less), len(more)) == (1, 2)
    assert repeating({"a": claims_of(less), "b": claims_of(more)}, less) == {"a", "b"}


async def test_many_differences_are_told_by_the_newest_and_a_count(
    node: JavaTron, other: JavaTron
) -> None:
    async with open_client(node, other) as client:
        for nonce in range(7):
            order, log = trigger(nonce=nonce), make_log(address=LABELS["contracts"]["USDT"])
            put(node, make_answers((order, {"log": [log]})))
            put(other, make_answers((order, {"log": [log, log]})))
            block = await block_of(client, 7)
            await client.corroborate(block.ref, block.transfers)
        assert doubts(client.warnings()).count("endpoints differ about block 7") == 5
        assert "endpoints differ about 2 more blocks" in doubts(client.warnings())


def test_of_very_many_differences_the_newest_are_kept() -> None:
    known = Doubts(["a", "b"])
    claim = (make_hash("tx"), "log/0", "tron:usdt", ADDRESS, 5)
    for number in range(KEPT + 3):
        known.compare(make_ref(number), {"a": {claim}, "b": set()})
    [newest, *_] = doubts(known.sentences()).splitlines()[SHOWN - 1 :]
    assert newest.startswith(f"endpoints differ about block {KEPT + 2}: b lacks 1")
    assert f"endpoints differ about at least {KEPT - SHOWN} more blocks" in known.sentences()
    for number in range(3, KEPT + 3):
        known.compare(make_ref(number), {"a": {claim}, "b": {claim}})
    assert doubts(known.sentences()) == ""  # of the oldest nothing is known any more
