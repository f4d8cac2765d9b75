"""A recorded java-tron chain through client, follower and ledger: how each labelled story ends.

Every account and contract of the recording is an address of the shop, so that nothing hides: what
is not in a table below must not be in the books.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import storage
from chains.tvm.address import text
from storage import Engine, open_engine
from tests import javatron as faults
from tests.chains.tvm.opened import GENESIS, LABELS, TEN, TRON, TRX, USDT, fork, open_client
from tests.chains.tvm.recorded import FORKS, PRIVATE, Json, chain, load
from tests.factories import make_id, make_invoice, make_quote
from tests.javatron import INFOS, JavaTron
from tests.world import catch_up, open_shop
from watcher import corroboration, finality
from watcher.domain.deposits import Deposit, DepositRules
from watcher.domain.money import Address, Asset
from watcher.follower import Follower
from watcher.policy import NetworkPolicy, Policy
from watcher.rates.book import RateBook

Paid = tuple[str, str, int]
"""Receiver, asset, units."""

Books = Mapping[str, Sequence[Deposit]]
"""Label -> the deposits that its transaction brought."""

FEE, ODD = (
    Asset(TRON.name, symbol, 6, text(bytes.fromhex(LABELS["contracts"][symbol])[1:]))
    for symbol in ("FEE", "ODD")
)
LISTED = {asset.method: asset for asset in (TRX, USDT, FEE, ODD, TEN)}  # but not the fake USDT
ADDRESSES = {
    **{name: Address(account["b58"]) for name, account in LABELS["accounts"].items()},
    **{name: text(bytes.fromhex(raw)[1:]) for name, raw in LABELS["contracts"].items()},
}
OWNERS = {address: name for name, address in ADDRESSES.items()}
LATER = 2_000_000_000

STORIES: dict[str, list[Paid]] = {
    "fund alice": [("alice", "TRX", 200_000_000_000)],
    "fund bob": [("bob", "TRX", 200_000_000_000)],
    "fund msig": [("msig", "TRX", 5_000_000_000)],
    "deploy USDT": [("alice", "USDT", 10**16)],
    "deploy fake USDT": [],
    "deploy fee token": [("alice", "FEE", 10**16)],
    "deploy OddToken": [],
    "deploy Multi with 3000 TRX": [],  # what pays for a contract's creation
    "deploy Sink": [],
    "deploy Picky": [],
    "deploy TokSend": [],
    "create TRC-10": [],
    "USDT to Multi": [("MULTI", "USDT", 500_000_000)],
    "approve bob": [],
    "USDT to bob": [("bob", "USDT", 10_000_000_000)],
    "TRX 12.345678 to new account w1": [("watch1", "TRX", 12_345_678)],
    "TRX 5 to new account w2": [("watch2", "TRX", 5_000_000)],
    "USDT 25.5 to w1": [("watch1", "USDT", 25_500_000)],
    "USDT 7 to w3 (address never activated)": [("watch3", "USDT", 7_000_000)],
    "dust 1 sun to w1": [("watch1", "TRX", 1)],
    "TRX 3 with memo to w1": [("watch1", "TRX", 3_000_000)],
    "zero-value USDT to w1": [],
    "USDT 1 to w1 (first of two equal)": [("watch1", "USDT", 1_000_000)],
    "USDT 1 to w1 (second of two equal)": [("watch1", "USDT", 1_000_000)],
    "one call, three USDT transfers (w1 twice)": [
        ("watch1", "USDT", 2_000_000),
        ("watch1", "USDT", 4_000_000),
        ("watch4", "USDT", 3_000_000),
    ],
    "USDT transferFrom by bob to w4": [("watch4", "USDT", 9_000_000)],
    "mint USDT to w1": [("watch1", "USDT", 6_000_000)],
    "burn USDT": [],
    "fake USDT to w1": [],
    "fee-on-transfer token: 100 in calldata, 99 in log": [
        ("FEE", "FEE", 1_000_000),
        ("watch1", "FEE", 99_000_000),
    ],
    "silent token movement without a log": [],
    # What a listed token logs is believed: it is the token's word against itself.
    "Transfer log without a balance change": [("watch5", "USDT", 999_000_000)],
    "Transfer log with 1 topic": [],
    "Transfer log with 4 topics (NFT shape)": [],
    "USDT transfer REVERT insufficient balance": [],
    "USDT transfer OUT_OF_ENERGY": [],
    "endless loop": [],
    "internal TRX then REVERT": [],
    "internal TRX 4 to w1 and 2.5 to new w5": [
        ("MULTI", "TRX", 6_500_000),
        ("watch1", "TRX", 4_000_000),
        ("watch5", "TRX", 2_500_000),
    ],
    "internal TRX: one rejected, one ok to w1": [("watch1", "TRX", 1_100_000)],
    "contract calls itself with value: TRANSFER_FAILED": [],
    "inner frame reverted, outer ok (nothing to w1)": [],
    "create + suicide pays 3.3 TRX to w6": [
        ("MULTI", "TRX", 3_300_000),
        ("watch6", "TRX", 3_300_000),
    ],
    "token transfer in a caught reverted frame (no log)": [],
    "call_value 2 TRX to a contract": [("SINK", "TRX", 2_000_000)],
    "TRC-10 to w1": [("watch1", "TEN", 42_000_000)],
    "TRC-10 to new account w7": [("watch7", "TEN", 1_000_000)],
    "internal TRC-10 0.6 to w1": [("TOKSEND", "TEN", 1_000_000), ("watch1", "TEN", 600_000)],
    "permission update": [],
    "multisig TRX 10 to w1 (signers are not the owner)": [("watch1", "TRX", 10_000_000)],
    "freeze energy": [],
    "freeze bandwidth": [],
    "delegate to bob": [],
    "vote": [],
    "unfreeze": [],
    "USDT paid by staked energy": [("watch8", "USDT", 2_222_222)],
    "twice broadcast": [("bob", "TRX", 777)],
    **{f"bulk USDT {n}": [(f"watch{n % 8 + 1}", "USDT", 10_000 + n)] for n in range(0, 60, 2)},
    **{f"bulk TRX {n}": [(f"watch{n % 8 + 1}", "TRX", 1_000 + n)] for n in range(1, 60, 2)},
}

FATES: dict[str, tuple[str, str, int, list[tuple[int, str]], list[tuple[int, str]]]] = {
    "A1": ("watch9", "TRX", 9_000_000, [(58, "pending")], [(58, "orphaned"), (83, "confirmed")]),
    "A2": ("watch1", "USDT", 3_000_000, [(58, "pending")], [(58, "orphaned"), (83, "confirmed")]),
    "A3": ("watch2", "TRX", 4_000_000, [(58, "pending")], [(58, "orphaned")]),
    "A4": ("watch1", "TRX", 90_000_000, [(58, "pending")], [(58, "orphaned")]),
    "B4": ("zion", "TRX", 90_000_000, [], [(67, "confirmed")]),
    "B5": ("watch4", "TRX", 6_000_000, [], [(67, "confirmed")]),
    "B6": ("watch4", "USDT", 2_000_000, [], [(67, "confirmed")]),
    "AB7": ("watch8", "TRX", 1_234_567, [(58, "pending")], [(58, "orphaned"), (67, "confirmed")]),
}
"""Label: receiver, asset, units; the deposits (block, status) before the fork, and after it."""


@asynccontextmanager
async def open_follower(engine: Engine, *nodes: JavaTron, start: int) -> AsyncIterator[Follower]:
    """A follower of a shop with an invoice for every account; all `nodes` must agree."""
    invoices = [
        make_invoice(
            key=name,
            quotes=[make_quote(1, TRX.method, contract=None, required="finalized")],
            addresses={TRON.family: address},
            expires_at=LATER,
        )
        for name, address in ADDRESSES.items()
    ]
    await open_shop(engine, *invoices)
    network = NetworkPolicy(
        spec=TRON,
        chain_id=1,
        assets=LISTED,
        rules=DepositRules("finalized", {}),
        reorg_limit=64,
        agreement=len(nodes),
        endpoints=len(nodes),
        repeat_transfers=True,
        poll_seconds=1,
        start_block=start,
    )
    policy = Policy({TRON.name: network}, False, 3600, "0", RateBook())
    async with open_client(
        *nodes, genesis=GENESIS, agreement=len(nodes), assets=list(LISTED.values())
    ) as client:
        yield Follower(policy, TRON.name, client, engine, "test:1")


async def deposits_of(engine: Engine) -> list[Deposit]:
    """All deposits, by block."""
    async with storage.read(engine) as conn:
        found = await storage.deposits.listing(conn, make_id("mer"), limit=1000)
    return sorted(found, key=lambda each: each.block_number)


def paid(deposit: Deposit) -> Paid:
    return OWNERS[deposit.address], LISTED[deposit.method].symbol, deposit.units


async def follow_recorded(url: str) -> list[Deposit]:
    """Follow the recorded chain to its end, all of it final; the deposits it leaves."""
    engine = open_engine(url)
    try:
        async with JavaTron(*chain(*PRIVATE)) as node:
            node.solid = node.head
            async with open_follower(engine, node, start=0) as follower:
                await catch_up(follower)
                return await deposits_of(engine)
    finally:
        await storage.close(engine)


@pytest.fixture(scope="module")
def books(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Books:
    """What the ledger holds of each transaction after the recorded chain."""
    path = tmp_path_factory.mktemp("labels") / "books.db"
    shutil.copy(sqlite_template, path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finality, "ASK_SECONDS", 0)
        found = asyncio.run(follow_recorded(f"sqlite:///{path}"))
    names = {tx_hash: label for label, tx_hash in LABELS["labels"].items()}
    held: dict[str, list[Deposit]] = {}
    for deposit in found:
        held.setdefault(names[str(deposit.tx_hash)], []).append(deposit)
    return held


def test_every_label_of_the_recording_has_a_story() -> None:
    assert set(STORIES) == set(LABELS["labels"])
    assert len(STORIES) == 117


@pytest.mark.parametrize("label", STORIES)
def test_a_story_ends_in_exactly_these_deposits(books: Books, label: str) -> None:
    held = books.get(label, ())
    assert sorted(map(paid, held)) == sorted(STORIES[label])
    assert {each.status for each in held} <= {"confirmed"}


@pytest.mark.parametrize("name", [f"watch{n}" for n in range(1, 10)])
def test_the_books_of_who_never_spends_equal_the_balances_of_the_node(
    books: Books, name: str
) -> None:
    balances = load(*PRIVATE, "final-balances.json")["balances"][name]
    sums = dict.fromkeys(("TRX", "USDT", "FEE", "TEN"), 0)
    for owner, symbol, units in (paid(each) for held in books.values() for each in held):
        if owner == name:
            sums[symbol] += units
    if name == "watch5":  # its token lies in one log, and is silent of one payment
        sums["USDT"] += 1_500_000 - 999_000_000
    assert sums == {
        "TRX": balances["trx"],
        "USDT": int(balances["USDT"]),
        "FEE": int(balances["FEE"]),
        "TEN": balances["trc10"].get(LABELS["trc10"], 0),
    }


async def test_what_the_first_endpoint_leaves_out_holds_up_what_its_receiver_got(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finality, "ASK_SECONDS", 0)
    monkeypatch.setattr(corroboration, "FIRST_PAUSE", 0.0)
    batch = LABELS["labels"]["one call, three USDT transfers (w1 twice)"]

    def withhold(infos: Json) -> None:
        next(info for info in infos if info["id"] == batch)["log"].pop()

    async def states() -> list[tuple[Paid, str]]:
        found = await deposits_of(engine)
        return sorted((paid(each), str(each.status)) for each in found if each.tx_hash == batch)

    async with (
        JavaTron(*chain(*PRIVATE)) as liar,
        JavaTron(*chain(*PRIVATE)) as node,
        open_follower(engine, liar, node, start=9) as follower,
    ):
        liar.solid = node.solid = node.head
        liar.fail(faults.alter(withhold), INFOS, number=10)
        await catch_up(follower)
        first, other = ("watch1", "USDT", 2_000_000), ("watch4", "USDT", 3_000_000)
        assert await states() == [(first, "pending"), (other, "confirmed")]
        assert follower.health.short == ["block 10 waits for agreement: 1 of 2 endpoints repeat it"]
        liar.heal()
        await follower.turn()
        assert await states() == [(first, "confirmed"), (other, "confirmed")]


async def test_a_true_fork_retracts_what_it_drops_and_finds_what_it_brings(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finality, "ASK_SECONDS", 0)
    rows: dict[str, Json] = load(*FORKS, "labels.json")
    hashes = {label.split()[0]: row["txid"] for label, row in rows.items()}

    async def fates() -> dict[str, list[tuple[Paid, int, str]]]:
        found = await deposits_of(engine)
        return {
            label: [
                (paid(each), each.block_number, str(each.status))
                for each in found
                if each.tx_hash == tx_hash
            ]
            for label, tx_hash in hashes.items()
        }

    def told(after: bool) -> dict[str, list[tuple[Paid, int, str]]]:
        return {
            label: [((who, symbol, units), *at) for at in (new if after else old)]
            for label, (who, symbol, units, old, new) in FATES.items()
        }

    async with (
        JavaTron(*fork("forkA_before")) as node,
        open_follower(engine, node, start=51) as follower,
    ):
        await catch_up(follower)
        assert await fates() == told(after=False)
        node.play(*fork("forkA_after"))
        node.solid = node.head
        await catch_up(follower)
        assert await fates() == told(after=True)
