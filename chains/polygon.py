"""Polygon PoS and its testnet Amoy. Import-light: web3 comes in with the first client.

The chain logs every move of its coin in the name of a contract, which answers like a token and is
none: what is paid in POL is read from those logs alone (chains.md 3.3).
"""

from __future__ import annotations

from chains.base import ChainClient, ClientOptions, NetworkSpec
from chains.ethereum import DAY, EVM, explorer, token, usd_feed
from chains.evm.address import CODEC, payment_uri
from chains.evm.rules import SYSTEM_ADDRESS, EvmRules
from watcher.domain.blocks import Hash
from watcher.domain.money import Address, Asset, Network

COIN = Address("0x0000000000000000000000000000000000001010")
RESERVED = frozenset({COIN, SYSTEM_ADDRESS})
RULES = EvmRules(native_log=COIN, state_sync=True)


def open_client(spec: NetworkSpec, options: ClientOptions) -> ChainClient:
    """A client for any network that runs bor."""
    from chains.evm.client import EvmClient  # web3 takes 1-2 s to import

    return EvmClient(spec, options, RULES)


SECONDS = 27  # the heartbeat of most feeds here
_POLYGON, _AMOY = Network("polygon"), Network("amoy")

POLYGON = NetworkSpec(
    name=_POLYGON,
    title="Polygon",
    family=EVM,
    live=True,
    chain_id=137,
    genesis_hash=Hash("a9c28ce2141b56c474f1dc504bee9b01eb1bd7d1a507580d5519d4437a97de1b"),
    assets=(
        Asset(_POLYGON, "POL", 18),
        token(_POLYGON, "USDC", 6, "0x3c499c542cEF5E3811e1192ce70d8cC03d5c3359"),
        token(_POLYGON, "USDC.e", 6, "0x2791Bca1f2de4661ED88A30C99A7a9449Aa84174"),
        token(_POLYGON, "USDT", 6, "0xc2132D05D31c914a87C6611C10748AEb04B58e8F"),
        token(_POLYGON, "WETH", 18, "0x7ceB23fD6bC0adD59E62ac25578270cFf1b9f619"),
        token(_POLYGON, "DAI", 18, "0x8f3Cf7ad23Cd3CaDbD9735AFf958023239c6A063"),
        token(_POLYGON, "WBTC", 8, "0x1BFD67037B42Cf73acF2047067bd4F2C47D9BfD6"),
    ),
    confirmations=32,
    reorg_limit=512,
    pace_seconds=2,
    explorer=explorer("https://polygonscan.com"),
    codec=CODEC,
    hash_prefix="0x",
    payment_uri=payment_uri,
    open_client=open_client,
    finality_depth=128,
    fees="low",
    feeds=(
        usd_feed("POL", SECONDS, "0xAB594600376Ec9fD91F8e885dADF0CE036862dE0"),
        usd_feed("ETH", SECONDS, "0xF9680D99D6C9589e2a93a78A04A279e509205945"),
        usd_feed("USDT", DAY, "0x0A6513e40db6EB1b165753AD52E80663aeA50545"),
        usd_feed("USDC", DAY, "0xfE4A8cc5b5B2366C1B58Bea3858e81843581b2F7"),
        usd_feed("DAI", DAY, "0x4746DeC9e833A82EC7C2C1356372CcF2cfcD2F3D"),
        usd_feed("EUR", SECONDS, "0x73366Fe0AA0Ded304479862808e02506FE556a98"),
        usd_feed("GBP", SECONDS, "0x099a2540848573e94fb1Ca0Fa420b00acbBc845a"),
        usd_feed("JPY", SECONDS, "0xD647a6fC9BC6402301583C91decC5989d8Bc382D"),
    ),
    reserved=RESERVED,
)

AMOY = NetworkSpec(
    name=_AMOY,
    title="Amoy",
    family=EVM,
    live=False,
    chain_id=80002,
    genesis_hash=Hash("7202b2b53c5a0836e773e319d18922cc756dd67432f9a1f65352b61f4406c697"),
    assets=(Asset(_AMOY, "POL", 18),),
    confirmations=32,
    reorg_limit=512,
    pace_seconds=2,
    explorer=explorer("https://amoy.polygonscan.com"),
    codec=CODEC,
    hash_prefix="0x",
    payment_uri=payment_uri,
    open_client=open_client,
    finality_depth=128,
    reserved=RESERVED,
)
