"""From a configuration to a policy: what the networks' facts make of it."""

from __future__ import annotations

from typing import Any

import pytest

from chains.ahead import AHEAD_SECONDS
from watcher.config import ConfigError, Settings
from watcher.daemon import build_policy
from watcher.daemon.building import client_options, public_url
from watcher.domain.money import Network
from watcher.policy import NetworkPolicy
from watcher.settings import Events, Server
from watcher.status import network_warnings

TWO = [{"name": name, "url": f"http://127.0.0.1/{name}"} for name in ("a", "b")]


def configure(name: str, endpoints: int = 1, **network: Any) -> Settings:
    """A configuration of one network with so many endpoints."""
    return Settings(
        admin={"token": "a-token-for-these-tests"},
        secrets={"key_file": "none"},
        networks={name: {"endpoints": TWO[:endpoints], **network}},
    )


def build(name: str, endpoints: int = 1, **network: Any) -> NetworkPolicy:
    """Its policy."""
    return build_policy(configure(name, endpoints, **network)).networks[Network(name)]


@pytest.mark.parametrize(("chosen", "seconds"), [({}, None), ({"hedge_after_ms": 250}, 0.25)])
def test_nobody_is_hedged_unless_it_is_said(chosen: dict[str, int], seconds: float | None) -> None:
    options = client_options(configure("polygon", **chosen), build("polygon", **chosen))
    assert options.hedge_seconds == seconds


@pytest.mark.parametrize(
    ("events", "seconds"),
    [({}, None), ({"keep_for": "forever"}, None), ({"keep_for": "90d"}, 7_776_000)],
)
def test_events_are_forgotten_only_where_it_is_said(
    events: dict[str, Any], seconds: int | None
) -> None:
    settings = configure("polygon").model_copy(update={"events": Events(**events)})
    assert build_policy(settings).keep_seconds == seconds


@pytest.mark.parametrize(
    ("endpoints", "second_source", "agreement", "repeat"),
    [
        (1, None, 1, True),
        (2, None, 2, True),
        (1, "preferred", 1, True),
        (1, "required", 2, True),
        (2, "required", 2, True),
        (1, "off", 1, False),
        (2, "off", 2, False),
    ],
)
def test_a_second_source_is_what_must_repeat_transfers_on_tron(
    endpoints: int, second_source: str | None, agreement: int, repeat: bool
) -> None:
    chosen = {} if second_source is None else {"second_source": second_source}
    policy = build("tron", endpoints, **chosen)
    assert (policy.agreement, policy.repeat_transfers) == (agreement, repeat)


def test_two_endpoints_agree_unless_it_is_said_otherwise() -> None:
    assert build("ethereum", 1).agreement == 1
    assert build("ethereum", 2).agreement == 2
    assert build("ethereum", 2, agreement=1).agreement == 1


@pytest.mark.parametrize(("endpoints", "warned"), [(1, True), (2, False)])
def test_a_second_source_that_is_not_there_is_warned_of(endpoints: int, warned: bool) -> None:
    policy = build("tron", endpoints, second_source="required")
    warning = "no deposit is ever confirmed: 2 endpoints must agree, and 1 is configured"
    assert (warning in network_warnings(policy)) is warned


def test_a_second_source_is_refused_where_blocks_commit_to_transfers() -> None:
    with pytest.raises(ConfigError, match=r"^networks.polygon.second_source: not needed"):
        build("polygon", second_source="required")


@pytest.mark.parametrize("name", ["polygon", "amoy", "tron"])
def test_traces_are_refused_where_blocks_tell_what_contracts_send(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"^networks.{name}.traces: not needed"):
        build(name, traces="auto")


@pytest.mark.parametrize(
    ("name", "chosen", "traces"),
    [
        ("ethereum", {}, "auto"),
        ("sepolia", {"traces": "required"}, "required"),
        ("ethereum", {"traces": "off"}, "off"),
        ("polygon", {}, "off"),
    ],
)
def test_traces_are_asked_for_where_only_they_tell(
    name: str, chosen: dict[str, str], traces: str
) -> None:
    settings = configure(name, **chosen)
    policy = build_policy(settings).networks[Network(name)]
    assert client_options(settings, policy).traces == traces


@pytest.mark.parametrize(
    ("name", "chosen", "seconds"),
    [
        ("ethereum", {}, AHEAD_SECONDS),
        ("tron", {}, AHEAD_SECONDS),
        ("sepolia", {}, None),
        ("ethereum", {"genesis_hash": "any"}, None),
    ],
)
def test_a_block_may_not_run_ahead_of_our_clock_on_a_live_network(
    name: str, chosen: dict[str, str], seconds: int | None
) -> None:
    settings = configure(name, **chosen)
    policy = build_policy(settings).networks[Network(name)]
    assert client_options(settings, policy).ahead_seconds == seconds


def test_a_trc10_token_is_listed_by_its_number() -> None:
    tokens = [{"symbol": "BTT", "address": "1002000", "decimals": 6}]
    asset = build("tron", tokens=tokens).assets["tron:btt"]
    assert (asset.contract, asset.decimals) == ("1002000", 6)


def test_a_number_is_no_token_elsewhere() -> None:
    tokens = [{"symbol": "BTT", "address": "1002000", "decimals": 6}]
    with pytest.raises(ConfigError, match=r"^networks.ethereum.tokens.0.address"):
        build("ethereum", tokens=tokens)


def test_the_coin_is_watched_whatever_is_listed() -> None:
    assert list(build("ethereum", assets=["USDT"]).assets) == ["ethereum:eth", "ethereum:usdt"]


@pytest.mark.parametrize("spelling", ["USDT", "usdt", "Usdt"])
def test_a_minimum_is_found_in_any_spelling(spelling: str) -> None:
    settings = Settings(
        admin={"token": "a-token-for-these-tests"},
        secrets={"key_file": "none"},
        networks={"ethereum": {"endpoints": TWO[:1]}},
        invoices={"minimum": {spelling: "0.5"}},
    )
    rules = build_policy(settings).networks[Network("ethereum")].rules
    assert rules.minimum == {"ethereum:usdt": 500_000}


@pytest.mark.parametrize(
    ("server", "url"),
    [
        ({}, "http://127.0.0.1:8080"),
        ({"host": "::1", "port": 9}, "http://[::1]:9"),
        (
            {"port": 9, "public_url": "https://pay.example.org/shop/"},
            "https://pay.example.org/shop",
        ),
    ],
)
def test_payers_are_led_to_where_we_are_reached(server: dict[str, Any], url: str) -> None:
    assert public_url(Server(**server)) == url
