"""The import rule: domain below chains and storage, which never meet, below everything else."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("watcher", "chains", "storage")
CORE = {"watcher", "watcher.domain", "storage", "chains.base"}
ALLOWED = {  # layer -> layers it may import; a module belongs to the longest matching prefix
    "watcher.domain": {"watcher.domain"},
    "chains.base": {"chains.base", "watcher.domain"},
    "chains": {"chains", "chains.base", "watcher.domain"},
    "storage": {"storage", "watcher.domain"},
    "watcher": CORE,
    "watcher.daemon": CORE | {"chains", "watcher.daemon"},
    "watcher.cli": CORE | {"chains", "watcher.daemon", "watcher.cli"},
    "watcher.__main__": {"watcher.cli"},
}
PURE = {  # neither clock nor chance nor the outside: all that the domain may import
    "__future__",
    "bisect",
    "collections",
    "dataclasses",
    "decimal",
    "enum",
    "fractions",
    "functools",
    "hashlib",
    "itertools",
    "math",
    "operator",
    "re",
    "typing",
}


def module_of(path: Path) -> str:
    """The dotted name of a file below the root."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules() -> list[tuple[str, Path]]:
    """Every module of the three packages."""
    paths = (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))
    return [(module_of(path), path) for path in paths]


def imports(source: str) -> Iterator[str]:
    """Absolute names of all imports, also in functions and under `TYPE_CHECKING`.

    `from watcher import daemon` gives `watcher.daemon`: half of it would hide the layer.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = "." * node.level  # a relative name is of no known layer, so it is refused
            yield from (f"{above}{node.module or ''}.{alias.name}" for alias in node.names)


def layer_of(name: str) -> str | None:
    """The layer with the longest prefix of `name`, by whole parts; None for what is not ours."""
    layers = [layer for layer in ALLOWED if f"{name}.".startswith(f"{layer}.")]
    return max(layers, key=len, default=None)


def faults(module: str, source: str) -> list[str]:
    """What `module` imports and must not."""
    layer = layer_of(module)
    assert layer is not None, f"{module} is in no layer"
    wrong = []
    for name in imports(source):
        top = name.partition(".")[0]
        if top in PACKAGES or name.startswith("."):
            allowed = layer_of(name) in ALLOWED[layer]
        elif top == "tests":
            allowed = False
        else:
            allowed = layer != "watcher.domain" or top in PURE
        if not allowed:
            wrong.append(name)
    return wrong


@pytest.mark.parametrize(("module", "path"), modules(), ids=[name for name, _ in modules()])
def test_imports_follow_the_layers(module: str, path: Path) -> None:
    assert faults(module, path.read_text()) == [], f"{module} must not import these"


def test_the_rule_sees_every_package() -> None:
    names = {name for name, _ in modules()}
    assert {"watcher", "watcher.domain.money", "chains", "chains.base"} <= names


@pytest.mark.parametrize(
    ("module", "source", "name"),
    [
        ("watcher.domain.money", "import time", "time"),
        ("watcher.domain.money", "import os.path", "os.path"),
        ("watcher.domain.money", "from random import choice", "random.choice"),
        ("watcher.domain.money", "from datetime import datetime", "datetime.datetime"),
        ("watcher.domain.money", "def f():\n    import asyncio", "asyncio"),
        ("watcher.domain.money", "import sqlalchemy", "sqlalchemy"),
        ("watcher.domain.money", "from watcher import clock", "watcher.clock"),
        ("watcher.domain", "import storage", "storage"),
        ("watcher.domain.events", "from chains.base import ChainError", "chains.base.ChainError"),
        ("chains.base", "from chains import NETWORKS", "chains.NETWORKS"),
        ("chains.base", "import chains.evm.client", "chains.evm.client"),
        ("chains.evm.client", "import storage", "storage"),
        ("chains.evm.client", "from storage.blocks import push", "storage.blocks.push"),
        ("chains.tron", "from watcher import config", "watcher.config"),
        ("chains", "if TYPE_CHECKING:\n    import watcher.ledger", "watcher.ledger"),
        ("storage.blocks", "from chains.base import ChainError", "chains.base.ChainError"),
        ("storage", "from watcher.ledger import connect", "watcher.ledger.connect"),
        ("watcher.follower", "from watcher import daemon", "watcher.daemon"),
        ("watcher.follower", "import chains", "chains"),
        ("watcher.follower", "from chains.evm import client", "chains.evm.client"),
        ("watcher.ledger", "from watcher.cli import main", "watcher.cli.main"),
        ("watcher.daemon", "import watcher.cli.run", "watcher.cli.run"),
        ("watcher.__main__", "from watcher.daemon import run", "watcher.daemon.run"),
        ("watcher.__main__", "import storage", "storage"),
        ("watcher.follower", "from . import daemon", "..daemon"),
        ("chains.evm.client", "from tests.factories import make_ref", "tests.factories.make_ref"),
    ],
)
def test_the_rule_refuses(module: str, source: str, name: str) -> None:
    assert faults(module, source) == [name]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("watcher.domain.money", "from collections.abc import Mapping"),
        ("watcher.domain.events", "from watcher.domain import deposits"),
        ("chains.base", "from watcher.domain.money import Asset"),
        ("chains.evm.client", "import asyncio\nfrom chains.base import ChainClient"),
        ("chains.ethereum", "from chains import endpoints"),
        ("storage.blocks", "from storage.schema import blocks\nfrom watcher.domain import money"),
        ("watcher.follower", "import storage.blocks\nfrom chains.base import ChainError"),
        ("watcher.follower", "from chains import base\nfrom watcher import ledger"),
        ("watcher.daemon", "from chains import NETWORKS\nfrom watcher import follower"),
        ("watcher.cli.run", "from watcher.daemon import run\nfrom watcher.cli import options"),
        ("watcher.__main__", "from watcher.cli import main"),
        # Names that only begin like a layer of ours.
        ("watcher.daemons", "import chains_of_others, storage_box"),
    ],
)
def test_the_rule_allows(module: str, source: str) -> None:
    assert faults(module, source) == []


def test_a_layer_is_matched_by_whole_parts() -> None:
    assert layer_of("watcher.daemons") == "watcher"
    assert layer_of("watcher.daemon.start") == "watcher.daemon"
    assert layer_of("chains.base.ChainError") == "chains.base"
    assert layer_of("chains.basement") == "chains"
    assert layer_of("storages") is None
