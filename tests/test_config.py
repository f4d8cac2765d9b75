"""The configuration: what it takes, what it refuses and in which words, and what it never says."""

from __future__ import annotations

import json
import re
import stat
import tomllib
from itertools import chain
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from chains import NETWORKS
from chains.ethereum import ETHEREUM
from watcher.config import ConfigError, Settings, load
from watcher.config_file import default_toml, write_initial
from watcher.durations import parse_duration, show_duration
from watcher.keys import load_box
from watcher.settings import NetworkSettings, Sandbox
from watcher.shapes import SHORTEST_KEPT
from watcher.webhooks.dialects import DIALECTS
from watcher.webhooks.outcomes import JITTER

TOKEN = "an-admin-token-of-some-length"
NEEDED = {"WATCHER_ADMIN__TOKEN": TOKEN, "WATCHER_SECRETS__KEY_FILE": "watcher.key"}
OWN_NODE = '[networks.ethereum]\nendpoints = [{ name = "own", url = "http://127.0.0.1:8545" }]\n'


def load_text(folder: Path, text: str, environ: dict[str, str] | None = None) -> Settings:
    path = folder / "watcher.toml"
    path.write_text(text)
    return load(path, NEEDED | (environ or {}))


def refusal(folder: Path, text: str, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as error:
        load_text(folder, text, environ)
    return str(error.value)


def test_defaults_are_those_of_the_contract() -> None:
    settings = load(None, NEEDED)
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 8080)
    assert settings.database.url.get_secret_value() == "sqlite:///watcher.db"
    assert settings.invoices.valid_for == 3600
    assert settings.networks == {}


@pytest.mark.parametrize(
    ("text", "kept"),
    [("forever", "forever"), ("30d", 30 * 86_400), ("720h", 30 * 86_400), ("3650d", 3650 * 86_400)],
)
def test_events_are_kept_as_long_as_it_says(tmp_path: Path, text: str, kept: int | str) -> None:
    assert load(None, NEEDED).events.keep_for == "forever"
    assert load_text(tmp_path, f'[events]\nkeep_for = "{text}"').events.keep_for == kept


def test_no_ladder_of_retries_outlasts_what_is_kept_least() -> None:
    longest = max(sum(dialect.ladder) for dialect in DIALECTS.values())
    assert longest * (1 + JITTER) < SHORTEST_KEPT


def test_a_network_says_nothing_that_its_own_facts_decide(tmp_path: Path) -> None:
    network = load_text(tmp_path, OWN_NODE).networks["ethereum"]
    unset = (network.chain_id, network.confirmations, network.poll_seconds, network.reorg_limit)
    assert unset == (None, None, None, None)
    assert (network.enabled, network.agreement, network.start_block) == (True, "auto", "head")


def test_an_endpoint_reveals_its_secrets_to_a_client(tmp_path: Path) -> None:
    endpoint = (
        '[[networks.ethereum.endpoints]]\nname = "paid"\nurl = "https://node.example.org/key"\n'
        'daily_requests = 100\nheaders = { Authorization = "Bearer abc" }'
    )
    revealed = load_text(tmp_path, endpoint).networks["ethereum"].endpoints[0].reveal()
    assert (revealed.name, revealed.url) == ("paid", "https://node.example.org/key")
    assert (revealed.requests_per_second, revealed.daily_requests) == (None, 100)
    assert revealed.headers == {"Authorization": "Bearer abc"}


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        ("confirmations = 3", "confirmations", 3),
        ('confirmations = "finalized"', "confirmations", "finalized"),
        ("agreement = 1", "agreement", 1),
        ("start_block = 0", "start_block", 0),
        ('genesis_hash = "any"', "genesis_hash", "any"),
        (f'genesis_hash = "0x{"AB" * 32}"', "genesis_hash", "ab" * 32),
        ("poll_seconds = 1", "poll_seconds", 1),
    ],
)
def test_a_network_takes(line: str, key: str, value: object, tmp_path: Path) -> None:
    assert getattr(load_text(tmp_path, OWN_NODE + line).networks["ethereum"], key) == value


@pytest.mark.parametrize(
    ("name", "text", "key", "value"),
    [
        ("SERVER__PORT", "9000", "server.port", 9000),
        ("DATABASE__MIGRATE", "false", "database.migrate", False),
        ("INVOICES__TOLERANCE_PERCENT", "0.5", "invoices.tolerance_percent", "0.5"),
        ("INVOICES__LATE_POLICY", "accept", "invoices.late_policy", "accept"),
        ("INVOICES__PAYER_MAY_CANCEL", "false", "invoices.payer_may_cancel", False),
        ("INVOICES__VALID_FOR", "2d", "invoices.valid_for", 172_800),
        ("INVOICES__MINIMUM", '{"USDT":"0.5"}', "invoices.minimum", {"USDT": "0.5"}),
        ("INVOICES__MINIMUM__USDT", "0.5", "invoices.minimum", {"usdt": "0.5"}),
        ("NETWORKS__ETHEREUM__CONFIRMATIONS", "3", "networks.ethereum.confirmations", 3),
        ("NETWORKS__ETHEREUM__START_BLOCK", "7", "networks.ethereum.start_block", 7),
        (
            "NETWORKS__ETHEREUM__CONFIRMATIONS",
            "finalized",
            "networks.ethereum.confirmations",
            "finalized",
        ),
    ],
)
def test_the_environment_overrides_the_file(
    name: str, text: str, key: str, value: object, tmp_path: Path
) -> None:
    file = '[server]\nport = 8081\n[invoices]\nvalid_for = "1h"\n' + OWN_NODE
    found: Any = load_text(tmp_path, file, {"WATCHER_" + name: text}).model_dump()
    for part in key.split("."):
        found = found[part]
    assert found == value


def test_endpoints_from_the_environment_replace_those_of_the_file(tmp_path: Path) -> None:
    text = '[{"name":"other","url":"http://127.0.0.1:1"}]'
    settings = load_text(tmp_path, OWN_NODE, {"WATCHER_NETWORKS__ETHEREUM__ENDPOINTS": text})
    assert [each.name for each in settings.networks["ethereum"].endpoints] == ["other"]


def test_the_environment_of_others_does_not_matter() -> None:
    assert load(None, NEEDED | {"PATH": "/bin", "SERVER__PORT": "1"}) == load(None, NEEDED)


def test_settings_made_by_hand_read_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHER_SERVER__PORT", "9")
    values: dict[str, Any] = {"admin": {"token": TOKEN}, "secrets": {"key_file": "watcher.key"}}
    assert Settings(**values).server.port == 8080


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[server]\nport = 65536", "server.port: must be at most 65535"),
        ("[server]\nport = -1", "server.port: must be at least 0"),
        ('[server]\nport = "8080"', "server.port: must be a whole number"),
        ("[server]\nport = true", "server.port: must be a whole number"),
        ("[server]\nport = 80.0", "server.port: must be a whole number"),
        ('[server]\nhost = ""', "server.host: must not be empty"),
        ('[server]\nhots = "x"', "server.hots: unknown key"),
        ("[webhook]\ntimeout_seconds = 10", "webhook: unknown key"),
        ("[webhooks]\ntimeout_seconds = 31", "webhooks.timeout_seconds: must be at most 30"),
        *(
            (
                f"[events]\nkeep_for = {value}",
                'events.keep_for: must be "forever" or a duration of 30 to 36500 days, '
                'such as "365d"',
            )
            for value in ('"29d"', '"36501d"', '"365"', '"for ever"', "365", "true")
        ),
        ("[events]\nkeep_days = 365", "events.keep_days: unknown key"),
        ("server = 5", "server: must be a table"),
        (
            '[database]\nurl = "mysql://x"',
            "database.url: must start with sqlite:/// or postgresql://",
        ),
        ('[database]\nmigrate = "yes"', "database.migrate: must be true or false"),
        (
            '[invoices]\nvalid_for = "1 hour"',
            'invoices.valid_for: must be a duration such as "90s", "30m", "1h" or "2d"',
        ),
        (
            "[invoices]\nvalid_for = 3600",
            'invoices.valid_for: must be a duration such as "90s", "30m", "1h" or "2d"',
        ),
        *(
            (
                f'[invoices]\nvalid_for = "{text}"',
                "invoices.valid_for: must be from 60 seconds to 30 days",
            )
            for text in ("59s", "31d")
        ),
        (
            '[invoices]\ntolerance_percent = "100"',
            'invoices.tolerance_percent: must be decimal text from "0" to below "100"',
        ),
        (
            '[invoices]\ntolerance_percent = "-1"',
            'invoices.tolerance_percent: must be decimal text from "0" to below "100"',
        ),
        ("[invoices]\ntolerance_percent = 1", "invoices.tolerance_percent: must be text in quotes"),
        (
            '[invoices]\nminimum = { USDT = "0" }',
            "invoices.minimum.USDT: the amount must be above zero",
        ),
        (
            '[invoices]\ntolerance_percent = "0.0000000000000000001"',
            "invoices.tolerance_percent: a percentage must have at most 18 decimals",
        ),
        (
            '[rates]\nfixed = { EURUSD = "1.1" }',
            'rates.fixed.EURUSD: must be a pair in upper case such as "EUR/USD"',
        ),
        (
            '[rates]\nfixed = { "EUR/USD" = "0" }',
            "rates.fixed.EUR/USD: the amount must be above zero",
        ),
        *(
            (
                f"[rates]\nfixed = {fixed}",
                f'rates.fixed: "{pair}" must stand once, of two things, and not turned round, too',
            )
            for fixed, pair in (
                ('{ "EUR/USD" = "1.1", "USD/EUR" = "2" }', "EUR/USD"),
                ('{ "USD/USD" = "2" }', "USD/USD"),
            )
        ),
        ('[server]\nurl = "https://x.org"', "server.url: unknown key"),
        (
            '[server]\npublic_url = "x.org"',
            "server.public_url: must start with http:// or https://",
        ),
        *(
            (
                f'[server]\npublic_url = "https://{rest}"',
                'server.public_url: must be the address of a site, such as "https://pay.example.org"',
            )
            for rest in ("me@x.org", "x.org/?a=b", "x.org/#a")
        ),
        (
            '[server]\ntrusted_proxies = ["10.0.0.1/8"]',
            "server.trusted_proxies.0: must be an IP address, "
            'or a block of them such as "10.0.0.0/8"',
        ),
        (
            '[server]\ncors_origins = ["https://example.org/shop"]',
            'server.cors_origins.0: must be "*" or an origin without a path, '
            'such as "https://example.org"',
        ),
        (
            '[invoices]\nlate_policy = "maybe"',
            "invoices.late_policy: must be 'manual' or 'accept'",
        ),
        ("[invoices]\npayer_may_cancel = 1", "invoices.payer_may_cancel: must be true or false"),
        ("[limits]\nper_ip_per_minute = 0", "limits.per_ip_per_minute: must be at least 1"),
        (
            '[rates]\nsources = ["kraken", "binance"]',
            "rates.sources.1: must be 'chainlink', 'kraken' or 'coinbase'",
        ),
        ('[rates]\nsources = ["kraken", "kraken"]', 'rates.sources: lists "kraken" twice'),
        ("[rates]\nmax_age_seconds = 0", "rates.max_age_seconds: must be at least 5"),
        (
            '[rates]\nkraken_url = "ftp://x"',
            "rates.kraken_url: must start with http:// or https://",
        ),
        (
            "[networks.Ethereum]\nenabled = false",
            "networks.Ethereum: has characters that are not allowed here, or is too long",
        ),
        (
            "[networks.tron]",
            "networks.tron.endpoints: an enabled network needs at least one endpoint",
        ),
    ],
)
def test_a_mistake_is_named_in_one_sentence(text: str, line: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, text) == line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "confirmations = 0",
            'confirmations: must be "finalized" or a whole number, at least 1 and at most 100000',
        ),
        (
            "confirmations = true",
            'confirmations: must be "finalized" or a whole number, at least 1 and at most 100000',
        ),
        (
            'confirmations = "final"',
            'confirmations: must be "finalized" or a whole number, at least 1 and at most 100000',
        ),
        ("start_block = -1", 'start_block: must be "head" or a whole number, at least 0'),
        ("agreement = 0", 'agreement: must be "auto" or a whole number, at least 1'),
        ("agreement = 2", "agreement: asks for more than the 1 configured endpoints"),
        ('traces = "on"', "traces: must be 'auto', 'required' or 'off'"),
        ("poll_seconds = 0", "poll_seconds: must be at least 1"),
        ("reorg_limit = 1", "reorg_limit: must be at least 2"),
        ("chain_id = 0", "chain_id: must be at least 1"),
        (
            'genesis_hash = "0xabc"',
            'genesis_hash: must be "any" or the 64 hex digits of a block hash',
        ),
        ('assets = ["ETH", "eth"]', 'assets: lists "eth" twice'),
        (
            'assets = ["USDT"]\ntokens = [{ symbol = "USDT", address = "0x1", decimals = 6 }]',
            'tokens: lists "USDT" twice',
        ),
        (
            'tokens = [{ symbol = "A", address = "0x1", decimals = 78 }]',
            "tokens.0.decimals: must be at most 77",
        ),
        ('tokens = [{ symbol = "A", decimals = 6 }]', "tokens.0.address: required"),
        (
            'confirmation_tiers = [{ above = "1", currency = "USD" }]',
            "confirmation_tiers.0.confirmations: required",
        ),
        (
            'confirmation_tiers = [{ above = "0", currency = "USD", confirmations = 9 }]',
            "confirmation_tiers.0.above: the amount must be above zero",
        ),
        (
            'confirmation_tiers = [{ above = "1", currency = "US Dollar", confirmations = 9 }]',
            "confirmation_tiers.0.currency: "
            'a currency is 1 to 20 letters, digits or points, such as "EUR"',
        ),
        ("finality_depth = 0", "finality_depth: must be at least 1"),
        ("hedge_after_ms = -1", "hedge_after_ms: must be at least 0"),
        (
            'second_source = "always"',
            "second_source: must be 'required', 'preferred' or 'off'",
        ),
    ],
)
def test_a_mistake_in_a_network_is_named(text: str, line: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, OWN_NODE + text) == f"networks.ethereum.{line}"


@pytest.mark.parametrize(
    ("endpoint", "line"),
    [
        ('{ name = "a" }', "0.url: required"),
        ('{ name = "a", url = "ftp://x" }', "0.url: must start with http:// or https://"),
        (
            '{ name = "a", url = "http://" }',
            '0.url: must name a host and no odd port, such as "https://example.org"',
        ),
        (
            '{ name = "a", url = "http://x:99999" }',
            '0.url: must name a host and no odd port, such as "https://example.org"',
        ),
        (
            '{ name = "a b", url = "http://x" }',
            "0.name: has characters that are not allowed here, or is too long",
        ),
        (
            '{ name = "a", url = "http://x", requests_per_second = 0 }',
            "0.requests_per_second: must be at least 1",
        ),
        (
            '{ name = "a", url = "http://x", headers = { A = "b\\nc" } }',
            "0.headers.A: must be printable ASCII text, and not empty",
        ),
    ],
)
def test_a_mistake_in_an_endpoint_is_named(endpoint: str, line: str, tmp_path: Path) -> None:
    text = f"[networks.ethereum]\nendpoints = [{endpoint}]"
    assert refusal(tmp_path, text) == f"networks.ethereum.endpoints.{line}"


def test_two_endpoints_cannot_be_one_node(tmp_path: Path) -> None:
    twice = '{ name = "a", url = "http://x" }, { name = "b", url = "http://X/" }'
    text = f"[networks.ethereum]\nendpoints = [{twice}]"
    assert "have one URL" in refusal(tmp_path, text)


def test_two_endpoints_cannot_share_a_name(tmp_path: Path) -> None:
    twice = '{ name = "a", url = "http://x" }, { name = "A", url = "http://y" }'
    text = f"[networks.ethereum]\nendpoints = [{twice}]"
    assert refusal(tmp_path, text) == 'networks.ethereum.endpoints: lists "A" twice'


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("WATCHER_SERVER_PORT", "1", "WATCHER_SERVER_PORT: unknown environment variable"),
        ("WATCHER_", "1", "WATCHER_: unknown environment variable"),
        (
            "WATCHER_WEBHOOK__TIMEOUT",
            "1",
            "WATCHER_WEBHOOK__TIMEOUT: unknown environment variable",
        ),
        ("WATCHER_SERVER__PROT", "1", "server.prot: unknown key"),
        ("WATCHER_SERVER__PORT__X", "1", "server.port: must be a whole number"),
        ("WATCHER_SERVER__PORT", "many", "server.port: must be a whole number"),
        ("WATCHER_SERVER", "{", "server: must be a table"),
        ("WATCHER_INVOICES__MINIMUM", "{USDT", "invoices.minimum: must be a table"),
        ("WATCHER_NETWORKS__TRON__ENDPOINTS", "[{", "networks.tron.endpoints: must be a list"),
    ],
)
def test_a_mistake_in_the_environment_is_named(name: str, text: str, line: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(None, NEEDED | {name: text})
    assert str(error.value) == line


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    told = refusal(tmp_path, "[server]\nport = -1\n[sever]", {"WATCHER_LIMIT": "1"})
    assert told.splitlines() == [
        "sever: unknown key",
        "WATCHER_LIMIT: unknown environment variable",
        "server.port: must be at least 0",
    ]


def test_a_file_that_is_not_toml_is_named(tmp_path: Path) -> None:
    assert "watcher.toml: not valid TOML: " in refusal(tmp_path, "[server")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.toml: cannot be read: No such file"):
        load(tmp_path / "gone.toml", NEEDED)


def test_without_token_and_key_file_both_are_named() -> None:
    with pytest.raises(ConfigError) as error:
        load(None, {})
    assert str(error.value).splitlines() == [
        "admin.token: required, or token_file, or WATCHER_ADMIN__TOKEN in the environment",
        "secrets.key_file: required",
    ]


def admin(**keys: str) -> dict[str, str]:
    given = {f"WATCHER_ADMIN__{key.upper()}": value for key, value in keys.items()}
    return {"WATCHER_SECRETS__KEY_FILE": "watcher.key"} | given


def test_a_token_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    settings = load(None, admin(token_file=str(file)))
    assert settings.admin.token.get_secret_value() == TOKEN


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"token": "short"}, "admin.token: must be at least 16 ASCII characters without spaces"),
        ({"token": "spaces between these words"}, "admin.token: must be at least 16 ASCII"),
        ({"token": TOKEN, "token_file": "x"}, "admin.token: set only one of token and token_file"),
        ({"token_file": "/nowhere"}, "admin.token: token_file /nowhere cannot be read: No such"),
    ],
)
def test_an_unusable_token_is_refused(keys: dict[str, str], reason: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(None, admin(**keys))
    assert str(error.value).startswith(reason)


SECRETS = {
    "WATCHER_ADMIN__TOKEN": "SECRET-admin-token",
    "WATCHER_DATABASE__URL": "postgresql://user:SECRET@host/name",
    "WATCHER_NETWORKS__ETHEREUM__ENDPOINTS": json.dumps(
        [{"name": "a", "url": "https://x/SECRET", "headers": {"Authorization": "SECRET"}}]
    ),
}


def test_settings_never_show_a_secret() -> None:
    settings = load(None, NEEDED | SECRETS)
    shown = f"{settings!r} {settings} {settings.model_dump_json()} {settings.model_dump()}"
    revealed = settings.networks["ethereum"].endpoints[0].reveal()
    assert "SECRET" not in shown + repr(revealed)
    assert "SECRET" in revealed.url


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("WATCHER_ADMIN__TOKEN", "SECRET"),
        ("WATCHER_DATABASE__URL", "SECRET://"),
        ("WATCHER_NETWORKS__ETHEREUM__ENDPOINTS", '[{"name":"a","url":"SECRET"}]'),
        ("WATCHER_NETWORKS__ETHEREUM__ENDPOINTS", '[{"name":"a","url":"http://[SECRET"}]'),
        ("WATCHER_NETWORKS__ETHEREUM__ENDPOINTS", '[{"name":"SECRET SECRET","url":"SECRET"'),
        (
            "WATCHER_NETWORKS__ETHEREUM__ENDPOINTS",
            '[{"name":"a","url":"http://x","headers":{"A":"SECRET\\u0000"}}]',
        ),
    ],
)
def test_a_refusal_never_repeats_a_secret(name: str, text: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(None, NEEDED | {name: text})
    assert "SECRET" not in f"{error.value} {error.value!r}"


def keys_of(annotation: Any) -> list[str]:
    """Every key of the tables within a type, and of those below them."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        inner = [keys_of(field.annotation) for field in annotation.model_fields.values()]
        return [*annotation.model_fields, *chain.from_iterable(inner)]
    return [*chain.from_iterable(keys_of(part) for part in get_args(annotation))]


def test_the_written_configuration_shows_every_key() -> None:
    text = default_toml(TOKEN, Path("watcher.key"), NETWORKS.values())
    shown = set(re.findall(r"(\w+)(?= = )", text)) | set(re.findall(r"\[(\w+)[].]", text))
    keys = keys_of(Settings)
    assert {"port", "headers", "decimals"} <= set(keys)
    of_a_sandbox = {"sandbox", *keys_of(Sandbox)}  # another file, which `run --sandbox` writes
    assert set(keys) - shown == of_a_sandbox


def test_the_written_configuration_holds_the_defaults(tmp_path: Path) -> None:
    written = load_text(tmp_path, default_toml(TOKEN, Path("watcher.key"), [ETHEREUM]))
    bare = load(None, NEEDED)
    assert written.model_copy(update={"networks": {}}) == bare
    assert {*written.networks} == {"ethereum"}
    assert all(network == NetworkSettings(enabled=False) for network in written.networks.values())


def test_every_example_in_the_written_configuration_is_valid(tmp_path: Path) -> None:
    text = default_toml(TOKEN, Path("watcher.key"), NETWORKS.values()).replace(
        "enabled = false", "enabled = true"
    )
    text = re.sub(r"(?m)^# token_file.*\n", "", text)
    text = re.sub(r"(?m)^# (?=\w+ = |  |\]$)", "", text)
    shown = tomllib.loads(text)["networks"]
    network = load_text(tmp_path, text).networks["ethereum"]
    keys = {key for each in shown.values() for key in each}
    assert keys == set(NetworkSettings.model_fields)
    assert network.confirmations == 12
    assert [each.name for each in network.endpoints] == ["own", "paid", "keyed"]


@pytest.mark.parametrize("name", ['with "quotes"', "back\\slash", "ünï😀code", "del\x7f"])
def test_any_path_survives_in_the_written_configuration(name: str, tmp_path: Path) -> None:
    path = tmp_path / "watcher.toml"
    path.write_text(default_toml(TOKEN, Path(name), [ETHEREUM]))
    assert load(path, {}).secrets.key_file == Path(name)


def test_init_writes_what_starts(tmp_path: Path) -> None:
    path = tmp_path / "watcher.toml"
    write_initial(path, [ETHEREUM])
    settings = load(path, {})
    assert settings.secrets.key_file == tmp_path / "watcher.key"
    box = load_box(settings.secrets.key_file)
    assert box.open(box.seal("secret")) == "secret"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["watcher.key", "watcher.toml"]
    assert {stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()} == {0o600}


def test_init_makes_fresh_secrets_each_time(tmp_path: Path) -> None:
    tokens = set()
    for name in ("a", "b"):
        write_initial(tmp_path / f"{name}.toml", [ETHEREUM])
        tokens.add(load(tmp_path / f"{name}.toml", {}).admin.token.get_secret_value())
    assert len(tokens) == 2
    assert (tmp_path / "a.key").read_text() != (tmp_path / "b.key").read_text()


@pytest.mark.parametrize("there", ["watcher.toml", "watcher.key"])
def test_init_overwrites_nothing(there: str, tmp_path: Path) -> None:
    (tmp_path / there).write_text("mine")
    with pytest.raises(ConfigError, match=f"{there} exists already and is not overwritten"):
        write_initial(tmp_path / "watcher.toml", [ETHEREUM])
    assert [each.name for each in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_text() == "mine"


def test_init_leaves_no_key_file_without_a_configuration(tmp_path: Path) -> None:
    (tmp_path / "watcher.toml").symlink_to(tmp_path / "gone")
    with pytest.raises(ConfigError, match="exists already"):
        write_initial(tmp_path / "watcher.toml", [ETHEREUM])
    assert [each.name for each in tmp_path.iterdir()] == ["watcher.toml"]


def test_init_into_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written: No such file or directory"):
        write_initial(tmp_path / "gone" / "watcher.toml", [ETHEREUM])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1800), ("1h", 3600), ("2d", 172_800), ("36h", 129_600)],
)
def test_a_duration_is_read_and_shown(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds
    assert parse_duration(show_duration(seconds)) == seconds


@pytest.mark.parametrize(
    "text", ["", "1", "h", "0s", "01h", "-1h", "1.5h", "1H", "1h ", "1h\n", "1w", "367d", "9" * 99]
)
def test_an_odd_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a duration"):
        parse_duration(text)
