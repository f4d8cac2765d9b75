"""Ethereum and its testnet Sepolia. Import-light: web3 comes in with the first client."""

from __future__ import annotations

from chains.base import ChainClient, ClientOptions, Explorer, NetworkSpec
from chains.evm.address import CODEC, parse, payment_uri
from chains.evm.rules import SYSTEM_ADDRESS
from watcher.domain.blocks import Hash
from watcher.domain.money import Asset, Family, Network
from watcher.domain.rates import Feed

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


def usd_feed(symbol: str, heartbeat_seconds: int, contract: str) -> Feed:
    """Chainlink's feed of what something is worth in USD, by its proxy (data.chain.link)."""
    return Feed((symbol, "USD"), parse(contract), heartbeat_seconds)


HOUR, DAY = 3600, 86_400
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
    fees="high",
    feeds=(
        usd_feed("ETH", HOUR, "0x5f4eC3Df9cbd43714FE2740f5E3616155c5b8419"),
        usd_feed("BTC", HOUR, "0xF4030086522a5bEEa4988F8cA5B36dbC97BeE88c"),
        usd_feed("POL", HOUR, "0x7bAC85A8a13A4BcD8abb3eB7d6b4d632c5a57676"),
        usd_feed("TRX", DAY, "0xacD0D1A29759CC01E8D925371B72cb2b5610EA25"),
        usd_feed("USDT", DAY, "0x3E7d1eAB13ad0104d2750B8863b489D65364e32D"),
        usd_feed("USDC", DAY, "0x8fFfFfd4AfB6115b954Bd326cbe7B4BA576818f6"),
        usd_feed("DAI", HOUR, "0xAed0c38402a5d19df6E4c03F4E2DceD6e29c1ee9"),
        usd_feed("EUR", DAY, "0xb49f677943BC038e9857d61E7d053CaA2C1734C1"),
        usd_feed("GBP", DAY, "0x5c0Ab2d9b5a7ed9f470386e82BB36A3613cDd4b5"),
        usd_feed("JPY", DAY, "0xBcE206caE7f0ec07b545EddE332A47C2F75bbeb3"),
    ),
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
