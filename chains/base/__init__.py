"""What the daemon needs from a network. How a client may fail is drawn in `errors`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from chains.base.endpoints import Capability as Capability
from chains.base.endpoints import EndpointReport as EndpointReport
from chains.base.endpoints import EndpointSettings as EndpointSettings
from chains.base.endpoints import EndpointState as EndpointState
from chains.base.errors import ChainDataError as ChainDataError
from chains.base.errors import ChainError as ChainError
from chains.base.errors import ChainUnavailable as ChainUnavailable
from chains.base.errors import EndpointRefused as EndpointRefused
from chains.base.errors import RateLimited as RateLimited
from chains.base.errors import WrongChain as WrongChain
from chains.base.observing import Observer as Observer
from chains.base.observing import Outcome as Outcome
from chains.base.observing import Unobserved as Unobserved
from chains.base.positions import INTERNAL as INTERNAL
from chains.base.positions import TRACE as TRACE
from watcher.domain.blocks import Block, BlockRef, Hash, Transfer
from watcher.domain.deposits import Depth
from watcher.domain.money import Address, Asset, Family, Method, Network
from watcher.domain.rates import Feed, Round


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something in a block that looks like a payment of a listed asset and is none."""

    tx_hash: Hash
    position: str
    reason: str
    """The rule that says so."""
    contract: Address | None = None
    """What it claims to move, as `Asset.contract`; None: the native coin."""
    to: Address | None = None
    units: int | None = None
    """Both None where nothing readable stands there."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """One transaction, and everything in it that pays, or might be taken for a payment."""

    hash: Hash
    block: BlockRef | None
    """The proven block that it is in; None: it waits for one."""
    moves: tuple[Transfer | Refusal, ...] = ()
    """All that any endpoint shows of it: of two that differ about a position, both."""
    unseen: str | None = None
    """What it may move beside, without showing it to this client."""
    differing: Mapping[Transfer | Refusal, str] = field(default_factory=dict)
    """Who shows a move and who does not, in words, where endpoints differ about it."""


@dataclass(frozen=True, slots=True)
class Holding:
    """What an address held of one asset, at some block from `first` to `last`, which may be one."""

    address: Address
    method: Method
    units: int | None
    """None: the token gave no balance, be it that no contract is there or that it failed."""
    first: int
    last: int


class ChainClient(Protocol):
    """A network, seen as a numbered list of blocks that may change near its end."""

    async def genesis(self) -> Hash:
        """Hash of block 0, the same on every endpoint, or WrongChain."""

    async def head(self) -> BlockRef:
        """The newest block of the endpoint that is asked for blocks now."""

    async def finalized(self) -> BlockRef | None:
        """The highest block that `agreement` endpoints call final, it or a later one.

        None: no information, which is never block 0. May step back; the caller keeps the highest,
        and believes it of its own blocks only where the hash is theirs.
        """

    async def block(self, number: int) -> Block | None:
        """The block at `number`, proven, with *every* transfer of the listed assets, in order.

        Units are of the smallest kind (wei, sun), > 0. None when there is no such block yet. A
        failed query must not yield a block with fewer transfers. Safe to call concurrently.

        Raises:
            ChainUnavailable: no usable answer; the same call may work later.
            ChainDataError: every answer contradicted itself or its proof (chains.md 2.5).
        """

    async def copies(self, number: int) -> Mapping[str, Block]:
        """By name, each endpoint's own block at `number`, proven, where no hash commits to all.

        Empty where hashes do, and without those that give none now; where it is traces that none
        commits to, of those that trace. Two copies of one hash may show other transfers; on Tron
        that they do is among `warnings`.
        """

    async def corroborate(self, ref: BlockRef, transfers: Sequence[Transfer]) -> frozenset[str]:
        """Names of the endpoints that, asked now, give `ref.hash` at `ref.number`.

        Where the block hash does not commit to transfers (Tron, traces) they must repeat those too.
        """

    async def transaction(self, hash: Hash) -> Transaction | None:
        """The transaction, judged by the rules that `block` goes by; None: nobody knows it.

        Raises:
            ChainUnavailable: no usable answer; that nobody answered is not that nobody knows it.
            ChainDataError: every answer contradicted itself or its proof.
        """

    async def balances(
        self,
        addresses: Sequence[Address],
        assets: Sequence[Asset],
        final: BlockRef,
        number: int | None = None,
    ) -> Sequence[Holding]:
        """What each of `addresses` held of each of `assets`, as one endpoint says; unproven.

        In the order of `addresses`, then of `assets`; each pair once, and never a 0 that nobody
        said. Only who has `final` is believed. `number` is the block after which; None: `final`,
        or a later final one where nodes keep no other.

        Raises:
            EndpointRefused: no endpoint keeps the state at `number`.
            ChainUnavailable: no usable answer now.
        """

    async def repeat_balances(
        self, holdings: Sequence[Holding], final: BlockRef
    ) -> Sequence[frozenset[str]]:
        """Names of the endpoints with `final` that, asked now, say the same of each as one did."""

    async def has_code(self, address: Address, final: BlockRef, number: int) -> bool | None:
        """Whether code stood there after block `number`, as one endpoint with `final` says.

        None: on this network no address has both a key and code. Raises what `balances` does.
        """

    async def rounds(self) -> Sequence[Round]:
        """What each of the network's feeds says that endpoints tell of, unproven."""

    async def survey(self) -> None:
        """Ask every endpoint for its head, so that lag shows and failover knows where to go."""

    async def capabilities(self) -> Sequence[Capability]:
        """What `doctor` should know, asked of every endpoint."""

    def endpoints(self) -> Sequence[EndpointReport]:
        """How each endpoint does, in configured order."""

    def warnings(self) -> Sequence[str]:
        """What cannot be known from these endpoints, as far as they were seen; a sentence each."""

    async def close(self) -> None:
        """Close connections."""


@dataclass(frozen=True, slots=True)
class AddressCodec:
    """A family's one door in and out for addresses."""

    parse: Callable[[str], Address]
    """Any accepted spelling -> canonical; raises ValueError saying what is wrong."""
    show: Callable[[Address], str]
    """Canonical -> what people and wallets use."""
    of_key: Callable[[bytes], Address]
    """The address of a public key: 64 bytes, x and y."""


@dataclass(frozen=True, slots=True)
class Explorer:
    """Link templates; `{}` takes the transaction hash, address or block number as shown."""

    transaction: str
    address: str
    block: str


Fees = Literal["low", "medium", "high"]

Traces = Literal["auto", "required", "off"]
"""What to do without traces where only they show the coin that contracts send: follow and say so,
follow no further, or never ask for them."""


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """What configuration says about talking to one network."""

    endpoints: Sequence[EndpointSettings]
    assets: Sequence[Asset]
    chain_id: int
    genesis_hash: Hash | None
    """The required hash of block 0; None: whatever the first endpoint says."""
    agreement: int = 1
    """Endpoints that must say the same before it is believed where no proof says it."""
    hedge_seconds: float | None = None
    """After so long without an answer the next endpoint is asked, too; None: never."""
    traces: Traces = "off"
    ahead_seconds: int | None = None
    """How far ahead of this machine's clock a block may be dated; None: however far."""
    observer: Observer = field(default_factory=Unobserved)


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """A network's facts: what is the same for everyone who watches it."""

    name: Network
    title: str
    family: Family
    live: bool
    """False for a testnet: what happens there is worth nothing."""
    chain_id: int
    genesis_hash: Hash
    assets: tuple[Asset, ...]
    """What may be listed by symbol; the native coin first."""
    confirmations: Depth
    reorg_limit: int
    """Blocks kept and undoable; a deeper reorg halts the network."""
    pace_seconds: int
    """Usual time between blocks."""
    explorer: Explorer
    codec: AddressCodec
    hash_prefix: str
    """What people put before a hash: `0x` or nothing."""
    payment_uri: Callable[[Asset, Address, int, int], str]
    """(asset, to, units, chain id) -> what a QR code carries."""
    open_client: Callable[[NetworkSpec, ClientOptions], ChainClient]
    parse_token: Callable[[str], Address] | None = None
    """How a token is named where that is not always by an address; None: by an address."""
    commits_to_transfers: bool = True
    """Whether a block's hash commits to every transfer in it; else another endpoint must."""
    dated_balances: bool = True
    """Whether a balance is told of a named block; else of the state its node is in, however old."""
    needs_traces: bool = False
    """Whether the native coin that a contract sends is in traces only."""
    finality_depth: int | None = None
    """How far below our newest block what is final stays, unless configured; None: no such rule."""
    feeds: tuple[Feed, ...] = ()
    fees: Fees | None = None
    """What sending costs beside other networks, as a hint to payers; None: no hint."""
    reserved: frozenset[Address] = frozenset()
    """What logs the coin's moves as if it were a token: never to be listed as one."""

    def show_hash(self, value: Hash) -> str:
        return self.hash_prefix + value
