"""The document tells of the API as it is: each path, who may ask, what comes back."""

from __future__ import annotations

import re

import pytest
from aiohttp import web
from openapi_spec_validator import validate

from tests.api.shop import DOCUMENT, OPERATIONS, Shop, add_key
from watcher.api.describing import ADMIN, Operation
from watcher.merchants import SCOPES
from watcher.web import dashboard

PUBLIC = "a public key may not do this"


def some_path(route: web.RouteDef) -> str:
    """A path of this shape, with nothing behind it."""
    return re.sub(r"{[^}]+}", "0", route.path)


async def why_refused(shop: Shop, route: web.RouteDef, key: str) -> tuple[int, str]:
    """The status, and the error's sentence."""
    answer = await shop.ask(route.method, some_path(route), key)
    return answer.status, answer.body["detail"] if answer.status >= 400 else ""


ELSEWHERE = ("/compat/", "/pay/", "/static/", "/favicon.ico")  # of their originals; for people
FOR_THE_OPERATOR = {
    (route.method.lower(), re.sub(":[^}]+", "", route.path))
    for resource in dashboard.RESOURCES
    for route in resource.routes
}


def of_merchants() -> list[tuple[web.RouteDef, Operation]]:
    """The operations that take a merchant's key."""
    return [(route, each) for route, each in OPERATIONS if each.takes_keys]


def test_the_document_is_valid() -> None:
    validate(DOCUMENT)


async def test_every_path_and_method_that_is_served_is_in_the_document(shop: Shop) -> None:
    assert shop.http.app is not None
    served = {
        (route.method.lower(), route.resource.canonical)
        for route in shop.http.app.router.routes()
        if route.resource is not None and route.method != "HEAD"
        if not route.resource.canonical.startswith(ELSEWHERE) and route.resource.canonical != "/"
    }
    told = {(method, path) for path, each in DOCUMENT["paths"].items() for method in each}
    assert told == served - FOR_THE_OPERATOR


def test_no_two_operations_have_one_name() -> None:
    names = [each["operationId"] for path in DOCUMENT["paths"].values() for each in path.values()]
    assert len(set(names)) == len(names)


async def test_a_key_needs_the_scope_that_the_document_names(shop: Shop) -> None:
    for route, operation in of_merchants():
        others = [scope for scope in SCOPES if scope != operation.scope]
        key = await add_key(shop.engine, shop.merchant_id, *others)
        expected = (403, f"the key lacks the scope {operation.scope}")
        assert await why_refused(shop, route, key.text) == expected, route


async def test_a_public_key_may_ask_what_the_document_says(shop: Shop) -> None:
    key = await add_key(shop.engine, shop.merchant_id, public=True)
    for route, operation in of_merchants():
        refused = await why_refused(shop, route, key.text) == (403, PUBLIC)
        assert refused is not operation.public, route


async def test_the_operators_requests_need_his_token_and_others_none(shop: Shop) -> None:
    headers = {"Authorization": f"Bearer {shop.key}"}
    for route, operation in OPERATIONS:
        if not operation.takes_keys:
            asked = shop.http.request(route.method, some_path(route), headers=headers)
            async with asked as response:
                needed = operation.scope == ADMIN and not operation.local
                assert (response.status == 401) is needed, route


async def test_the_document_is_served(shop: Shop) -> None:
    answer = await shop.get("/openapi.json", key="")
    assert (answer.status, answer.body) == (200, DOCUMENT)


async def test_the_page_shows_every_operation_and_shape(shop: Shop) -> None:
    async with shop.http.get("/docs") as response:
        page = await response.text()
    for path, operations in DOCUMENT["paths"].items():
        for method in operations:
            assert f"<code>{method.upper()}</code> <code>{path}</code>" in page
    for name in DOCUMENT["components"]["schemas"]:
        assert f'id="{name}"' in page


async def test_the_page_asks_no_other_host_and_runs_nothing(shop: Shop) -> None:
    async with shop.http.get("/docs") as response:
        page = await response.text()
        assert response.headers["Content-Security-Policy"].startswith("default-src 'none'; ")
    assert set(re.findall(r'(?:href|src)="([^#][^"]*)"', page)) == {
        "/docs/style.css",
        "/openapi.json",
    }
    assert "<script" not in page
    assert "style=" not in page
    async with shop.http.get("/docs/style.css") as response:
        assert response.content_type == "text/css"
        assert "url(" not in await response.text()


@pytest.mark.parametrize("moment", ["0", "1700000000", "0.5", "yesterday", "2026-11-21"])
async def test_a_time_is_written_in_full(shop: Shop, moment: str) -> None:
    answer = await shop.get("/v1/invoices", created_after=moment)
    assert (answer.status, answer.fields) == (422, ["created_after"])
