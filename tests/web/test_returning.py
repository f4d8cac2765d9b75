"""The way back: only to web pages, with what the shop's old gateway added, and after an end."""

from __future__ import annotations

import pytest

from tests.factories import make_invoice
from watcher.domain.invoices import InvoiceStatus
from watcher.faces.ids import uuid_of
from watcher.web.returning import return_of

PAID, EXPIRED = InvoiceStatus.PAID, InvoiceStatus.EXPIRED
SHOP = "https://shop.example.org/thanks?order=1&orderId=old#top"


@pytest.mark.parametrize("status", list(InvoiceStatus))
def test_an_end_leads_back_and_nothing_else(status: InvoiceStatus) -> None:
    details = {"success_url": "https://a.example/", "fail_url": "https://b.example/"}
    back = return_of(make_invoice(status=status, details=details))
    hosts = {
        PAID: "a.example",
        EXPIRED: "b.example",
        InvoiceStatus.UNDERPAID: "b.example",
        InvoiceStatus.CANCELLED: "b.example",
    }
    assert (back.host if back else None) == hosts.get(status)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JaVaScRiPt://shop.example.org/%0aalert(1)",
        "data:text/html,<script>alert(1)</script>",
        "file:///etc/passwd",
        "//evil.example/",
        "/pay/other",
        "https:///nowhere",
        "https://shop.example.org@evil.example/",
        "http://[::1",
        "",
        None,
        7,
        {"url": "https://shop.example.org"},
    ],
)
def test_what_is_no_web_page_leads_nowhere(url: object) -> None:
    assert return_of(make_invoice(status=PAID, details={"success_url": url})) is None


def test_a_name_in_another_script_shows_what_it_is() -> None:
    details = {"success_url": "https://\u0430pple.example/"}  # a Cyrillic letter
    back = return_of(make_invoice(status=PAID, details=details))
    assert back is not None
    assert back.host == "xn--pple-43d.example"


@pytest.mark.parametrize(("kind", "automatic"), [("secret", True), ("public", False)])
def test_what_a_public_key_named_takes_a_click(kind: str, automatic: bool) -> None:
    details = {"success_url": SHOP, "created_with": kind}
    back = return_of(make_invoice(status=PAID, details=details))
    assert back is not None
    assert back.automatic is automatic


def test_an_address_goes_back_as_it_came() -> None:
    back = return_of(make_invoice(status=PAID, details={"success_url": SHOP}))
    assert back is not None
    assert back.url == SHOP


def test_kuna_pays_merchants_get_their_ids_in_the_query() -> None:
    details = {"success_url": SHOP, "face": {"name": "kuna", "echo": {}}}
    invoice = make_invoice(status=PAID, details=details, external_id="8821 a&b")
    back = return_of(invoice)
    assert back is not None
    assert back.url == (
        "https://shop.example.org/thanks?order=1&orderId=8821+a%26b"
        f"&invoiceId={uuid_of(invoice.id)}#top"
    )
