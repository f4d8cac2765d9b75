"""Addresses for invoices: the next of an xpub or a pool, and the check that none was changed."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain

import structlog

import storage
from chains.base import AddressCodec
from storage import Conn
from storage.addresses import Assigned
from storage.wallets import Wallet
from watcher.clock import new_id, rfc3339
from watcher.derivation import (
    EXPOSED,
    HARDENED,
    Account,
    derive,
    fingerprint,
    parse_account,
    path,
)
from watcher.domain.invoices import Invoice
from watcher.domain.money import Address, Family
from watcher.policy import Policy
from watcher.refused import (
    AddressTampered,
    AlreadyThere,
    BadField,
    NoAddressLeft,
    NotFound,
    WalletInUse,
)
from watcher.render import Json

log = structlog.get_logger()


async def add_xpub(
    conn: Conn, merchant_id: str, family: Family, xpub: str, from_index: int, now: int
) -> Wallet:
    """Add a wallet that derives its addresses, starting at `from_index`.

    Raises:
        BadField: not an xpub we can use; a private key or a seed phrase is never stored.
        AlreadyThere: some merchant has this very wallet already, in any spelling.
    """
    try:
        mark = fingerprint(xpub)
    except ValueError as error:
        raise BadField(str(error), field="xpub") from error
    wallet = Wallet(new_id("wal"), merchant_id, family, "xpub", xpub.strip(), from_index, now)
    try:
        await storage.wallets.add(conn, wallet, f"{family}:{mark}")
    except storage.wallets.WalletExists as error:
        raise AlreadyThere("this xpub is already a wallet here", field="xpub") from error
    return wallet


async def add_pool(
    conn: Conn,
    merchant_id: str,
    family: Family,
    codec: AddressCodec,
    addresses: Sequence[str],
    now: int,
) -> Wallet:
    """Add a wallet of given addresses, each used once, in this order.

    Raises:
        BadField: one is no address of the family, or stands in the list twice.
        AlreadyThere: one already belongs to a wallet here.
    """
    parsed: list[Address] = []
    for place, text in enumerate(addresses):
        try:
            parsed.append(codec.parse(text))
        except ValueError as error:
            raise BadField(_why_no_address(text, error), field=f"addresses.{place}") from error
    if not parsed:
        raise BadField("there is no address in it", field="addresses")
    if len(set(parsed)) < len(parsed):
        raise BadField("an address stands in it twice", field="addresses")
    wallet = Wallet(new_id("wal"), merchant_id, family, "pool", None, 0, now)
    await storage.wallets.add(conn, wallet, None)
    try:
        await storage.addresses.fill_pool(conn, wallet.id, family, parsed)
    except storage.addresses.AddressTaken as error:
        raise AlreadyThere(
            f"{codec.show(Address(error.address))} already belongs to a wallet here",
            field="addresses",
        ) from error
    return wallet


def _why_no_address(text: str, error: ValueError) -> str:
    """The codec's reason; what looks like a secret deserves the warning instead."""
    try:
        parse_account(text)
    except ValueError as other:
        if EXPOSED in str(other):
            return str(other)
    return str(error)


async def next_address(
    conn: Conn, codec: AddressCodec, merchant_id: str, family: Family, invoice_id: str, now: int
) -> Address:
    """Give `invoice_id` an address that no invoice ever had, from the newest wallet with one left.

    An index whose address was given before (another wallet held it as a pool) is passed over.

    Raises:
        NoAddressLeft: the merchant has none.
    """
    for wallet in await storage.wallets.newest_first(conn, merchant_id, family):
        if wallet.xpub is None:
            address = await storage.addresses.take_from_pool(conn, wallet.id, invoice_id, now)
        else:
            address = await _derive_next(conn, codec, wallet, wallet.xpub, invoice_id, now)
        if address is not None:
            return address
    raise NoAddressLeft(f"no {family} address is left to give; add a wallet or fill the pool")


async def _derive_next(
    conn: Conn, codec: AddressCodec, wallet: Wallet, xpub: str, invoice_id: str, now: int
) -> Address | None:
    """Give the address at the wallet's next free index; None behind the last that there is."""
    while (index := await storage.wallets.take_index(conn, wallet.id)) is not None:
        if index >= HARDENED:
            break
        address = codec.of_key(derive(_account(xpub), index))
        assigned = Assigned(wallet.family, address, wallet.id, index, invoice_id)
        with suppress(storage.addresses.AddressTaken):  # a pool holds it: the next index
            await storage.addresses.give(conn, assigned, now)
            return address
    return None


async def check_addresses(conn: Conn, policy: Policy, invoices: Sequence[Invoice]) -> None:
    """Derive every address of these invoices that came from an xpub again, and compare.

    Raises:
        AddressTampered: one differs; it must not be shown, since whoever changed the database
            may have put an address of his own there.
    """
    for reason in (await find_tampered(conn, policy, invoices)).values():
        raise AddressTampered(reason)


async def find_tampered(conn: Conn, policy: Policy, invoices: Sequence[Invoice]) -> dict[str, str]:
    """The same without raising: by the id of the invoice, which address is not its wallet's."""
    codecs = {each.spec.family: each.spec.codec for each in policy.networks.values()}
    assigned = await storage.addresses.of_invoices(conn, [invoice.id for invoice in invoices])
    wallets: dict[str, Wallet | None] = {}
    found: dict[str, str] = {}
    for each in chain.from_iterable(assigned.values()):
        if each.wallet_id not in wallets:
            wallets[each.wallet_id] = await storage.wallets.get(conn, each.wallet_id)
        wallet, codec = wallets[each.wallet_id], codecs.get(each.family)
        if codec is None or each.invoice_id is None:
            continue  # no network of this family is enabled: the address is not watched either
        if not _is_genuine(codec, wallet, each):
            found[each.invoice_id] = reason = (
                f"the {each.family} address of {each.invoice_id} is not the one that its wallet "
                f"derives at index {each.index}: the database was changed from outside"
            )
            log.error("an address was changed in the database", reason=reason)
    return found


def _is_genuine(codec: AddressCodec, wallet: Wallet | None, assigned: Assigned) -> bool:
    """Whether an xpub derives this address at its index, or it came from a pool as it stands."""
    if wallet is None or wallet.xpub is None or assigned.index is None:
        return wallet is not None and wallet.xpub is None and assigned.index is None
    return codec.of_key(_derived(wallet.xpub, assigned.index)) == assigned.address


def first_addresses(codec: AddressCodec, xpub: str, start: int, count: int = 3) -> list[str]:
    """The addresses from index `start` on, as shown, to compare with the owner's wallet."""
    account, end = _account(xpub), min(start + count, HARDENED)
    return [codec.show(codec.of_key(derive(account, index))) for index in range(start, end)]


def path_of(wallet: Wallet, index: int | None) -> str | None:
    """The derivation path of an address, relative to the wallet's account; None in a pool."""
    if wallet.xpub is None or index is None:
        return None
    return path(_account(wallet.xpub), index)


def codec_of(policy: Policy, family: str) -> AddressCodec:
    """How the addresses of a family are written; raises BadField for one that is not enabled."""
    for network in policy.networks.values():
        if network.spec.family == family:
            return network.spec.codec
    known = ", ".join(sorted(set(policy.families.values()))) or "none"
    raise BadField(f"no enabled network is of this family; there are {known}", field="family")


async def delete_wallet(conn: Conn, merchant_id: str, wallet_id: str) -> None:
    """Delete a wallet that no invoice ever got an address of.

    Raises:
        NotFound: no such wallet of this merchant.
        WalletInUse: one did.
    """
    wallet = await storage.wallets.get(conn, wallet_id)
    if wallet is None or wallet.merchant_id != merchant_id:
        raise NotFound("there is no such wallet")
    if not await storage.wallets.delete(conn, wallet_id):
        raise WalletInUse


async def find_wallet(conn: Conn, wallet_id: str) -> Wallet:
    """The wallet with this id; raises NotFound."""
    wallet = await storage.wallets.get(conn, wallet_id)
    if wallet is None:
        raise NotFound("there is no such wallet", field="wallet")
    return wallet


async def skip_to(conn: Conn, wallet_id: str | None, index: int) -> Wallet:
    """Never give out indices below `index`; return the wallet, whose next one never goes back.

    `wallet_id`: None for the only wallet with an xpub.

    Raises:
        NotFound: there is no such wallet.
        BadField: it is a pool; or none is named, and not exactly one has an xpub.
    """
    wallet = await (_only_xpub(conn) if wallet_id is None else find_wallet(conn, wallet_id))
    if wallet.kind != "xpub":
        raise BadField("only a wallet with an xpub has indices", field="wallet")
    return replace(wallet, next_index=await storage.wallets.skip(conn, wallet.id, index))


async def _only_xpub(conn: Conn) -> Wallet:
    """The one wallet here that has an xpub, whoever's it is."""
    match [each for each, _ in await storage.wallets.listing(conn) if each.kind == "xpub"]:
        case [wallet]:
            return wallet
        case []:
            raise BadField("no wallet here has an xpub, so there are no indices", field="wallet")
        case several:
            names = ", ".join(each.id for each in several)
            raise BadField(f"several wallets have an xpub, name one: {names}", field="wallet")


def render_wallet(wallet: Wallet, left: int | None) -> Json:
    """A wallet without its xpub, which tells all of its addresses."""
    return {
        "id": wallet.id,
        "object": "wallet",
        "merchant_id": wallet.merchant_id,
        "family": wallet.family,
        "kind": wallet.kind,
        "next_index": wallet.next_index if wallet.kind == "xpub" else None,
        "left": left,
        "created_at": rfc3339(wallet.created_at),
    }


@functools.lru_cache(maxsize=256)
def _account(xpub: str) -> Account:
    return parse_account(xpub)


@functools.lru_cache(maxsize=4096)
def _derived(xpub: str, index: int) -> bytes:
    return derive(_account(xpub), index)
