"""Orders to the embedded nodes: pay an invoice, mine, replace the newest blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import aiohttp

from storage import Conn
from watcher import invoicing
from watcher.domain.invoices import Invoice, Quote
from watcher.domain.money import Address, Method, Network, units_of
from watcher.policy import Policy
from watcher.refused import BadField, Refused

Way = Literal["plain", "internal", "failed"]
SECONDS = 30


class NodeRefused(Refused):
    """The embedded node cannot be reached, or did not take the order."""


@dataclass(frozen=True, slots=True)
class Payment:
    """What an invoice asks for, in the terms of the network that it is paid on."""

    network: Network
    method: Method
    to: Address
    units: int
    contract: Address | None


async def prepare_payment(
    conn: Conn,
    policy: Policy,
    invoice_id: str,
    method: str | None,
    amount: str | None,
    now: int,
) -> Payment:
    """Select `method` (default: the selected, or the first offered) and say what is left to pay.

    Raises:
        NotFound, NotOpen, NoAddressLeft: as for any payer.
        BadField: the method is not offered, or the amount is none of it.
    """
    invoice = await invoicing.find_invoice(conn, None, invoice_id)
    chosen = Method(method.lower()) if method else invoice.selected or invoice.quotes[0].method
    if invoice.selected != chosen:
        invoice = await invoicing.select_method(
            conn, policy, invoice.merchant_id, invoice_id, chosen, now
        )
    quote = invoice.quote(chosen)
    if quote is None:
        raise BadField(f"{chosen} is not offered by this invoice", field="method")
    try:
        units = units_of(amount, quote.decimals) if amount else _left(invoice, quote)
    except ValueError as error:
        raise BadField(str(error), field="amount") from error
    if units <= 0:
        raise BadField("there is nothing left to pay; give an amount", field="amount")
    family = policy.networks[quote.network].spec.family
    to = invoice.addresses[family]
    return Payment(quote.network, chosen, to, units, quote.contract)


async def pay(
    policy: Policy, url: str, payment: Payment, way: Way, payer: int | None
) -> str | None:
    """Order the payment for the next block; the transaction's hash as the explorer wants it."""
    order = {
        "to": payment.to,
        "units": str(payment.units),
        "contract": payment.contract,
        "way": way,
        "payer": payer,
    }
    made = await send_order(policy, url, payment.network, "sandbox_pay", order)
    return None if made is None else str(made)


async def send_order(
    policy: Policy, url: str, network: Network, name: str, order: dict[str, Any]
) -> Any:
    """Give a node an order, in its family's own protocol.

    Raises:
        NodeRefused: it is not there, or says what is wrong with the order.
    """
    evm = policy.networks[network].spec.family == "evm"
    target = url if evm else f"{url.rstrip('/')}/{name}"
    body = {"jsonrpc": "2.0", "id": 1, "method": name, "params": [order]} if evm else order
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(target, json=body) as response,
        ):
            answer = await response.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise NodeRefused(
            f"the embedded {network} node does not answer; does `run --sandbox` run?"
        ) from error
    if not isinstance(answer, dict):
        return answer
    if fault := answer.get("error") or answer.get("Error"):
        raise NodeRefused(f"the embedded {network} node refused: {_words(fault)}")
    return answer.get("result") if evm else answer


def _left(invoice: Invoice, quote: Quote) -> int:
    """Units that complete the price, rounded up."""
    left = (1 - invoice.seen) * quote.units
    return -(-left.numerator // left.denominator)


def _words(fault: object) -> str:
    return str(fault["message"]) if isinstance(fault, dict) and "message" in fault else str(fault)
