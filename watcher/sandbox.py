"""Orders to the embedded nodes: pay an invoice, mine, replace the newest blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import aiohttp

from storage import Conn
from watcher import invoicing
from watcher.domain.invoices import Quote, units_left
from watcher.domain.money import Address, Family, Method, Network, units_of
from watcher.policy import Policy
from watcher.refused import BadField, NotOpen, Refused

Way = Literal["plain", "internal", "failed"]
SECONDS = 30


class NodeRefused(Refused):
    """The embedded node did not take the order."""


class NodeAway(NodeRefused):
    """The embedded node cannot be reached."""


@dataclass(frozen=True, slots=True)
class Node:
    """Where an embedded node answers, and in which family's protocol."""

    network: Network
    family: Family
    url: str


@dataclass(frozen=True, slots=True)
class Payment:
    """What an invoice asks for, in the terms of the network that it is paid on."""

    quote: Quote
    to: Address
    units: int


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
        NotFound, NoAddressLeft: as for any payer.
        NotOpen: it asks for nothing any more, and no amount is given; or it never had an address.
        BadField: the method is not offered, or the amount is none of it.
    """
    invoice = await invoicing.find_invoice(conn, None, invoice_id)
    if amount is None and invoice.status not in invoicing.OPEN:
        status = invoice.status.value.replace("_", " ")
        raise NotOpen(f"the invoice is {status}; give an amount to pay it all the same")
    chosen = Method(method.lower()) if method else invoice.selected or invoice.quotes[0].method
    if invoice.selected != chosen:
        invoice = await invoicing.select_method(
            conn, policy, invoice.merchant_id, invoice_id, chosen, now
        )
    quote = invoice.quote(chosen)
    assert quote is not None  # only what is offered was ever selected
    try:
        if amount is None:
            units = units_left(invoice, quote, policy.least(chosen))
        else:
            units = units_of(amount, quote.decimals)
    except ValueError as error:
        raise BadField(str(error), field="amount") from error
    if units == 0:
        raise BadField("must be more than zero", field="amount")
    return Payment(quote, invoice.addresses[policy.networks[quote.network].spec.family], units)


async def pay(node: Node, payment: Payment, way: Way, payer: int | None) -> str:
    """Order the payment for the next block; the transaction's hash as people write it."""
    order = {
        "to": payment.to,
        "units": str(payment.units),
        "contract": payment.quote.contract,
        "way": way,
        "payer": payer,
    }
    return str(await send_order(node, "sandbox_pay", order))


async def send_order(node: Node, name: str, order: dict[str, Any]) -> Any:
    """Give a node an order, as its family's parameters have it.

    Raises:
        NodeAway: it is not there.
        NodeRefused: it says what is wrong with the order.
    """
    return await ask_node(node, name, [order] if node.family == "evm" else order)


async def ask_node(node: Node, name: str, params: object) -> Any:
    """What a node answers, by JSON-RPC or by the path `name`; raises as `send_order` does."""
    rpc = node.family == "evm"
    target = node.url if rpc else f"{node.url.rstrip('/')}/{name}"
    body = {"jsonrpc": "2.0", "id": 1, "method": name, "params": params} if rpc else params
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(target, json=body) as response,
        ):
            answer = await response.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise NodeAway(
            f"the embedded {node.network} node does not answer; does `run --sandbox` run?"
        ) from error
    if not isinstance(answer, dict):
        return answer
    if fault := answer.get("error") or answer.get("Error"):
        raise NodeRefused(f"the embedded {node.network} node refused: {_words(fault)}")
    return answer.get("result") if rpc else answer


def _words(fault: object) -> str:
    return str(fault["message"]) if isinstance(fault, dict) and "message" in fault else str(fault)
