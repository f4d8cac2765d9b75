"""The documentation, held to the code: every name is in it, every link leads somewhere."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
from aiohttp import web
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from chains import NETWORKS
from chains.base import NetworkSpec
from tests.anvil import Anvil
from watcher.api import RESOURCES, errors
from watcher.api.models import InvoiceIn
from watcher.cli import app
from watcher.config import Settings
from watcher.daemon import build_policy, open_clients
from watcher.domain.events import EventType
from watcher.domain.money import Network
from watcher.durations import show_duration
from watcher.settings import Admin, Endpoint, NetworkSettings, Secrets, Token
from watcher.status import network_warnings
from watcher.web import explorer

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(ROOT.glob("docs/*.md"))]
PAGES.append(ROOT / "systemd" / "README.md")
REFERENCE = (ROOT / "docs" / "reference.md").read_text()
ROW = re.compile(r"^\| `([^`]+)` \| ([^|]+?) \|", re.MULTILINE)
ROWS = dict(ROW.findall(REFERENCE))
# Where packages come from, and folders of one machine: neither belongs into the tree.
FOREIGN = re.compile(
    r"pypi" + r"\.org|pythonhosted" + r"\.org|registry\.npmjs" + r"\.org|deb\.debian" + r"\.org"
    r"|(?<![\w.])/(?:work|farm|root|home/\w+)/|/tmp/" + r"bash_jobs"
)


def settings_keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Each key with its path; networks, endpoints and tokens are tables of their own."""
    for name, field in model.model_fields.items():
        below: Any = field.annotation
        if type(None) in get_args(below):  # a table that may be absent
            below = get_args(below)[0]
        if isinstance(below, type) and issubclass(below, BaseModel):
            yield from settings_keys(below, f"{prefix}{name}.")
        elif name != "networks":
            yield prefix + name, field


KEYS = [
    *settings_keys(Settings),
    *settings_keys(NetworkSettings, "networks.NAME."),
    *settings_keys(Endpoint, "endpoints."),
    *settings_keys(Token, "tokens."),
]


def default_text(key: str, field: FieldInfo) -> str:
    """The default as the reference writes it."""
    value = field.default
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if field.is_required() or key == "admin.token":
        return "required"
    if value is None:
        return "the network's" if key.startswith("networks.") else "none"
    return f"`{json.dumps(show_duration(value) if key == 'invoices.valid_for' else value)}`"


def commands(group: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Each command with the words that call it."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path}{name} ")
        else:
            yield path + name, command


COMMANDS = dict(commands(typer.main.get_command(app)))


def problem_codes() -> dict[str, int]:
    """Every code that an error can have, with its status."""
    return {code: status for status, (_, code) in errors.TITLES.items()} | {
        code: status for status, code in errors.REFUSALS.values()
    }


def tracked() -> list[Path]:
    """Files that are, or would be, committed."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)
    return [ROOT / name for name in done.stdout.splitlines()]


@pytest.mark.parametrize(("key", "field"), KEYS, ids=[key for key, _ in KEYS])
def test_a_setting_is_documented_with_its_default(key: str, field: FieldInfo) -> None:
    assert ROWS.get(key) == default_text(key, field)


def test_no_setting_is_documented_that_does_not_exist() -> None:
    sections = {key.split(".")[0] for key, _ in KEYS}
    written = {name for name in ROWS if name.split(".")[0] in sections and "." in name}
    assert written <= {key for key, _ in KEYS}


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_documented_of_a_network_is_so(name: Network) -> None:
    spec = NETWORKS[name]
    symbols = ", ".join(asset.symbol for asset in spec.assets)
    live = "yes" if spec.live else "no"
    facts = (f"`{name}`", live, spec.chain_id, spec.confirmations, final_text(spec))
    row = " | ".join(str(each) for each in (*facts, spec.reorg_limit, symbols))
    assert f"| {row} |" in REFERENCE


def final_text(spec: NetworkSpec) -> str:
    """What a network calls final, as the reference writes it."""
    if spec.family == "tron":
        return "solidified"
    return (
        "`finalized`" if spec.finality_depth is None else f"`finalized`, {spec.finality_depth} deep"
    )


ENDPOINTS = [Endpoint(name=name, url=SecretStr(f"http://127.0.0.1:1/{name}")) for name in "ab"]


@pytest.mark.parametrize(
    ("name", "network"),
    [
        ("ethereum", NetworkSettings(endpoints=ENDPOINTS[:1])),
        ("tron", NetworkSettings(endpoints=ENDPOINTS[:1])),
        ("tron", NetworkSettings(endpoints=ENDPOINTS, second_source="off")),
        ("tron", NetworkSettings(endpoints=ENDPOINTS[:1], second_source="required")),
    ],
)
def test_a_warning_is_documented(name: Network, network: NetworkSettings) -> None:
    warnings = network_warnings(build_policy(settings_of(name, network)).networks[name])
    assert warnings
    for warning in warnings:
        assert f"| {warning} |" in REFERENCE


def settings_of(name: Network, network: NetworkSettings) -> Settings:
    """A configuration with one network."""
    return Settings(
        admin=Admin(token=SecretStr("0123456789abcdef")),
        secrets=Secrets(key_file=Path("unused.key")),
        networks={name: network},
    )


@pytest.mark.parametrize(
    "route",
    [r for each in (*RESOURCES, explorer) for r in each.routes],
    ids=lambda route: f"{route.method} {route.path}",
)
def test_a_request_is_documented(route: web.RouteDef) -> None:
    path = re.sub(r":[^}]+", "", route.path)  # without the shapes of its parts
    assert f"| `{route.method} {path}` |" in REFERENCE


@pytest.mark.parametrize("event", list(EventType))
def test_an_event_type_is_documented(event: EventType) -> None:
    assert event.value in ROWS


@pytest.mark.parametrize(("code", "status"), problem_codes().items())
def test_an_error_code_is_documented_with_its_status(code: str, status: int) -> None:
    assert ROWS.get(code) == str(status)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_documented(name: str) -> None:
    assert re.search(rf"^\| `{name}[ `]", REFERENCE, re.MULTILINE)


def test_the_options_in_the_documentation_exist() -> None:
    known = {
        option
        for command in [typer.main.get_command(app), *COMMANDS.values()]
        for parameter in command.params
        for option in parameter.opts
    }
    for name, words in re.findall(r"^\| `((?:[a-z]+ ?)+)([^`]*)` \|", REFERENCE, re.MULTILINE):
        if name.strip() in COMMANDS:
            assert set(re.findall(r"--[a-z-]+", words)) <= known, name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_commands_that_a_page_shows_exist(page: Path) -> None:
    """In blocks of shell, each call of ours up to a comment, an operator or a redirection."""
    for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE):
        for words in re.findall(r"(?:^|bin/)deposit-watcher ([^#\n&>]+)", block, re.MULTILINE):
            given = re.sub(r"^--config \S+ ", "", words)
            [name] = [name for name in COMMANDS if f"{given} ".startswith(f"{name} ")]
            known = {option for each in COMMANDS[name].params for option in each.opts}
            assert set(re.findall(r"--[a-z-]+", given)) <= known, words


def test_the_modules_that_the_architecture_names_exist() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    rows = re.findall(r"^\| (`(?:watcher|chains|storage)/[^|]+) \|", page, re.MULTILINE)
    assert rows
    for row in rows:
        names = re.findall(r"`([^`]+)`", row)
        folder = (ROOT / names[0]).parent  # the others of a row are beside the first
        for name in names:
            assert (ROOT / name).exists() or (folder / name).exists(), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_within_the_tree_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if not target.startswith(("https://", "http://")):
            file, _, anchor = target.partition("#")
            found = page.parent / file if file else page
            assert found.exists(), target
            assert not anchor or anchor in anchors(found), target


def anchors(page: Path) -> set[str]:
    """The headings as links spell them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", ["README.md", "docs/reference.md"])
def test_the_invoices_that_the_documentation_opens_are_valid(name: str) -> None:
    bodies = re.findall(r"""-d '(\{"price".*?\})'""", (ROOT / name).read_text())
    assert bodies
    for body in bodies:
        InvoiceIn.model_validate_json(body)


def test_the_configuration_for_real_money_has_a_rate_for_each_network() -> None:
    [block] = re.findall(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    given = tomllib.loads(block.replace("…", "KEY"))
    needed = {"admin": {"token": "0123456789abcdef"}, "secrets": {"key_file": "unused.key"}}
    settings = Settings(**given, **needed)
    policy = build_policy(settings)
    assert policy.networks
    assert "chainlink" in settings.rates.sources
    priced = {feed.pair[0] for network in policy.networks.values() for feed in network.spec.feeds}
    for network in policy.networks.values():
        assert priced & {asset.symbol for asset in network.assets.values()}


def test_no_registry_and_no_folder_of_one_machine_is_named() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in tracked()
        if path.exists()
        for match in [FOREIGN.search(path.read_text(errors="replace"))]
        if match
    ]
    assert found == []


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> NetworkSpec:
    """The network that docs/adding-a-network.md adds, listed as it says."""
    page = (ROOT / "docs" / "adding-a-network.md").read_text()
    [code] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    module = types.ModuleType("chains.example")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(code, "chains/example.py", "exec"), module.__dict__)
    spec: NetworkSpec = module.EXAMPLE
    monkeypatch.setitem(NETWORKS, spec.name, spec)
    return spec


async def test_a_network_is_added_by_its_spec_alone(example: NetworkSpec) -> None:
    with Anvil(chain_id=example.chain_id) as node:
        node.mine(2)
        endpoints = [Endpoint(name="anvil", url=SecretStr(node.url))]
        network = NetworkSettings(endpoints=endpoints, genesis_hash="any")
        settings = settings_of(example.name, network)
        policy = build_policy(settings)
        assert set(policy.networks[example.name].assets) == {"example:exa", "example:usdc"}
        async with open_clients(settings, policy) as clients:
            block = await clients[example.name].block(2)
        assert block is not None
        assert block.ref.hash == node.hash(2)
