"""Ethereum and its testnet Sepolia. Import-light: web3 comes in with the first client."""

from __future__ import annotations

from chains.base import ChainClient, ClientOptions, Explorer, NetworkSpec
from chains.evm.address import CODEC, parse, payment_uri
from chains.evm.rules import SYSTEM_ADDRESS
from watcher.domain.blocks import Hash
from watcher.domain.money import Asset, Family, Network

EVM = Family("evm")
RESERVED = frozenset({SYSTEM_ADDRESS})


def token(network: Network, symbol: str, decimals: int, contract: str) -> Asset:
    """A token by the checksummed spelling of its contract."""
    return Asset(network, symbol, decimals, parse(contract))


def open_client(spec: NetworkSpec, options: ClientOptions) -> ChainClient:
    """A client for any EVM network."""
    from chains.evm.client import EvmClient  # web3 takes 1-2 s to import

    return EvmClient(spec, options)


def explorer(base: str) -> Explorer:
    """Etherscan's paths, which its siblings share."""
    return Explorer(f"{base}/tx/{{}}", f"{base}/address/{{}}", f"{base}/block/{{}}")


_ETHEREUM, _SEPOLIA = Network("ethereum"), Network("sepolia")

ETHEREUM = NetworkSpec(
    name=_ETHEREUM,
    title="Ethereum",
    family=EVM,
    live=True,
    chain_id=1,
    genesis_hash=Hash("d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3"),
    assets=(
        Asset(_ETHEREUM, "ETH", 18),
        token(_ETHEREUM, "USDT", 6, "0xdAC17F958D2ee523a2206206994597C13D831ec7"),
        token(_ETHEREUM, "USDC", 6, "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"),
        token(_ETHEREUM, "DAI", 18, "0x6B175474E89094C44Da98b954EedeAC495271d0F"),
        token(_ETHEREUM, "USDS", 18, "0xdC035D45d973E3EC169d2276DDab16f1e407384F"),
        token(_ETHEREUM, "WETH", 18, "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"),
        token(_ETHEREUM, "WBTC", 8, "0x2260FAC5E5542a773Aa44fBCfeDf7C193bc2C599"),
        token(_ETHEREUM, "PYUSD", 6, "0x6c3ea9036406852006290770BEdFcAbA0e23A0e8"),
        token(_ETHEREUM, "EURC", 6, "0x1aBaEA1f7C830bD89Acc67eC4af516284b1bC33c"),
        token(_ETHEREUM, "POL", 18, "0x455e53CBB86018Ac2B8092FdCd39d8444aFFC3F6"),
    ),
    confirmations=12,
    reorg_limit=128,
    pace_seconds=12,
    explorer=explorer("https://etherscan.io"),
    codec=CODEC,
    hash_prefix="0x",
    payment_uri=payment_uri,
    open_client=open_client,
    needs_traces=True,
    reserved=RESERVED,
)

SEPOLIA = NetworkSpec(
    name=_SEPOLIA,
    title="Sepolia",
    family=EVM,
    live=False,
    chain_id=11155111,
    genesis_hash=Hash("25a5cc106eea7138acab33231d7160d69cb777ee0c2c553fcddf5138993e6dd9"),
    assets=(Asset(_SEPOLIA, "ETH", 18),),
    confirmations=12,
    reorg_limit=128,
    pace_seconds=12,
    explorer=explorer("https://sepolia.etherscan.io"),
    codec=CODEC,
    hash_prefix="0x",
    payment_uri=payment_uri,
    open_client=open_client,
    needs_traces=True,
    reserved=RESERVED,
)
