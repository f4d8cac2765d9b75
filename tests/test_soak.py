"""The soak in short: `make soak` is the long one."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests import gateway
from tests.faults import KINDS, Change, Fault, Place, alter_at, places_of
from tests.gateway import Strike
from tests.real.shop import until
from tests.soak import nets, word
from tests.soak.lives import Plan, live, opened
from tests.soak.truth import Paid
from tests.soak.verdict import Found, unreached
from watcher.domain.money import Method

SEED = 20_261_122


def make_found(**facts: Any) -> Found:
    """What a run met that met everything; `facts` are fields by name."""
    happened = Counter({"payments": 1000, "reorgs": 9, "branches": 9})
    whole = Found(900, 40, 500, 5000, Counter(), happened, Counter(KINDS), killed=100)
    return replace(whole, **facts)


def test_a_run_that_met_everything_lacks_nothing() -> None:
    assert unreached(make_found(), 100, 1000) == []


def test_fewer_kills_or_payments_than_asked_for_are_told() -> None:
    short = make_found(killed=99, happened=Counter({"payments": 7, "reorgs": 1, "branches": 1}))
    assert unreached(short, 100, 1000) == ["99 of 100 kills", "7 of 1000 payments"]


def test_a_long_run_that_met_no_orphan_or_not_every_fault_is_told() -> None:
    calm = make_found(orphaned=0, struck=Counter(KINDS[1:]), happened=Counter(payments=1000))
    assert unreached(calm, 100, 1000) == [
        f"no fault of kind {KINDS[0]} struck",
        "no reorgs",
        "no branches",
        "no orphaned deposit",
    ]
    assert unreached(calm, 2, 60) == []


TRACED = Paid("ethereum", "aa", "trace/0", "ethereum:eth", 7, "0xshop", 12, "bb")
LOGGED = Paid("tron", "cc", "log/0", "tron:usdt", 7, "Tshop", 12, "dd")
TRACE = ("/", '["debug_traceBlockByHash", ["0xbb", {"tracer": "callTracer"}]]')
INFOS = ("/wallet/gettransactioninfobyblocknum", '{"num":12}')


@pytest.mark.parametrize(
    ("paid", "asked", "place", "explains"),
    [
        (TRACED, TRACE, (0, "result", "calls", 1, "to"), True),
        (TRACED, TRACE, (0, "result", "value"), False),  # the transaction's own, which is proven
        (TRACED, ("/", TRACE[1].replace("bb", "ee")), (0, "result", "calls", 1, "to"), False),
        (TRACED, ("/", '["eth_getBlockReceipts", ["0xbb"]]'), (0, "logs", 0, "data"), False),
        (LOGGED, INFOS, (0, "log", 0, "topics", 2), True),
        (LOGGED, INFOS, (0, "internal_transactions", 0, "note"), True),
        (LOGGED, INFOS, (0, "receipt", "result"), False),
        (LOGGED, (INFOS[0], '{"num":112}'), (0, "log", 0, "topics", 2), False),
        (LOGGED, ("/wallet/getblockbynum", '{"num":12}'), ("blockID",), False),
    ],
)
async def test_only_what_no_hash_commits_to_explains_a_difference(
    paid: Paid, asked: tuple[str, str], place: Place, explains: bool
) -> None:
    async with nets.open_nets(1) as networks:
        [net] = [each for each in networks if each.name == paid.network]
        assert not word.explained(paid, networks)
        net.gateways[1].strikes.append(Strike(Fault("drop"), *asked))
        assert not word.explained(paid, networks)
        change = Change(place, "before", "after")
        net.gateways[1].strikes.append(Strike(Fault("alter"), *asked, change=change))
        assert word.explained(paid, networks) == explains


async def test_a_difference_is_told_with_what_befell_requests_for_its_block() -> None:
    async with nets.open_nets(1) as networks:
        change = Change((0, "log", 0, "data"), "07", "17")
        for asked in (INFOS, (INFOS[0], '{"num":112}')):
            strike = Strike(Fault("alter"), *asked, at=5.0, change=change)
            networks[2].gateways[1].strikes.append(strike)
        assert word.told([LOGGED], networks).splitlines() == [
            str(LOGGED),
            f"  b 5.0 alter {INFOS[0]} {change}",
        ]


def send_astray(said: Any, _: random.Random) -> tuple[Any, Change | None]:
    """Change whom the last call or log pays, where no hash commits to it."""
    payees = [
        place
        for place in places_of(said)
        if ("calls" in place and place[-1] == "to") or place[-2:] == ("topics", 2)
    ]
    return alter_at(said, payees[-1], random.Random(1)) if payees else (said, None)


@pytest.mark.timeout(300)
async def test_what_an_endpoint_hid_the_audit_tells_of_and_a_rescan_brings(
    tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "alter", send_astray)
    async with opened(tmp_path, sqlite_url, 1) as run:
        ethereum, _, tron = run.chance.nets
        run.shop.methods = [Method(each) for each in ("ethereum:eth", "tron:usdt", "polygon:pol")]
        while len((invoice := await run.shop.sell()).addresses) < 2:
            pass
        usdt = next(each.contract for each in tron.assets if each.symbol == "USDT")
        for net, order in (
            (ethereum, {"to": invoice.addresses["evm"], "contract": None, "way": "internal"}),
            (tron, {"to": invoice.addresses["tron"], "contract": usdt, "way": "plain"}),
        ):
            net.node.take("sandbox_pay", {**order, "units": str(10**16)})
            net.node.mine()
            for each in net.gateways:
                each.faults = (Fault("alter"),)
        run.daemon.start()

        async def are_read() -> bool:
            tips = await run.tips()
            return {name for name, tip in tips.items() if tip.number} == {ethereum.name, tron.name}

        await until(are_read, "the blocks are read")
        run.daemon.kill()
        found = await run.end()
    assert (found.mended, found.deposits) == (2, 2)


@pytest.mark.timeout(300)  # of a machine that has more to do
async def test_each_deposit_of_the_final_chains_counts_once_whatever_happened_meanwhile(
    tmp_path: Path, db_url: str
) -> None:
    found = await live(tmp_path, db_url, Plan(SEED, kills=2, payments=60))
    assert found.deposits > 20
    assert found.happened["reorgs"] > 0
    assert found.struck.total() > 0
