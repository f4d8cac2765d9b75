"""Finding an invoice by whatever a person has of it: an id, an address, a transaction."""

from __future__ import annotations

from dataclasses import dataclass, field

import storage
from storage import Conn
from watcher.domain.blocks import Hash
from watcher.explain import parse_hash
from watcher.faces.ids import read_id
from watcher.policy import Policy
from watcher.refused import BadField, NotFound

MOST = 50


@dataclass(frozen=True, slots=True)
class Found:
    """What answers to a text; ids, the newest first."""

    invoices: list[str] = field(default_factory=list)
    deposits: list[str] = field(default_factory=list)
    """Of the transaction whose hash the text is."""
    tx_hash: Hash | None = None
    """The text, where it could be a transaction's hash."""

    @property
    def only(self) -> str | None:
        """The one invoice that it can only mean."""
        return self.invoices[0] if len(self.invoices) == 1 and not self.tx_hash else None


async def search(conn: Conn, policy: Policy, text: str) -> Found:
    """Look for an invoice's or deposit's id, a merchant's own id, an address, a transaction."""
    text = text.strip()
    tx_hash = _hash(text)
    deposits = await storage.overview.by_transaction(conn, tx_hash, MOST) if tx_hash else []
    invoices = [
        *await _by_id(conn, text),
        *await storage.overview.by_external_id(conn, text, MOST),
        *await _by_address(conn, policy, text),
    ]
    return Found(list(dict.fromkeys(invoices)), deposits, tx_hash)


async def _by_id(conn: Conn, text: str) -> list[str]:
    """Whose invoice or deposit is called so, in our spelling or in that of any face."""
    bare = text.upper().removeprefix("INV-")  # a link of PayHubix
    try:
        ids = read_id("inv", bare), read_id("dep", bare)
    except NotFound:
        return []
    invoice = await storage.invoices.get(conn, ids[0])
    deposit = await storage.deposits.get(conn, None, ids[1])
    return [invoice.id] if invoice else [deposit.invoice_id] if deposit else []


async def _by_address(conn: Conn, policy: Policy, text: str) -> list[str]:
    """Who has this address, on any network that can read it."""
    owners: list[str] = []
    for name, network in policy.networks.items():
        spec = network.spec
        try:
            address = spec.codec.parse(text)
        except ValueError:
            continue
        watched = await storage.addresses.watched(conn, name, spec.family, [address])
        owners += [owner.invoice_id for owner in watched.values()]
    return owners


def _hash(text: str) -> Hash | None:
    try:
        return parse_hash(text)
    except BadField:
        return None
