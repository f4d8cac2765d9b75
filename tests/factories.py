"""Facts for tests, with a default for everything: say only what the test is about.

The world of the defaults: network `polygon`, one block each 10 seconds, and an invoice over 100 USD
that is due with 100 units of `polygon:usdc` up to second 1000.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

from watcher.domain.audit import Finding, FindingKind, FindingState
from watcher.domain.blocks import BlockRef, Hash, Transfer
from watcher.domain.deposits import Deposit, DepositStatus
from watcher.domain.ids import derived_id
from watcher.domain.invoices import Invoice, Quote
from watcher.domain.money import Address, Family, Method, Network, Price

NETWORK = Network("polygon")
FAMILY = Family("evm")
METHOD = Method("polygon:usdc")
ADDRESS = Address("0x" + "a1" * 20)
PAYER = Address("0x" + "b2" * 20)
CONTRACT = Address("0x" + "c3" * 20)
BLOCK_SECONDS = 10
DEADLINE = 1000


def make_hash(key: str) -> Hash:
    """A canonical hash; the same for the same key."""
    return Hash(sha256(key.encode()).hexdigest())


def make_id(prefix: str, key: str = "1") -> str:
    """A well-formed id; the same for the same key."""
    return derived_id(prefix, 0, key)


def make_ref(number: int = 1, fork: str = "a", timestamp: int | None = None) -> BlockRef:
    """The block at `number` of a fork; it builds on the one below it of the same fork."""
    return BlockRef(
        number=number,
        hash=make_hash(f"{fork}{number}"),
        parent_hash=make_hash(f"{fork}{number - 1}"),
        timestamp=number * BLOCK_SECONDS if timestamp is None else timestamp,
    )


def make_transfer(
    units: int = 100,
    method: Method = METHOD,
    to: Address = ADDRESS,
    *,
    tx: str = "1",
    position: str = "log/0",
    **facts: Any,
) -> Transfer:
    """A payment in transaction `tx`; `facts` are fields by name."""
    plain = Transfer(make_hash(f"tx{tx}"), position, method, PAYER, to, units)
    return replace(plain, **facts)


def make_deposit(
    units: int = 100,
    time: int = 900,
    status: DepositStatus = DepositStatus.PENDING,
    method: Method = METHOD,
    *,
    ref: BlockRef | None = None,
    tx: str = "1",
    position: str = "log/0",
    **facts: Any,
) -> Deposit:
    """A deposit in the block at second `time`, or in `ref`; `facts` are fields by name."""
    block = ref or make_ref(time // BLOCK_SECONDS, timestamp=time)
    network = Network(method.partition(":")[0])
    confirmed = status is DepositStatus.CONFIRMED
    plain = Deposit(
        id=make_id("dep", f"{network} {block.hash} {tx} {position}"),
        merchant_id=make_id("mer"),
        invoice_id=make_id("inv"),
        network=network,
        method=method,
        block_number=block.number,
        block_hash=block.hash,
        block_time=block.timestamp,
        tx_hash=make_hash(f"tx{tx}"),
        position=position,
        sender=PAYER,
        address=ADDRESS,
        units=units,
        required=3,
        below_minimum=False,
        detected_at=block.timestamp,
        status=status,
        corroborated=confirmed,
        confirmed_at=block.timestamp + 2 * BLOCK_SECONDS if confirmed else None,
    )
    return replace(plain, **facts)


def make_quote(units: int = 100, method: Method = METHOD, **facts: Any) -> Quote:
    """What `method` costs; `facts` are fields by name."""
    network, _, code = method.partition(":")
    plain = Quote(
        method=method,
        network=Network(network),
        symbol=code.upper(),
        contract=CONTRACT,
        decimals=6,
        rate="1",
        sources=("fixed",),
        units=units,
        required=3,
    )
    return replace(plain, **facts)


def make_invoice(
    due: int = 100, *, quotes: Sequence[Quote] | None = None, key: str = "1", **facts: Any
) -> Invoice:
    """An open invoice with one quote of `due` units, or with `quotes`; `key` tells two apart."""
    plain = Invoice(
        id=make_id("inv", key),
        merchant_id=make_id("mer"),
        price=Price("100", "USD"),
        quotes=(make_quote(due),) if quotes is None else tuple(quotes),
        created_at=0,
        expires_at=DEADLINE,
        addresses={FAMILY: ADDRESS},
    )
    return replace(plain, **facts)


def make_finding(
    kind: FindingKind = FindingKind.SURPLUS, units: int = 100, *, key: str = "1", **facts: Any
) -> Finding:
    """An open finding in block 9; `facts` are fields by name, `key` tells two apart."""
    ref = make_ref(9)
    plain = Finding(
        id=derived_id("fnd", int(key), key),
        network=NETWORK,
        address=ADDRESS,
        method=METHOD,
        kind=kind,
        units=units,
        first=9,
        last=9,
        block_hash=ref.hash,
        block_time=ref.timestamp,
        state=FindingState.OPEN,
        found_at=100,
    )
    return replace(plain, **facts)
