"""Merchants, keys, wallets and addresses: no index and no address is ever given twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any

import pytest
from sqlalchemy import event

from storage import (
    Conn,
    Engine,
    addresses,
    close,
    deposits,
    invoices,
    keys,
    merchants,
    open_engine,
    read,
    wallets,
    write,
)
from storage.addresses import Assigned
from storage.keys import Key
from storage.merchants import Merchant
from storage.wallets import AddressTaken, WalletExists
from tests.factories import (
    ADDRESS,
    FAMILY,
    METHOD,
    NETWORK,
    make_deposit,
    make_id,
    make_invoice,
    make_quote,
)
from tests.storage.books import (
    MERCHANT,
    WALLET,
    make_address,
    make_wallet,
    open_invoice,
    open_shop,
)
from watcher.domain.deposits import DepositStatus, Watched
from watcher.domain.money import Address, Family, Method, Network


@pytest.fixture
async def conn(engine: Engine) -> AsyncIterator[Conn]:
    async with write(engine) as opened:
        yield opened


def make_key(key: str = "1", merchant_id: str = MERCHANT) -> Key:
    return Key(make_id("key", key), merchant_id, "secret", "sk_…a1", frozenset({"a:b", "c:d"}), 5)


async def add_key(conn: Conn, key: Key) -> bytes:
    digest = sha256(key.id.encode()).digest()
    await keys.add(conn, key, digest, b"sealed")
    return digest


async def test_merchants_are_listed_oldest_first(conn: Conn) -> None:
    first, second = Merchant("mer_A", "B", 1), Merchant("mer_B", "A", 2)
    await merchants.add(conn, second)
    await merchants.add(conn, first)
    assert await merchants.listing(conn) == [first, second]
    assert await merchants.get(conn, "mer_B") == second
    assert await merchants.get(conn, "mer_C") is None


async def test_a_key_is_found_by_its_digest_until_it_is_revoked(conn: Conn) -> None:
    await open_shop(conn)
    key = make_key()
    digest = await add_key(conn, key)
    assert await keys.find(conn, digest) == key
    assert await keys.signing_secret(conn, key.id) == b"sealed"
    assert await keys.find(conn, b"?" * 32) is None
    assert await keys.revoke(conn, key.id, 9)
    assert await keys.find(conn, digest) is None
    assert await keys.signing_secret(conn, key.id) is None
    assert not await keys.revoke(conn, key.id, 10)
    assert [each.revoked_at for each in await keys.listing(conn, MERCHANT)] == [9]


async def test_keys_are_listed_by_merchant(conn: Conn) -> None:
    await open_shop(conn)
    await merchants.add(conn, Merchant("mer_2", "Other", 0))
    mine, other = make_key("1"), make_key("2", "mer_2")
    await add_key(conn, mine)
    await add_key(conn, other)
    assert await keys.listing(conn, "mer_2") == [other]
    assert set(await keys.listing(conn)) == {mine, other}


async def test_an_xpub_is_a_wallet_once_and_pools_are_many(conn: Conn) -> None:
    await open_shop(conn)
    with pytest.raises(WalletExists):
        await wallets.add(conn, make_wallet("2"), "fingerprint")
    pools = [make_wallet(key, kind="pool", xpub=None) for key in "34"]
    for pool in pools:
        await wallets.add(conn, pool, None)
    assert await wallets.get(conn, make_id("wal", "2")) is None
    assert await wallets.get(conn, pools[0].id) == pools[0]


async def test_wallets_are_listed_with_what_is_left(conn: Conn) -> None:
    await open_shop(conn, pool=3)
    await wallets.add(conn, make_wallet("2", created_at=5), "2")
    await open_invoice(conn, addresses={})
    await addresses.take_from_pool(conn, WALLET, make_id("inv"), 1)
    listed = {wallet.id: left for wallet, left in await wallets.listing(conn, MERCHANT)}
    assert listed == {WALLET: 2, make_id("wal", "2"): None}
    assert await wallets.listing(conn, "mer_other") == []


async def test_the_newest_wallet_of_the_family_gives_first(conn: Conn) -> None:
    await open_shop(conn)
    newer = make_wallet("2", created_at=9)
    await wallets.add(conn, newer, "2")
    await wallets.add(conn, make_wallet("3", created_at=10, family=Family("tron")), "3")
    assert await wallets.newest_first(conn, MERCHANT, FAMILY) == [newer, make_wallet()]


async def test_two_who_take_indices_never_get_the_same(engine: Engine) -> None:
    async with write(engine) as conn:
        await open_shop(conn)

    async def take_many() -> list[int]:
        taken = []
        for _ in range(8):
            async with write(engine) as conn:
                taken.append(await wallets.take_index(conn, WALLET))
        return taken

    first, second = await asyncio.gather(take_many(), take_many())
    assert sorted(first + second) == list(range(16))


async def test_an_index_of_a_failed_transaction_is_given_again(engine: Engine) -> None:
    async with write(engine) as conn:
        await open_shop(conn)

    async def fail() -> None:
        async with write(engine) as conn:
            await wallets.take_index(conn, WALLET)
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    async with write(engine) as conn:
        assert await wallets.take_index(conn, WALLET) == 0


async def test_skipping_goes_forward_only(conn: Conn) -> None:
    await open_shop(conn)
    assert await wallets.skip(conn, WALLET, 5) == 5
    assert await wallets.skip(conn, WALLET, 3) == 5
    assert await wallets.take_index(conn, WALLET) == 5


async def test_wallets_of_a_family_can_be_locked(conn: Conn) -> None:
    await open_shop(conn)
    await wallets.lock(conn, MERCHANT, FAMILY)
    assert await wallets.take_index(conn, WALLET) == 0


async def test_a_pool_gives_in_the_order_added_until_it_is_empty(conn: Conn) -> None:
    await open_shop(conn, pool=2)
    more = [make_address(9), make_address(4)]
    await addresses.fill_pool(conn, WALLET, FAMILY, more)
    await open_invoice(conn, addresses={})
    given = [await addresses.take_from_pool(conn, WALLET, make_id("inv"), 1) for _ in range(5)]
    assert given == [make_address(0), make_address(1), *more, None]


@pytest.mark.parametrize(
    ("added", "taken"), [([7, 1, 8], make_address(1)), ([7, 8, 7], make_address(7))]
)
async def test_an_address_is_in_one_place_only(
    conn: Conn, added: list[int], taken: Address
) -> None:
    await open_shop(conn, pool=2)
    with pytest.raises(AddressTaken) as error:
        await addresses.fill_pool(conn, WALLET, FAMILY, [make_address(n) for n in added])
    assert error.value.address == taken


async def test_a_derived_address_that_is_known_is_refused_and_the_work_goes_on(conn: Conn) -> None:
    await open_shop(conn)
    invoice = await open_invoice(conn)
    with pytest.raises(AddressTaken):
        await addresses.give(conn, Assigned(FAMILY, ADDRESS, WALLET, 1, invoice.id), 1)
    await addresses.give(conn, Assigned(FAMILY, make_address(2), WALLET, 2, invoice.id), 1)
    found = await addresses.of_invoices(conn, [invoice.id, "inv_none"])
    assert {each.index for each in found[invoice.id]} == {0, 2}
    assert found["inv_none"] == []


async def test_two_who_take_from_a_pool_never_get_the_same(engine: Engine) -> None:
    async with write(engine) as conn:
        await open_shop(conn, pool=10)
        await open_invoice(conn, addresses={})

    async def take_many() -> list[Address | None]:
        taken = []
        for _ in range(6):
            async with write(engine) as conn:
                taken.append(await addresses.take_from_pool(conn, WALLET, make_id("inv"), 1))
        return taken

    first, second = await asyncio.gather(take_many(), take_many())
    given = [address for address in first + second if address]
    assert sorted(given) == sorted(make_address(number) for number in range(10))


async def test_watched_finds_ours_among_five_thousand(conn: Conn) -> None:
    await open_shop(conn, pool=3)
    tron = make_quote(method=Method("tron:usdt"), required="finalized")
    await open_invoice(conn, addresses={}, quotes=[make_quote(required=7), tron])
    for _ in range(2):
        await addresses.take_from_pool(conn, WALLET, make_id("inv"), 1)
    block = {make_address(number) for number in range(1, 5001)}
    ours = await addresses.watched(conn, NETWORK, FAMILY, block)
    assert ours == {make_address(1): Watched(MERCHANT, make_id("inv"), 7)}
    elsewhere = await addresses.watched(conn, Network("ethereum"), FAMILY, block)
    assert elsewhere == {make_address(1): Watched(MERCHANT, make_id("inv"), None)}
    assert await addresses.watched(conn, NETWORK, Family("tron"), block) == {}
    assert await addresses.watched(conn, NETWORK, FAMILY, []) == {}


async def test_watched_searches_by_index_however_many_there_are(sqlite_url: str) -> None:
    engine, asked = open_engine(sqlite_url), list[tuple[str, Any]]()

    @event.listens_for(engine.sync_engine, "before_cursor_execute")
    def note(_conn: object, _cursor: object, sql: str, values: Any, *_: object) -> None:
        asked.append((sql, values))

    async with read(engine) as conn:
        await addresses.watched(conn, NETWORK, FAMILY, [make_address(n) for n in range(3000)])
        [(sql, values)] = [each for each in asked if each[0].startswith("SELECT")]
        plan = await conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values)
        steps = [row.detail for row in plan]
    await close(engine)
    assert any("(family=? AND address=?)" in step for step in steps)
    assert not any(step.startswith("SCAN addresses") for step in steps)


async def test_addresses_are_listed_with_the_confirmed_units_of_each_method(conn: Conn) -> None:
    await open_shop(conn, pool=3)
    invoice = make_invoice(addresses={})
    await invoices.add(conn, invoice)
    funded = await addresses.take_from_pool(conn, WALLET, invoice.id, 1)
    biggest = 2**255
    confirmed, pending = DepositStatus.CONFIRMED, DepositStatus.PENDING
    found = [
        make_deposit(biggest, status=confirmed, address=funded, tx="1"),
        make_deposit(biggest - 1, status=confirmed, address=funded, tx="2"),
        make_deposit(5, status=pending, address=funded, tx="3"),
        make_deposit(5, status=pending, address=make_address(1), tx="4"),
    ]
    await deposits.add(conn, found, 1)
    everything = await addresses.listing(conn, wallet_id=WALLET)
    assert [(each.address, sums) for each, sums in everything] == [
        (make_address(0), {METHOD: 2**256 - 1}),
        (make_address(1), {}),
        (make_address(2), {}),
    ]
    assert await addresses.listing(conn, funded=True) == everything[:1]
    assert (
        await addresses.listing(conn, after=(FAMILY, make_address(0)), limit=1) == everything[1:2]
    )
    assert await addresses.listing(conn, wallet_id="wal_none") == []
