"""Wallets: no address twice, none changed unnoticed, no secret kept."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

import storage
from storage import Conn, Engine, close, open_engine
from tests.api.shop import (
    ADMIN,
    EVM,
    FIRST,
    PRICE,
    Shop,
    add_key,
    add_merchant,
    count_rows,
    open_shop,
    serve,
)
from tests.opening import CODEC, POLICY, SOLE, open_at_once, open_one
from tests.test_derivation import ACCOUNT_XPUB, PHRASE, make_xprv, make_xpub
from watcher import invoicing, wallets
from watcher.clock import now
from watcher.derivation import HARDENED
from watcher.refused import AlreadyThere, BadField, NoAddressLeft, NotFound

SECOND = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
POOL = [f"0x{number:040x}" for number in range(1, 4)]


async def add_pool(engine: Engine, merchant_id: str, addresses: list[str], at: int = 0) -> str:
    async with storage.write(engine) as conn:
        made = await wallets.add_pool(conn, merchant_id, EVM, CODEC, addresses, now() + at)
    return made.id


async def add_xpub(engine: Engine, merchant_id: str, xpub: str, start: int = 0) -> str:
    async with storage.write(engine) as conn:
        return (await wallets.add_xpub(conn, merchant_id, EVM, xpub, start, now())).id


@pytest.mark.timeout(300)
async def test_two_processes_never_give_an_address_twice(db_url: str) -> None:
    assert (await open_at_once(db_url, each=100)).invoices == 200


async def test_two_engines_at_once_never_give_an_address_twice(db_url: str) -> None:
    first, second = open_engine(db_url), open_engine(db_url)
    try:
        merchant_id = await add_merchant(first)
        engines = [first, second] * 10
        given = await asyncio.gather(*(open_one(each, merchant_id) for each in engines))
        assert len(set(given)) == 20
        async with storage.read(first) as conn:
            [(wallet, _)] = await storage.wallets.listing(conn)
        assert wallet.next_index == 20  # and none was passed over
    finally:
        await close(first)
        await close(second)


@pytest.mark.timeout(300)
async def test_a_thousand_invoices_in_a_row_leave_no_gap_and_repeat_no_address(
    engine: Engine,
) -> None:
    merchant_id = await add_merchant(engine)

    async def open_some(conn: Conn) -> None:
        for _ in range(100):
            await invoicing.open_invoice(conn, POLICY, merchant_id, SOLE, now())

    for _ in range(10):
        await storage.repeat(engine, open_some)
    async with storage.read(engine) as conn:
        query = (
            'SELECT count(DISTINCT address), count(*), min("index"), max("index") FROM addresses'
        )
        [row] = await conn.execute(text(query))
    assert tuple(row) == (1000, 1000, 0, 999)


async def test_two_processes_share_a_pool(db_url: str) -> None:
    first, second = open_engine(db_url), open_engine(db_url)
    try:
        merchant_id = await add_merchant(first, xpub=None)
        await add_pool(first, merchant_id, [f"0x{number:040x}" for number in range(1, 11)])
        tries = (open_one(each, merchant_id) for each in [first, second] * 10)
        ends = await asyncio.gather(*tries, return_exceptions=True)
        outcomes = Counter(type(end) for end in ends)
        assert outcomes == {str: 10, NoAddressLeft: 10}
        assert len({end for end in ends if isinstance(end, str)}) == 10
    finally:
        await close(first)
        await close(second)


async def test_an_empty_pool_refuses_and_stores_nothing(engine: Engine) -> None:
    async with serve(engine, POLICY) as http:
        shop = await open_shop(engine, POLICY, http)
        poor = await add_merchant(engine, xpub=None)
        await add_pool(engine, poor, POOL[:1])
        shop.key = (await add_key(engine, poor)).text
        first = await shop.create(methods=["ethereum:usdt"])
        assert first["quotes"][0]["address"] == POOL[0]
        before = await count_rows(engine)
        answer = await shop.post("/v1/invoices", {"price": PRICE, "methods": ["ethereum:usdt"]})
        assert (answer.status, answer.code) == (409, "no_address_left")
        assert await count_rows(engine) == before


async def test_a_pool_is_used_in_its_order_and_the_newest_wallet_first(engine: Engine) -> None:
    merchant_id = await add_merchant(engine)
    await add_pool(engine, merchant_id, POOL[::-1], at=1)
    given = [await open_one(engine, merchant_id) for _ in range(4)]
    assert given == [*POOL[::-1], FIRST]


async def test_an_address_that_a_pool_holds_is_passed_over(engine: Engine) -> None:
    other = await add_merchant(engine, xpub=None)
    await add_pool(engine, other, [SECOND])
    merchant_id = await add_merchant(engine)
    given = [await open_one(engine, merchant_id) for _ in range(2)]
    assert given[0] == FIRST
    assert given[1] not in (FIRST, SECOND)
    assert await open_one(engine, other) == SECOND


async def test_a_pool_cannot_take_what_an_invoice_has(engine: Engine) -> None:
    merchant_id = await add_merchant(engine)
    await open_one(engine, merchant_id)
    before = await count_rows(engine)
    with pytest.raises(AlreadyThere, match="already belongs to a wallet here"):
        await add_pool(engine, merchant_id, [POOL[0], FIRST])
    assert await count_rows(engine) == before


@pytest.mark.parametrize(
    ("addresses", "reason"),
    [
        ([], "no address"),
        (["0x12"], "40 hex digits"),
        ([f"0x{FIRST[2:].swapcase()}"], "checksum"),
        ([FIRST, FIRST.lower()], "twice"),
    ],
)
async def test_an_odd_pool_is_refused(engine: Engine, addresses: list[str], reason: str) -> None:
    merchant_id = await add_merchant(engine, xpub=None)
    before = await count_rows(engine)
    with pytest.raises(BadField, match=reason):
        await add_pool(engine, merchant_id, addresses)
    assert await count_rows(engine) == before


@pytest.mark.parametrize("spelling", ["m/44'/60'/0'", "m/44'/60'/0'/0"])
async def test_an_xpub_is_a_wallet_once_in_any_spelling(engine: Engine, spelling: str) -> None:
    await add_xpub(engine, await add_merchant(engine, xpub=None), make_xpub())
    stranger = await add_merchant(engine, xpub=None)
    before = await count_rows(engine)
    with pytest.raises(AlreadyThere, match="already a wallet"):
        await add_xpub(engine, stranger, f" {make_xpub(derivation=spelling)}\n")
    assert await count_rows(engine) == before


@pytest.mark.parametrize(
    ("secret", "kind"),
    [(PHRASE, "seed phrase"), (make_xprv(), "private key"), ("ab" * 32, "private key")],
)
async def test_a_secret_is_refused_with_a_warning_and_not_kept(
    engine: Engine, secret: str, kind: str
) -> None:
    merchant_id = await add_merchant(engine, xpub=None)
    before = await count_rows(engine)
    with capture_logs() as logs, pytest.raises(BadField, match=kind) as error:
        await add_xpub(engine, merchant_id, secret)
    assert "treat this wallet as exposed" in str(error.value)
    assert secret not in f"{error.value!r} {logs}"
    assert await count_rows(engine) == before


async def test_a_secret_in_a_pool_is_refused_with_a_warning(engine: Engine) -> None:
    merchant_id = await add_merchant(engine, xpub=None)
    with pytest.raises(BadField, match="private key: it was refused") as error:
        await add_pool(engine, merchant_id, [FIRST, "0x" + "ab" * 32])
    assert "abab" not in str(error.value)


async def test_a_wallet_may_start_at_an_index(engine: Engine) -> None:
    merchant_id = await add_merchant(engine, xpub=None)
    await add_xpub(engine, merchant_id, ACCOUNT_XPUB, start=1)
    assert await open_one(engine, merchant_id) == SECOND


async def test_skipping_goes_forward_and_never_back(engine: Engine) -> None:
    merchant_id = await add_merchant(engine, xpub=None)
    wallet_id = await add_xpub(engine, merchant_id, ACCOUNT_XPUB)
    async with storage.write(engine) as conn:
        assert (await wallets.skip_to(conn, wallet_id, 1)).next_index == 1
        assert (await wallets.skip_to(conn, wallet_id, 0)).next_index == 1
    assert await open_one(engine, merchant_id) == SECOND


async def test_only_an_xpub_that_is_there_can_skip(engine: Engine) -> None:
    pool = await add_pool(engine, await add_merchant(engine, xpub=None), POOL)
    async with storage.write(engine) as conn:
        with pytest.raises(BadField, match="only a wallet with an xpub"):
            await wallets.skip_to(conn, pool, 1)
        with pytest.raises(NotFound):
            await wallets.skip_to(conn, "wal_none", 1)


async def test_the_only_xpub_skips_without_being_named(engine: Engine) -> None:
    merchant_id = await add_merchant(engine, xpub=None)
    await add_pool(engine, merchant_id, POOL)  # a pool has no indices, so it is no choice
    async with storage.write(engine) as conn:
        with pytest.raises(BadField, match="no wallet here has an xpub"):
            await wallets.skip_to(conn, None, 1)
    first = await add_xpub(engine, merchant_id, ACCOUNT_XPUB)
    async with storage.write(engine) as conn:
        assert (await wallets.skip_to(conn, None, 1)).next_index == 1
    second = await add_xpub(engine, await add_merchant(engine, xpub=None), make_xpub(seed=7))
    async with storage.write(engine) as conn:
        with pytest.raises(BadField, match="name one") as error:
            await wallets.skip_to(conn, None, 2)
        left = {each.id: each.next_index for each, _ in await storage.wallets.listing(conn)}
    assert first in str(error.value)
    assert second in str(error.value)
    assert (left[first], left[second]) == (1, 0)


async def test_behind_the_last_index_no_address_is_left(engine: Engine) -> None:
    merchant_id = await add_merchant(engine, xpub=None)
    await add_xpub(engine, merchant_id, ACCOUNT_XPUB, start=HARDENED - 1)
    assert len(wallets.first_addresses(CODEC, ACCOUNT_XPUB, HARDENED - 1)) == 1
    await open_one(engine, merchant_id)
    with pytest.raises(NoAddressLeft):
        await open_one(engine, merchant_id)


@pytest.mark.parametrize(
    "change",
    [
        f"UPDATE addresses SET address = '{POOL[0]}'",
        f"""UPDATE addresses SET address = '{POOL[0]}', "index" = NULL""",
        """UPDATE addresses SET "index" = 7""",
        f"UPDATE wallets SET xpub = '{make_xpub(seed=7)}'",
        f"UPDATE wallets SET xpub = NULL; UPDATE addresses SET address = '{POOL[0]}'",
    ],
)
async def test_a_changed_address_is_never_shown(engine: Engine, change: str) -> None:
    async with serve(engine, POLICY) as http:
        shop: Shop = await open_shop(engine, POLICY, http)
        made = await shop.create(methods=["ethereum:usdt"])
        other = await shop.create(autoselect=False)
        async with storage.write(engine) as conn:
            for statement in change.split("; "):
                await conn.execute(text(statement))
        with capture_logs() as logs:
            answer = await shop.get(f"/v1/invoices/{made['id']}")
            listed = await shop.get("/v1/invoices")
        assert (answer.status, answer.code) == (409, "address_mismatch")
        first, last = listed.body["data"]
        assert (first["id"], last["id"]) == (other["id"], made["id"])
        assert "error" not in first
        assert last["error"]["code"] == "address_mismatch"
        assert {(each["address"], each["payment_uri"]) for each in last["quotes"]} == {(None, None)}
        assert POOL[0] not in str(answer.body) + str(listed.body)
        assert [line["log_level"] for line in logs] == ["error", "error"]
        assert made["id"] in str(logs[0]["reason"])
        assert (await shop.get("/admin/status", ADMIN)).status == 200


async def test_no_event_tells_of_a_changed_address(engine: Engine) -> None:
    """Merchants show their payers what webhooks bring."""
    async with serve(engine, POLICY) as http:
        shop: Shop = await open_shop(engine, POLICY, http)
        made = await shop.create(methods=["ethereum:usdt"])
        async with storage.write(engine) as conn:
            await conn.execute(text(f"UPDATE addresses SET address = '{POOL[0]}'"))
        answer = await shop.ask("POST", f"/v1/invoices/{made['id']}/cancel")
        assert (answer.status, answer.code) == (409, "address_mismatch")
        with capture_logs() as logs:
            await shop.pass_time(7200)  # it expires
        events = (await shop.get("/v1/events")).body["data"]
    assert [each["type"] for each in events] == ["invoice.created", "invoice.expired"]
    assert POOL[0] not in str(events)
    told = events[-1]["data"]["invoice"]
    assert (told["error"]["code"], told["quotes"][0]["address"]) == ("address_mismatch", None)
    assert len([line for line in logs if line["log_level"] == "error"]) == 1
