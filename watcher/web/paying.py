"""What a payer may pay with, and what exactly he is to send where."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO

import segno

from watcher.domain.invoices import Quote, units_left
from watcher.domain.money import Method, amount_of
from watcher.policy import Policy
from watcher.web.scene import Scene

VERSION_DIGITS = 12
QUIET_ZONE = 4  # modules of white around a QR code, ISO/IEC 18004 6.3.8


@dataclass(frozen=True, slots=True)
class Offer:
    """One method, as a payer chooses it."""

    method: Method
    symbol: str
    network: str
    """Its title."""
    amount: str
    """What is left to pay in it."""
    fees: str | None


@dataclass(frozen=True, slots=True)
class Payment:
    """What completes the price in the selected method."""

    offer: Offer
    address: str
    contract: str | None
    uri: str
    """What a QR code carries."""

    @property
    def version(self) -> str:
        """Of the QR code: a page that shows another payment now must not keep the former's."""
        return hashlib.sha256(self.uri.encode()).hexdigest()[:VERSION_DIGITS]

    @property
    def opens_wallet(self) -> bool:
        """Whether the URI names a scheme, and not only the address."""
        return self.uri != self.address


def offers_of(policy: Policy, scene: Scene) -> list[Offer]:
    """Everything that may still be paid with: what is not watched any more is left out."""
    return [
        _offer(policy, scene, quote)
        for quote in scene.invoice.quotes
        if policy.listed(quote.method) is not None
    ]


def payment_of(policy: Policy, scene: Scene) -> Payment | None:
    """What to send where; None where nothing may be sent, or no method was chosen yet."""
    invoice = scene.invoice
    quote = invoice.quote(invoice.selected) if invoice.selected else None
    asset = policy.listed(quote.method) if quote else None
    if quote is None or asset is None or scene.tampered:
        return None
    network = policy.networks[quote.network]
    address = invoice.addresses.get(network.spec.family)
    if address is None:
        return None
    show, units = network.spec.codec.show, _units_left(policy, scene, quote)
    return Payment(
        offer=_offer(policy, scene, quote),
        address=show(address),
        contract=show(quote.contract) if quote.contract else None,
        uri=network.spec.payment_uri(asset, address, units, network.chain_id),
    )


@lru_cache(maxsize=256)
def draw_qr(text: str) -> bytes:
    """The text as a QR code: an SVG, black on white, since not every reader takes the reverse."""
    file = BytesIO()
    segno.make(text, micro=False, error="m").save(
        file, kind="svg", border=QUIET_ZONE, light="#fff", xmldecl=False, omitsize=True
    )
    return file.getvalue()


def _offer(policy: Policy, scene: Scene, quote: Quote) -> Offer:
    spec = policy.networks[quote.network].spec
    amount = amount_of(_units_left(policy, scene, quote), quote.decimals)
    return Offer(quote.method, quote.symbol, spec.title, amount, spec.fees)


def _units_left(policy: Policy, scene: Scene, quote: Quote) -> int:
    return units_left(scene.invoice, quote, policy.least(quote.method))
