"""The configuration that `init` writes: every key, what it does, and its default."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from collections.abc import Iterable
from pathlib import Path

from cryptography.fernet import Fernet

from chains.base import NetworkSpec
from watcher.config import ConfigError

TOKEN_BYTES = 32

_GENERAL = """\
# Deposit Watcher. Lines that begin with "# key =" show a key that is not set, with an example.
# Every key can be set by an environment variable instead: WATCHER_SERVER__PORT=8081,
# WATCHER_NETWORKS__ETHEREUM__CONFIRMATIONS=3; lists and tables as JSON. Variables win.
# Relative paths start where the daemon is started.

[server]
host = "127.0.0.1"                       # the address to listen on
port = 8080
# public_url = "https://pay.example.org" # where payers reach it, if not at host and port
# trusted_proxies = ["127.0.0.1"]        # whose X-Forwarded-For is believed
# cors_origins = ["https://shop.example.org"]    # pages that may use public keys in browsers

[limits]
per_key_per_minute = 300
per_ip_per_minute = 60                   # with public keys, or without a good one

[database]
url = "sqlite:///watcher.db"             # or "postgresql://user@host/name"
migrate = true                           # bring it to the newest schema at start

[admin]
token = {token}
# token_file = "admin-token"             # instead of token: a file that holds nothing else

[secrets]
key_file = {key_file}                    # seals signing secrets; keep a copy beside your backups

[invoices]
valid_for = "1h"                         # s, m, h or d
tolerance_percent = "0"                  # how much less, or more, still counts as the exact price
late_policy = "manual"                   # or "accept": late money counts without a decision
payer_may_cancel = true                  # on the checkout page
minimum = {{}}                             # {{ USDT = "0.5" }}: less is recorded, not counted

[webhooks]
allow_private_addresses = false          # also plain http://, for receivers in your own network
timeout_seconds = 10                     # for an answer; at most 30

[compat]
# other systems' APIs that are served, under /compat
enabled = ["billium", "kuna", "txcash", "payhubix", "bitgpt"]

[events]
keep_for = "forever"                     # or "365d": forget older ones, with their deliveries

[rates]
sources = ["chainlink", "kraken", "coinbase"]   # any of them, or none: then only what is fixed
max_age_seconds = 300                    # what a source said longer ago is no rate
max_spread_percent = "2"                 # sources that differ by more make no rate
fixed = {{}}                               # {{ "WETH/ETH" = "1" }}: instead of sources
# kraken_url = "https://api.kraken.com"  # where they answer, should that be elsewhere
# coinbase_url = "https://api.coinbase.com"
"""

_NETWORK = """\

[networks.{name}]
enabled = false                          # needs endpoints
# endpoints = [                          # the first is asked first, the others when it fails
#   {{ name = "own", url = "http://127.0.0.1:8545", requests_per_second = 50 }},
#   {{ name = "paid", url = "https://one.example.org/", daily_requests = 100000 }},
#   {{ name = "keyed", url = "https://example.org/", headers = {{ Authorization = "Bearer x" }} }},
# ]
# chain_id = {chain_id:<26}  # only for private chains
# genesis_hash = "any"                   # only for private chains: the first answer is kept
# confirmations = {depth:<21}  # a number of blocks, or "finalized"
# confirmation_tiers = [{{ above = "10000", currency = "USD", confirmations = "finalized" }}]
# assets = {assets}
# tokens = [{{ symbol = "MINE", address = "…", decimals = 6 }}]  # contracts beside these assets
# poll_seconds = 3                       # how often to ask for a new block; else its pace, or 3
start_block = "head"                     # where the first start begins, or a block's number
agreement = "auto"                       # endpoints that must give the same block hash; auto: 2
                                         # where two are configured, else 1
# reorg_limit = {reorg_limit:<23}  # blocks kept and undoable; a deeper reorg halts the network
hedge_after_ms = 0                       # ask the next endpoint, too, after so long; 0: never
"""

_FINALITY_DEPTH = """\
# finality_depth = {depth:<20}  # what is final stays at least so many blocks below ours
"""

_SECOND_SOURCE = """\
# an own java-tron node answers at two ports: add solidity_url = "http://127.0.0.1:8091" to it
# second_source = "preferred"            # or "required", "off": another endpoint must repeat what
                                         # no block's hash commits to, before it is confirmed
"""

_TRACES = """\
# traces = "auto"                        # what contracts send: "required" follows only where an
                                         # endpoint traces, "off" never asks; see the status
"""


def default_toml(admin_token: str, key_file: Path, networks: Iterable[NetworkSpec]) -> str:
    """The whole configuration with comments and defaults; of `networks` each is off."""
    general = _GENERAL.format(token=_quoted(admin_token), key_file=_quoted(str(key_file)))
    return general + "".join(_network(spec) for spec in networks)


def _network(spec: NetworkSpec) -> str:
    depth = spec.finality_depth
    special = "" if depth is None else _FINALITY_DEPTH.format(depth=depth)
    special += _TRACES if spec.needs_traces else ""
    return _common(spec) + special + ("" if spec.commits_to_transfers else _SECOND_SOURCE)


def _common(spec: NetworkSpec) -> str:
    return _NETWORK.format(
        name=spec.name,
        chain_id=spec.chain_id,
        depth=json.dumps(spec.confirmations),
        assets=json.dumps([asset.symbol for asset in spec.assets]),
        reorg_limit=spec.reorg_limit,
    )


def _quoted(text: str) -> str:
    """A TOML basic string: JSON's escapes are valid there, but not its surrogate pairs."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def write_initial(path: Path, networks: Iterable[NetworkSpec]) -> Path:
    """Write a configuration with a fresh admin token; return the fresh key file beside it.

    Both are complete or absent, for their owner's eyes only, and nothing is overwritten.

    Raises:
        ConfigError: one of them exists, or cannot be written.
    """
    key_file = path.absolute().with_suffix(".key")
    config = default_toml(secrets.token_urlsafe(TOKEN_BYTES), key_file, networks)
    if path.exists():  # before a key file is made in vain; `_create` would refuse it too
        raise ConfigError(f"{path} exists already and is not overwritten")
    create_file(key_file, Fernet.generate_key().decode() + "\n")
    try:
        create_file(path, config)
    except ConfigError:
        key_file.unlink()
        raise
    return key_file


def create_file(path: Path, text: str) -> None:
    """Make a file appear whole, by its owner only to be read; refuse to replace one."""
    try:
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.link(draft, path)  # unlike a rename, it fails where a file exists
        finally:
            os.unlink(draft)
    except FileExistsError as error:
        raise ConfigError(f"{path} exists already and is not overwritten") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error
