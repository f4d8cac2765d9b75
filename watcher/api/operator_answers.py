"""What the operator and supervisors are answered."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from watcher.api.answers import Amount, Deposit, Listing, Shape, Time, Units
from watcher.api.webhook_answers import Load
from watcher.domain.audit import FindingKind, FindingState


class Alive(Shape):
    ok: Literal[True]


class Ready(Shape):
    """Whether every network is followed, and why not."""

    ready: bool
    reasons: list[str]


class Finding(Shape):
    """A difference between a balance and the ledger."""

    id: str
    object: Literal["finding"]
    network: str
    method: str
    asset: str
    address: str
    kind: FindingKind = Field(strict=False)
    has_code: bool | None
    amount: str | None
    amount_units: str
    first_block: int
    last_block: int
    block_hash: str | None
    block_time: Time | None
    explorer_url: str | None
    state: FindingState = Field(strict=False)
    deposit_id: str | None
    found_at: Time
    closed_at: Time | None


class Findings(Listing[Finding]):
    """A page of findings."""


class Rescan(Shape):
    """How far the newest rescan of a network is."""

    network: str
    first: Annotated[int, Field(alias="from")]
    last: Annotated[int, Field(alias="to")]
    state: Literal["running", "done", "failed"]
    blocks_done: int
    blocks_per_second: float
    eta_seconds: int | None
    added: list[str]
    orphaned: list[str]
    warnings: list[str]
    error: str | None


class BlockOf(Shape):
    """The block that a transaction is in."""

    number: int
    hash: str
    time: Time


class Move(Shape):
    """One transfer of a transaction, or what claims to be one, and what became of it."""

    position: str
    asset: str | None
    contract: str | None
    amount: Amount | None
    amount_units: Units | None
    sender: Annotated[str | None, Field(alias="from")]
    receiver: Annotated[str | None, Field(alias="to")]
    verdict: Literal["deposit", "orphaned", "missing", "unwatched", "refused"]
    detail: str
    deposit_id: str | None
    invoice_id: str | None


class Explanation(Shape):
    """What a transaction did, and whether it was credited."""

    network: str
    tx_hash: str
    explorer_url: str
    state: Literal["unknown", "waiting", "not_in_our_chain", "in_our_chain"]
    detail: str
    block: BlockOf | None
    moves: list[Move]
    unseen: str | None
    deposits: list[Deposit]


class Database(Shape):
    engine: Literal["sqlite", "postgresql"]
    ok: bool
    migrations: Annotated[str, Field(alias="schema")]


class Tip(Shape):
    """Our newest block."""

    number: int | None
    hash: str | None
    age_seconds: int | None


class Finalized(Shape):
    number: int | None
    frozen: bool
    reason: str | None


class Agreement(Shape):
    waiting: int
    reason: str | None


class Reorgs(Shape):
    count: int
    deepest: int


class Latency(Shape):
    p50: int | float | None
    p99: int | float | None


class Endpoint(Shape):
    name: str
    state: str
    reason: str | None
    head: int | None
    latency_ms: Latency
    requests_today: int
    daily_requests: int | None
    forecast_today: int | None
    errors_1h: int
    quarantined: str | None
    traces: bool | None


class NetworkRow(Shape):
    """How one network is followed."""

    network: str
    state: Literal["starting", "catching_up", "following", "stalled", "halted"]
    tip: Tip
    head: int | None
    lag_blocks: int | None
    finalized: Finalized
    agreement: Agreement
    blocks_per_second: int | float
    catch_up_eta_seconds: int | None
    last_error: str | None
    errors_1h: int
    warnings: list[str]
    leader: str | None
    reorgs_24h: Reorgs
    endpoints: list[Endpoint]


class InvoiceCounts(Shape):
    open: int
    delayed: int


class DepositCounts(Shape):
    pending: int
    unmatched: int


class WalletRow(Shape):
    id: str
    merchant_id: str
    family: str
    kind: Literal["xpub", "pool"]
    next_index: int | None
    left: int | None


class AuditRow(Shape):
    """How a network's newest audit went."""

    network: str
    last_run: Time | None
    block: int | None
    addresses: int
    reason: str | None


class Audit(Shape):
    last_run: Time | None
    findings: int
    networks: list[AuditRow]


class RateSourceRow(Shape):
    source: str
    pairs: int
    last_ok: Time | None
    age_seconds: int | None
    stale: bool
    last_error: str | None


class RefusedPair(Shape):
    base: str
    quote: str
    reason: str


class RateReport(Shape):
    """How the sources of rates do, and which pairs they contradict each other on."""

    sources: list[RateSourceRow]
    refused: list[RefusedPair]


class Chore(Shape):
    name: str
    next_run: Time
    last_ok: Time | None
    last_error: str | None
    failures: int


class Alarm(Shape):
    """What a person should look at."""

    alarm: str
    subject: str
    reason: str


class Status(Shape):
    """Everything the operator should see at a glance."""

    version: str
    livemode: bool
    started_at: Time | None
    database: Database
    networks: list[NetworkRow]
    invoices: InvoiceCounts
    deposits: DepositCounts
    wallets: list[WalletRow]
    webhooks: Load
    audit: Audit
    rates: RateReport | None
    chores: list[Chore]
    alarms: list[Alarm]


class Merchant(Shape):
    id: str
    object: Literal["merchant"]
    name: str
    has_logo: bool
    created_at: Time


class Merchants(Listing[Merchant]):
    """A page of merchants."""


class Key(Shape):
    """A key without its text, of which `hint` is a part."""

    id: str
    object: Literal["key"]
    merchant_id: str
    kind: Literal["secret", "public"]
    hint: str
    scopes: list[str]
    created_at: Time
    revoked_at: Time | None


class NewKey(Key):
    """The only answer with the key's text and its signing secret."""

    key: str
    signing_secret: str


class Keys(Listing[Key]):
    """A page of keys."""
