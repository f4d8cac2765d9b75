"""What `doctor` asks of every endpoint alike: how far it lags, and what holds requests back."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest

from chains.base import Capability, ChainUnavailable, EndpointSettings, RateLimited, Unobserved
from chains.endpoint import Endpoint
from chains.examining import check, compare, limits, told_age
from chains.health import Clock
from tests.factories import make_ref
from watcher.domain.blocks import BlockRef


@dataclass
class Silent:
    """A transport that nobody asks."""

    async def post(self, method: str, params: object) -> bytes | None:
        raise AssertionError(method)

    async def close(self) -> None:
        pass


async def identify(node: Endpoint) -> None:
    pass


def endpoint(name: str, rate: int | None = None) -> Endpoint:
    settings = EndpointSettings(name, "http://127.0.0.1:1/", rate)
    return Endpoint(settings, Silent(), identify, Clock(), Unobserved())


async def lags(**heads: int | None) -> list[tuple[str, bool | None]]:
    """What is found of endpoints with these heads; None: it does not answer."""

    async def newest(node: Endpoint) -> BlockRef:
        number = heads[node.name]
        if number is None:
            raise ChainUnavailable("down")
        return make_ref(number)

    found = await compare([endpoint(name) for name in heads], newest)
    assert {each.check for each in found} <= {"lag"}
    return [(each.endpoint, each.ok) for each in found]


@pytest.mark.parametrize(
    ("heads", "found"),
    [
        pytest.param({"a": 7}, [], id="alone"),
        pytest.param({"a": 7, "b": 7}, [("a", True), ("b", True)], id="as new"),
        pytest.param({"a": 9, "b": 7}, [("a", True), ("b", True)], id="by two blocks"),
        pytest.param({"a": 7, "b": 10}, [("a", None), ("b", True)], id="by three blocks"),
        pytest.param({"a": 7, "b": None}, [], id="the other does not answer"),
        pytest.param({"a": 7, "b": None, "c": 99}, [("a", None), ("c", True)], id="one of three"),
    ],
)
async def test_a_lag_is_told_against_the_best_other(
    heads: dict[str, int | None], found: list[tuple[str, bool | None]]
) -> None:
    assert await lags(**heads) == found


async def test_a_refusal_as_one_too_many_is_noticed() -> None:
    async def refused() -> str:
        raise RateLimited("429")

    node = endpoint("a")
    assert limits(node) == []
    assert (await check(node, "head", refused())).ok is False
    [found] = limits(node)
    assert (found.check, found.ok) == ("limits", None)
    assert found.detail.startswith("refused requests as too many")


def test_a_configured_limit_is_told() -> None:
    detail = "50 requests a second as configured, none refused"
    assert limits(endpoint("a", 50)) == [Capability("a", "limits", True, detail)]


@pytest.mark.parametrize("age", [0, 290])
def test_a_young_head_follows(age: int) -> None:
    head = make_ref(7, timestamp=int(time.time()) - age)
    assert told_age(head, 12, None).startswith("block 7, ")


def test_a_head_dated_ahead_is_told_unless_chain_time_is_our_own() -> None:
    head = make_ref(7, timestamp=int(time.time()) + 7200)
    with pytest.raises(ChainUnavailable, match="either the endpoint lies, or the clock is behind"):
        told_age(head, 12, 300)
    assert told_age(head, 12, None).startswith("block 7, ")


def test_an_old_head_does_not_follow() -> None:
    with pytest.raises(ChainUnavailable, match="the node does not follow"):
        told_age(make_ref(7, timestamp=int(time.time()) - 310), 12, None)
