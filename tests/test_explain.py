"""What is said of a transaction, by what the books know of it."""

from __future__ import annotations

import pytest

from chains.base import Refusal
from storage import Engine
from tests.factories import ADDRESS, NETWORK, make_hash, make_id, make_transfer
from tests.fakes import FakeChain
from tests.world import catch_up, make_follower, make_policy, open_shop
from watcher import finality
from watcher.domain.money import Method
from watcher.explain import explain, parse_hash
from watcher.follower import Follower
from watcher.refused import BadField
from watcher.render import Json

POLICY, TX = make_policy(), make_hash("tx1")
STRANGER = "0x" + "77" * 20


@pytest.fixture(autouse=True)
def _ask_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finality, "ASK_SECONDS", 0)


@pytest.fixture
def chain() -> FakeChain:
    return FakeChain()


@pytest.fixture
async def follower(chain: FakeChain, engine: Engine) -> Follower:
    await open_shop(engine)
    return make_follower(chain, engine)


async def told(engine: Engine, chain: FakeChain) -> Json:
    return await explain(engine, POLICY, chain, NETWORK, TX)


async def verdicts(engine: Engine, chain: FakeChain) -> list[tuple[str, str]]:
    return [(each["position"], each["verdict"]) for each in (await told(engine, chain))["moves"]]


async def test_a_deposit_is_named_with_its_invoice_and_what_it_waits_for(chain, follower, engine):
    chain.mine(make_transfer(100))
    await catch_up(follower)
    body = await told(engine, chain)
    [move] = body["moves"]
    assert (body["state"], body["block"]["number"]) == ("in_our_chain", 1)
    assert (move["verdict"], move["asset"], move["amount"]) == ("deposit", "USDC", "0.0001")
    assert move["invoice_id"] == make_id("inv")
    assert move["detail"] == (
        f"{move['deposit_id']} of {make_id('inv')}: pending with 1 of 3 confirmations; counts"
    )


async def test_a_deposit_that_does_not_count_says_why(chain, follower, engine):
    chain.mine(make_transfer(100, method=Method("polygon:pol")))
    await catch_up(follower)
    [move] = (await told(engine, chain))["moves"]
    assert move["verdict"] == "deposit"
    assert move["detail"].endswith("; does not count: wrong_asset, in a coin that was not offered")


async def test_each_move_has_its_own_verdict_value_first_and_by_number(chain, follower, engine):
    chain.mine(
        make_transfer(5, position="log/10"),
        make_transfer(5, position="log/9", to=STRANGER),
        make_transfer(5, position="value"),
    )
    chain.refusals.append(Refusal(TX, "log/2", "asset is not listed", STRANGER, ADDRESS, 7))
    await catch_up(follower)
    assert await verdicts(engine, chain) == [
        ("value", "deposit"),
        ("log/2", "refused"),
        ("log/9", "unwatched"),
        ("log/10", "deposit"),
    ]


async def test_a_refused_move_says_the_rule_and_whose_address_it_names(chain, follower, engine):
    chain.mine(make_transfer(5, to=STRANGER))
    chain.refusals.append(Refusal(TX, "log/2", "asset is not listed", STRANGER, ADDRESS, 7))
    await catch_up(follower)
    [_, move] = (await told(engine, chain))["moves"]
    assert (move["detail"], move["invoice_id"]) == ("asset is not listed", make_id("inv"))
    assert (move["asset"], move["contract"]) == (None, STRANGER)
    assert (move["amount"], move["amount_units"], move["deposit_id"]) == (None, "7", None)


async def test_a_deposit_that_the_books_lack_says_how_to_add_it(chain, follower, engine):
    chain.unlisted.add(make_transfer().method)
    chain.mine(make_transfer(100))
    await catch_up(follower)
    chain.unlisted.clear()
    [move] = (await told(engine, chain))["moves"]
    assert move["verdict"] == "missing"
    assert "`deposit-watcher rescan polygon --from 1 --to 1`" in move["detail"]


async def test_a_block_above_our_newest_is_not_reached_yet(chain, follower, engine):
    await catch_up(follower)
    chain.mine(make_transfer(100))
    body = await told(engine, chain)
    assert body["state"] == "not_in_our_chain"
    assert body["detail"] == "block 1 is above our newest block"
    assert [move["verdict"] for move in body["moves"]] == ["missing"]


async def test_a_payment_that_a_reorg_took_is_unknown_and_its_deposit_shown(
    chain, follower, engine
):
    chain.mine(make_transfer(100))
    await catch_up(follower)
    chain.reorg(1)
    chain.mine()
    chain.mine()
    await catch_up(follower)
    body = await told(engine, chain)
    assert (body["state"], body["block"], body["moves"]) == ("unknown", None, [])
    assert [each["status"] for each in body["deposits"]] == ["orphaned"]
    assert "left the chain" in body["detail"]


async def test_a_payment_that_came_again_in_another_block_shows_both(chain, follower, engine):
    chain.mine(make_transfer(100))
    await catch_up(follower)
    chain.reorg(1)
    chain.mine()
    chain.mine(make_transfer(100))
    await catch_up(follower)
    body = await told(engine, chain)
    assert [each["status"] for each in body["deposits"]] == ["orphaned", "pending"]
    assert [each["verdict"] for each in body["moves"]] == ["deposit"]


async def test_what_nobody_knows_and_what_waits_are_told_apart(chain, follower, engine):
    await catch_up(follower)
    unknown = await told(engine, chain)
    chain.waiting.add(TX)
    waiting = await told(engine, chain)
    assert (unknown["state"], waiting["state"]) == ("unknown", "waiting")
    assert unknown["detail"] == "no endpoint knows this transaction"
    assert unknown["moves"] == waiting["moves"] == []


@pytest.mark.parametrize("text", [TX, f"0x{TX}", f"0X{TX.upper()}", f" {TX} "])
def test_a_hash_is_known_in_any_spelling(text: str) -> None:
    assert parse_hash(text) == TX


@pytest.mark.parametrize("text", ["", "0x", TX[1:], TX + "0", "g" * 64, "../status"])
def test_what_is_no_hash_is_refused_by_name(text: str) -> None:
    with pytest.raises(BadField) as refused:
        parse_hash(text)
    assert refused.value.field == "tx_hash"
