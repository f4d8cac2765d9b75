"""Tron and its testnets Nile and Shasta. Import-light: tronpy comes in with the first client."""

from __future__ import annotations

from chains.base import ChainClient, ClientOptions, Explorer, NetworkSpec
from chains.tvm.address import CODEC, parse, payment_uri
from watcher.domain.blocks import Hash
from watcher.domain.money import Address, Asset, Family, Network

TVM = Family("tron")


def token(network: Network, symbol: str, decimals: int, contract: str) -> Asset:
    """A TRC-20 token by its contract."""
    return Asset(network, symbol, decimals, parse(contract))


def open_client(spec: NetworkSpec, options: ClientOptions) -> ChainClient:
    """A client for any Tron network."""
    from chains.tvm.client import TronClient  # tronpy takes a second to import

    return TronClient(spec, options)


def parse_token(text: str) -> Address:
    """A contract's address, or the number of a TRC-10 token: its name is anyone's to take."""
    return Address(text) if text.isascii() and text.isdigit() else parse(text)


def tron(
    name: str, title: str, genesis: str, explorer: str, *tokens: tuple[str, int, str]
) -> NetworkSpec:
    """A network of Tron's kind; the last 4 bytes of its block 0 are its chain id."""
    network = Network(name)
    return NetworkSpec(
        name=network,
        title=title,
        family=TVM,
        live=name == "tron",
        chain_id=int(genesis[-8:], 16),
        genesis_hash=Hash(genesis),
        assets=(Asset(network, "TRX", 6), *(token(network, *each) for each in tokens)),
        confirmations="finalized",
        reorg_limit=64,
        pace_seconds=3,
        explorer=Explorer(
            f"{explorer}/#/transaction/{{}}",
            f"{explorer}/#/address/{{}}",
            f"{explorer}/#/block/{{}}",
        ),
        codec=CODEC,
        hash_prefix="",
        payment_uri=payment_uri,
        open_client=open_client,
        parse_token=parse_token,
        commits_to_transfers=False,
        dated_balances=False,
        fees="medium",
    )


TRON = tron(
    "tron",
    "Tron",
    "00000000000000001ebf88508a03865c71d452e25f4d51194196a1d22b6653dc",
    "https://tronscan.org",
    ("USDT", 6, "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"),
    ("USDD", 18, "TXDk8mbtRbXeYuMNS83CfKPaYYT8XWv9Hz"),
    ("USD1", 18, "TPFqcBAaaUMCSVRCqPaQ9QnzKhmuoLR6Rc"),
    ("USDC", 6, "TEkxiTehnzSmSe2XqrBj4w32RUN966rdz8"),
    ("WTRX", 6, "TNUC9Qb1rRpS5CbWLmNMxXBjyFoydXjWFR"),
)
NILE = tron(
    "nile",
    "Nile",
    "0000000000000000d698d4192c56cb6be724a558448e2684802de4d6cd8690dc",
    "https://nile.tronscan.org",
)
SHASTA = tron(
    "shasta",
    "Shasta",
    "0000000000000000de1aa88295e1fcf982742f773e0419c5a9c134c994a9059e",
    "https://shasta.tronscan.org",
)
