"""What holds for every page: whose requests are refused, where links lead, how faults look."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from storage import StorageUnavailable
from watcher.api.errors import Problem
from watcher.refused import MoneySeen, NotFound
from watcher.web.pages import as_page, is_foreign, root_of

SITE = "https://pay.example.org/shop"


@pytest.mark.parametrize(
    ("headers", "foreign"),
    [
        ({}, False),
        ({"Sec-Fetch-Site": "same-origin"}, False),
        ({"Sec-Fetch-Site": "same-site"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, True),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "https://pay.example.org"}, True),
        ({"Origin": "https://pay.example.org"}, False),
        ({"Origin": "http://127.0.0.1:8080"}, False),
        ({"Origin": "https://evil.example.org"}, True),
        ({"Origin": "https://pay.example.org.evil.example"}, True),
        ({"Origin": "null"}, True),
        ({"Origin": ""}, True),
    ],
)
def test_what_another_site_sends_is_told_apart(headers: dict[str, str], foreign: bool) -> None:
    request = make_mocked_request(
        "POST", "/", headers=CIMultiDict({"Host": "127.0.0.1:8080", **headers})
    )
    assert is_foreign(request, SITE) is foreign


@pytest.mark.parametrize(
    ("path", "root"), [("/pay/inv_1", "../"), ("/pay/inv_1/select", "../../"), ("/docs", "./")]
)
def test_links_lead_up_from_where_a_page_is(path: str, root: str) -> None:
    assert root_of(make_mocked_request("GET", path)) == root


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        (NotFound("there is no such invoice"), 404, "There is no such payment."),
        (MoneySeen(), 409, "Money was already seen"),
        (Problem(429, "try again in 7 s", headers={"Retry-After": "7"}), 429, "Too many requests"),
        (StorageUnavailable("postgresql://user@host"), 503, "We cannot show this right now."),
        (ValueError("secret"), 500, "Internal Server Error"),
    ],
)
async def test_a_fault_is_a_page_that_says_what_went_wrong(
    error: Exception, status: int, sentence: str
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        raise error

    page = await as_page(handler)(make_mocked_request("GET", "/pay/inv_1"))
    assert isinstance(page, web.Response)
    assert page.text is not None
    assert page.status == status
    assert sentence in page.text
    assert "secret" not in page.text
    assert "postgresql" not in page.text
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'; ")
    assert page.headers.get("Retry-After") == {429: "7", 503: "5"}.get(status)
