"""Where a payer goes on once it is over: to a web page that the merchant named, or nowhere."""

from __future__ import annotations

from dataclasses import dataclass

from yarl import URL

from watcher.domain.invoices import Invoice, InvoiceStatus
from watcher.faces.ids import uuid_of

CLOSED_UNPAID = {InvoiceStatus.UNDERPAID, InvoiceStatus.EXPIRED, InvoiceStatus.CANCELLED}


@dataclass(frozen=True, slots=True)
class Return:
    """A link that leads back."""

    url: str
    host: str
    """Shown before anybody goes there; of a name in another script what it truly is."""
    title: str | None
    """The merchant's own words for it."""
    automatic: bool
    """Whether a page that watched it happen may go there by itself."""


def return_of(invoice: Invoice) -> Return | None:
    """Where to after this invoice's end; None: there is no end yet, or nothing safe is named.

    What a public key named, anyone who read the shop's page could have named: it takes a click.
    """
    if invoice.status is InvoiceStatus.PAID:
        given = invoice.details.get("success_url")
    elif invoice.status in CLOSED_UNPAID:
        given = invoice.details.get("fail_url")
    else:
        return None
    url = _web_page(given)
    if url is None or url.host is None:
        return None
    title = invoice.details.get("redirect_title")
    return Return(
        url=str(_with_reference(url, invoice)),
        host=url.raw_host or url.host,
        title=str(title) if title else None,
        automatic=invoice.details.get("created_with", "secret") == "secret",
    )


def _web_page(given: object) -> URL | None:
    """The address, if it is one of a web page: never a script, a file, or a name with password."""
    if not isinstance(given, str):
        return None
    try:
        url = URL(given)
    except ValueError:
        return None
    plain = url.scheme in ("http", "https") and url.user is None and url.password is None
    return url if plain and url.host else None


def _with_reference(url: URL, invoice: Invoice) -> URL:
    """What KUNA Pay's merchants expect in their link: ids in place of parameters of those names."""
    match invoice.details.get("face"):
        case {"name": "kuna"}:
            reference = {"invoiceId": str(uuid_of(invoice.id)), "orderId": invoice.external_id}
            return url.update_query({name: text for name, text in reference.items() if text})
    return url
