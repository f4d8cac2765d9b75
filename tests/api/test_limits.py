"""Limits: how often one may ask, by which address, and what every answer tells of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request

import storage
from storage import Engine
from tests.api.shop import ADMIN, PRICE, Shop, add_key, make_policy, open_shop, serve
from watcher.api import Access, limits
from watcher.api.limits import Windows, client_address

LOCAL = [ip_network("127.0.0.0/8")]


@asynccontextmanager
async def limited(engine: Engine, **facts: Any) -> AsyncIterator[Shop]:
    """A shop where a key may ask 5 times a minute and an address 3 times."""
    access = Access(**{"per_key_per_minute": 5, "per_ip_per_minute": 3, **facts})
    policy = make_policy()
    async with serve(engine, policy, access=access) as http:
        yield await open_shop(engine, policy, http)


async def test_a_secret_key_has_a_limit_of_its_own(engine: Engine) -> None:
    async with limited(engine) as shop:
        answers = [await shop.get("/v1/invoices") for _ in range(6)]
        assert [each.status for each in answers] == [200] * 5 + [429]
        assert [each.headers["X-RateLimit-Remaining"] for each in answers] == [*"432100"]
        assert {each.headers["X-RateLimit-Limit"] for each in answers} == {"5"}
        assert answers[-1].code == "too_many_requests"
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
        assert 1 <= int(answers[-1].headers["X-RateLimit-Reset"]) <= 60
        other = (await add_key(engine, shop.merchant_id)).text
        assert (await shop.get("/v1/invoices", other)).status == 200


async def test_errors_tell_the_limit_too(engine: Engine) -> None:
    async with limited(engine) as shop:
        answer = await shop.get("/v1/invoices/inv_1")
        assert (answer.status, answer.headers["X-RateLimit-Remaining"]) == (404, "4")


async def test_public_keys_share_the_limit_of_an_address(engine: Engine) -> None:
    async with limited(engine) as shop:
        first = (await add_key(engine, shop.merchant_id, public=True)).text
        second = (await add_key(engine, shop.merchant_id, public=True)).text
        keys = [first, second, first, second]
        answers = [await shop.post("/v1/invoices", {"price": PRICE}, key) for key in keys]
        assert [each.status for each in answers] == [201, 201, 201, 429]
        assert (await shop.get("/v1/invoices")).status == 200


@pytest.mark.parametrize("path", ["/v1/invoices", "/admin/status"])
async def test_whoever_guesses_is_slowed_and_nobody_locked_out(engine: Engine, path: str) -> None:
    async with limited(engine) as shop:
        assert (await shop.get("/v1/invoices")).status == 200
        answers = [await shop.get(path, f"sk_{number}") for number in range(4)]
        assert [each.status for each in answers] == [401, 401, 401, 429]
        assert (await shop.get("/v1/invoices")).status == 200
        assert (await shop.get("/admin/status", ADMIN)).status == 200


async def test_beyond_the_limit_even_the_right_guess_is_refused(engine: Engine) -> None:
    async with limited(engine) as shop:
        for number in range(3):
            assert (await shop.get("/v1/invoices", f"sk_{number}")).status == 401
        answer = await shop.get("/v1/invoices")
        assert (answer.status, answer.code) == (429, "too_many_requests")
        assert 1 <= int(answer.headers["Retry-After"]) <= 60
        assert answer.headers["X-RateLimit-Remaining"] == "0"


async def test_good_keys_are_no_guesses(engine: Engine) -> None:
    async with limited(engine) as shop:
        for _ in range(4):
            key = (await add_key(engine, shop.merchant_id)).text
            assert (await shop.get("/v1/invoices", key)).status == 200
        assert (await shop.get("/v1/invoices", "sk_wrong")).status == 401


async def test_a_revoked_key_is_a_guess(engine: Engine) -> None:
    async with limited(engine) as shop:
        new = await add_key(engine, shop.merchant_id)
        assert (await shop.get("/v1/invoices", new.text)).status == 200
        async with storage.write(engine) as conn:
            await storage.keys.revoke(conn, new.key.id, 1)
        statuses = [(await shop.get("/v1/invoices", new.text)).status for _ in range(4)]
        assert statuses == [401, 401, 401, 429]


async def test_what_supervisors_ask_has_no_limit(engine: Engine) -> None:
    async with limited(engine) as shop:
        answers = [await shop.get("/healthz", "") for _ in range(8)]
        assert {each.status for each in answers} == {200}
        assert "X-RateLimit-Limit" not in answers[0].headers


async def guess(shop: Shop, client: str) -> int:
    """Try a wrong key as a client of the proxy that we say we are."""
    sent = {"X-Forwarded-For": client}
    return (await shop.ask("GET", "/v1/invoices", "sk_wrong", headers=sent)).status


async def test_nobody_else_is_believed_who_a_client_is(engine: Engine) -> None:
    async with limited(engine) as shop:
        statuses = [await guess(shop, f"198.51.100.{number}") for number in range(4)]
        assert statuses == [401, 401, 401, 429]


async def test_behind_a_trusted_proxy_each_client_has_a_limit(engine: Engine) -> None:
    async with limited(engine, trusted_proxies=LOCAL) as shop:
        statuses = [await guess(shop, "198.51.100.1") for _ in range(4)]
        assert statuses == [401, 401, 401, 429]
        assert await guess(shop, "198.51.100.2") == 401
        assert await guess(shop, "198.51.100.2, 198.51.100.1") == 429


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        pytest.param("203.0.113.9", [], "203.0.113.9", id="no proxy"),
        pytest.param("203.0.113.9", ["1.2.3.4"], "203.0.113.9", id="a stranger's word"),
        pytest.param("127.0.0.1", ["1.2.3.4"], "1.2.3.4", id="a proxy's word"),
        pytest.param("127.0.0.1", ["6.6.6.6, 1.2.3.4"], "1.2.3.4", id="the client's own word"),
        pytest.param("127.0.0.1", ["1.2.3.4, 127.0.0.2"], "1.2.3.4", id="two proxies"),
        pytest.param("127.0.0.1", ["6.6.6.6", "1.2.3.4"], "1.2.3.4", id="two headers"),
        pytest.param("127.0.0.1", ["127.0.0.3"], "127.0.0.3", id="a proxy itself"),
        pytest.param("127.0.0.1", ["1.2.3.4, nonsense"], "127.0.0.1", id="nonsense"),
        pytest.param("127.0.0.1", [""], "127.0.0.1", id="empty"),
        pytest.param("127.0.0.1", ["::ffff:1.2.3.4"], "1.2.3.4", id="IPv4 as IPv6"),
        pytest.param("::ffff:127.0.0.1", ["1.2.3.4"], "1.2.3.4", id="a proxy as IPv6"),
        pytest.param("127.0.0.1", ["2001:db8:1:2:3::4"], "2001:db8:1:2::/64", id="IPv6"),
        pytest.param("", ["1.2.3.4"], "unknown", id="a Unix socket"),
    ],
)
def test_the_address_of_a_client(peer: str, forwarded: list[str], address: str) -> None:
    request = make_mocked_request("GET", "/", [("X-Forwarded-For", each) for each in forwarded])
    assert client_address(request.clone(remote=peer), LOCAL) == address


def test_a_window_slides() -> None:
    time = [0.0]
    windows = Windows(2, lambda: time[0])
    allowed = []
    for time[0] in (0, 30, 59, 60, 61, 89, 90):
        allowed.append(windows.ask("a").retry_seconds)
    assert allowed == [0, 0, 1, 0, 29, 1, 0]


def test_a_refused_request_does_not_count() -> None:
    time = [0.0]
    windows = Windows(1, lambda: time[0])
    for time[0] in (0, 20, 40):
        windows.ask("a")
    time[0] = 60
    assert windows.ask("a").retry_seconds == 0


def test_only_so_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_WINDOWS", 2)
    windows = Windows(1)
    for who in ("a", "b", "b", "c"):
        windows.ask(who)
    assert windows.ask("b").retry_seconds > 0
    assert windows.ask("a").retry_seconds == 0
