"""The table of networks and what it costs to look at it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from chains import NETWORKS
from chains.base import NetworkSpec
from watcher.domain.money import Network

ROOT = Path(__file__).parents[2]
SPECS = [pytest.param(spec, id=name) for name, spec in NETWORKS.items()]
HASH = "ab" * 32


@pytest.mark.parametrize("library", ["web3", "aiohttp", "tronpy", "msgspec"])
def test_looking_at_the_networks_imports_no_client(library: str) -> None:
    look = f"import sys, chains; chains.NETWORKS; sys.exit({library!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", look], cwd=ROOT, timeout=30).returncode == 0


@pytest.mark.parametrize("spec", SPECS)
def test_a_network_is_found_by_its_name(spec: NetworkSpec) -> None:
    assert NETWORKS[spec.name] is spec


@pytest.mark.parametrize("spec", SPECS)
def test_balances_are_of_a_named_block_but_on_tron(spec: NetworkSpec) -> None:
    assert spec.dated_balances == (spec.family != "tron")


@pytest.mark.parametrize("spec", SPECS)
def test_assets_are_told_apart_by_symbol_and_by_contract(spec: NetworkSpec) -> None:
    assert spec.assets[0].contract is None
    assert len({asset.method for asset in spec.assets}) == len(spec.assets)
    assert len({asset.contract for asset in spec.assets}) == len(spec.assets)
    assert {asset.network for asset in spec.assets} == {spec.name}


@pytest.mark.parametrize("spec", SPECS)
def test_contracts_are_canonical(spec: NetworkSpec) -> None:
    for asset in spec.assets[1:]:
        assert asset.contract is not None
        assert spec.codec.parse(spec.codec.show(asset.contract)) == asset.contract


def test_chain_ids_and_genesis_hashes_are_told_apart() -> None:
    assert len({spec.chain_id for spec in NETWORKS.values()}) == len(NETWORKS)
    assert len({spec.genesis_hash for spec in NETWORKS.values()}) == len(NETWORKS)


def test_ethereum() -> None:
    spec = NETWORKS[Network("ethereum")]
    assert (spec.chain_id, spec.confirmations, spec.reorg_limit, spec.live) == (1, 12, 128, True)
    symbols = [asset.symbol for asset in spec.assets]
    assert symbols[:3] == ["ETH", "USDT", "USDC"]
    assert "STETH" not in map(str.upper, symbols)  # rebases: balances change without a transfer
    assert {asset.decimals for asset in spec.assets if asset.symbol.startswith("USDT")} == {6}


def test_sepolia_is_a_testnet() -> None:
    spec = NETWORKS[Network("sepolia")]
    assert (spec.chain_id, spec.live) == (11155111, False)


def test_tron() -> None:
    spec = NETWORKS[Network("tron")]
    assert (spec.chain_id, spec.confirmations, spec.live) == (0x2B6653DC, "finalized", True)
    decimals = {asset.symbol: asset.decimals for asset in spec.assets}
    assert decimals == {"TRX": 6, "USDT": 6, "USDD": 18, "USD1": 18, "USDC": 6, "WTRX": 6}
    assert spec.show_hash(spec.genesis_hash) == spec.genesis_hash
    shown = spec.explorer.transaction.format(spec.genesis_hash)
    assert shown == f"https://tronscan.org/#/transaction/{spec.genesis_hash}"


@pytest.mark.parametrize(("name", "chain_id"), [("nile", 0xCD8690DC), ("shasta", 0x94A9059E)])
def test_the_testnets_of_tron_are_not_swapped(name: str, chain_id: int) -> None:
    spec = NETWORKS[Network(name)]
    assert (spec.chain_id, spec.live) == (chain_id, False)
    assert spec.explorer.block.format(7) == f"https://{name}.tronscan.org/#/block/7"


@pytest.mark.parametrize(
    ("name", "base"),
    [("ethereum", "https://etherscan.io"), ("sepolia", "https://sepolia.etherscan.io")],
)
def test_explorer_links(name: str, base: str) -> None:
    spec = NETWORKS[Network(name)]
    shown = spec.show_hash(spec.genesis_hash)
    assert spec.explorer.transaction.format(shown) == f"{base}/tx/0x{spec.genesis_hash}"
    assert spec.explorer.address.format("0xaa") == f"{base}/address/0xaa"
    assert spec.explorer.block.format(7) == f"{base}/block/7"
