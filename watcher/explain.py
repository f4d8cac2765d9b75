"""Says of each move in a transaction whether it was credited, to what, or exactly why not."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import storage
from chains.base import ChainClient, Refusal, Transaction
from storage import Conn, Engine
from watcher.clock import rfc3339
from watcher.domain.blocks import Block, Hash, Transfer
from watcher.domain.deposits import Deposit, DepositStatus, Depth, Watched, find_deposits
from watcher.domain.invoices import Reason
from watcher.domain.money import Address, Asset, Method, Network, amount_of
from watcher.policy import Policy
from watcher.recount import require_ours
from watcher.refused import BadField, NotOurs
from watcher.render import Json, render_deposit
from watcher.settling import our_tips

Move = Transfer | Refusal
_Claim = tuple[str, Method, Address, int]
"""Position, method, receiver and units: two endpoints may tell of a position otherwise."""
_REASONS = {
    Reason.EARLY: "older than its invoice",
    Reason.LATE: "after its deadline",
    Reason.WRONG_ASSET: "in a coin that was not offered",
    Reason.BELOW_MINIMUM: "smaller than the asset's minimum",
}


@dataclass(frozen=True, slots=True)
class _Books:
    """What our books have to say about one transaction."""

    watched: Mapping[Address, Watched]
    free: Collection[Address]
    """Receivers that are addresses of a pool which no invoice has yet."""
    expected: Mapping[_Claim, Deposit]
    """By what moves where: the deposit that a transfer to an invoice is, stored or not."""
    held: Mapping[str, _Claim]
    """By id: what each stored deposit is of."""
    deposits: Mapping[str, Json]
    """Every deposit that the transaction ever made, as it is shown, by id."""
    elsewhere: str | None
    """Why its block is none of ours; None: it is."""
    differing: Mapping[Move, str]
    """Who shows a move and who does not, where endpoints differ about it."""


def parse_hash(text: str) -> Hash:
    """A transaction's hash as people write it; raises BadField."""
    digits = text.strip().lower().removeprefix("0x")
    if not re.fullmatch("[0-9a-f]{64}", digits):
        raise BadField("must be the 64 hex digits of a transaction's hash", field="tx_hash")
    return Hash(digits)


async def explain(
    engine: Engine, policy: Policy, client: ChainClient, network: Network, hash: Hash
) -> Json:
    """The transaction, its block and each move in it, with a verdict and a sentence.

    Verdicts: `deposit`, `orphaned`, `missing`, `unwatched`, `refused`.

    Raises:
        ChainError: no endpoint gave a proven answer.
    """
    spec = policy.networks[network].spec
    found = await client.transaction(hash)
    block = found.block if found else None
    async with storage.read(engine) as conn:
        books = await _look_up(conn, policy, network, hash, found)
    moves = sorted(found.moves, key=_place) if found else []
    return {
        "network": network,
        "tx_hash": spec.show_hash(hash),
        "explorer_url": spec.explorer.transaction.format(spec.show_hash(hash)),
        **_standing(found, books),
        "block": block
        and {
            "number": block.number,
            "hash": spec.show_hash(block.hash),
            "time": rfc3339(block.timestamp),
        },
        "moves": [_render(policy, network, move, books) for move in moves],
        "unseen": found.unseen if found else None,
        "deposits": list(books.deposits.values()),
    }


async def _look_up(
    conn: Conn, policy: Policy, network: Network, hash: Hash, found: Transaction | None
) -> _Books:
    rules = policy.networks[network]
    moves = found.moves if found else ()
    receivers = {move.to for move in moves if move.to is not None}
    watched = await storage.addresses.watched(conn, network, rules.spec.family, receivers)
    free = await storage.addresses.free(conn, rules.spec.family, receivers)
    expected: list[Deposit] = []
    elsewhere = None
    if found and found.block:
        paid = tuple(move for move in moves if isinstance(move, Transfer))
        expected = find_deposits(network, Block(found.block, paid), watched, rules.rules, 0)
        cursor = await storage.cursors.get(conn, network)
        kept = await storage.blocks.at(conn, network, found.block.number)
        try:
            require_ours(found.block, kept, cursor)
        except NotOurs as error:
            elsewhere = str(error)
    stored = await storage.deposits.of_transaction(conn, network, hash)
    invoices = await storage.invoices.get_many(conn, {each.invoice_id for each in stored})
    tips = await our_tips(conn, policy)
    return _Books(
        watched,
        free,
        {_claim(each, each.address): each for each in expected},
        {each.id: _claim(each, each.address) for each in stored},
        {each.id: render_deposit(policy, invoices[each.invoice_id], each, tips) for each in stored},
        elsewhere,
        found.differing if found else {},
    )


def _claim(what: Transfer | Deposit, to: Address) -> _Claim:
    return what.position, what.method, to, what.units


def _standing(found: Transaction | None, books: _Books) -> Json:
    """Where the transaction stands, as a word and a sentence."""
    if found is None:
        gone = " any more: its block left the chain, or one endpoint told of it falsely"
        left = gone if books.deposits else ""
        return {"state": "unknown", "detail": f"no endpoint knows this transaction{left}"}
    if found.block is None:
        return {"state": "waiting", "detail": "it is in no block yet: nothing is credited before"}
    if books.elsewhere is not None:
        return {"state": "not_in_our_chain", "detail": books.elsewhere}
    return {"state": "in_our_chain", "detail": f"in block {found.block.number} of our chain"}


def _render(policy: Policy, network: Network, move: Move, books: _Books) -> Json:
    spec = policy.networks[network].spec
    asset, contract = _moved(policy, network, move)
    verdict, detail, deposit_id = _judge(network, move, books)
    owner = books.watched.get(move.to) if move.to else None
    sender = move.sender if isinstance(move, Transfer) else None
    known = asset is not None and move.units is not None
    return {
        "position": move.position,
        "asset": asset.symbol if asset else None,
        "contract": contract and spec.codec.show(contract),
        "amount": amount_of(move.units or 0, asset.decimals) if asset and known else None,
        "amount_units": None if move.units is None else str(move.units),
        "from": sender and spec.codec.show(sender),
        "to": move.to and spec.codec.show(move.to),
        "verdict": verdict,
        "detail": "; ".join(filter(None, (detail, books.differing.get(move)))),
        "deposit_id": deposit_id,
        "invoice_id": owner.invoice_id if owner else None,
    }


def _moved(policy: Policy, network: Network, move: Move) -> tuple[Asset | None, Address | None]:
    """What moves, or claims to: a listed asset, or else the contract of one that is not."""
    if isinstance(move, Transfer):
        asset = policy.listed(move.method)
        return asset, asset.contract if asset else None
    listed = policy.networks[network].assets.values()
    return next((a for a in listed if a.contract == move.contract), None), move.contract


def _judge(network: Network, move: Move, books: _Books) -> tuple[str, str, str | None]:
    """Verdict, sentence and the deposit's id."""
    if isinstance(move, Refusal):
        return "refused", move.reason, None
    expected = books.expected.get(claim := _claim(move, move.to))
    if expected is None:
        if move.to in books.free:
            return "unwatched", "to an address of a pool that no invoice has yet", None
        return "unwatched", "to an address that is not watched", None
    deposit = books.deposits.get(expected.id)
    if deposit is not None and books.held[expected.id] == claim:
        verdict = "orphaned" if deposit["status"] == DepositStatus.ORPHANED else "deposit"
        return verdict, _sentence(deposit), expected.id
    if books.elsewhere is not None:
        return "missing", f"for {expected.invoice_id}; not credited while {books.elsewhere}", None
    number = expected.block_number
    command = f"deposit-watcher rescan {network} --from {number} --to {number}"
    lacks = "the books have another there" if deposit else "not in the books"
    return "missing", f"for {expected.invoice_id}, but {lacks}: run `{command}`", None


def _sentence(deposit: Json) -> str:
    """What became of a deposit, and whether it counts for its invoice."""
    status, required = deposit["status"], deposit["required_confirmations"]
    reason = deposit["reason"]
    why = f"{reason}, {_REASONS[Reason(reason)]}" if reason else status
    counted = "counts" if deposit["counts"] else f"does not count: {why}"
    if status == DepositStatus.PENDING:
        status = f"pending {_waits_for(deposit['confirmations'], required)}"
    return f"{deposit['id']} of {deposit['invoice_id']}: {status}; {counted}"


def _waits_for(confirmations: int, required: Depth) -> str:
    if required == "finalized":
        return "until its block is final and endpoints agree on it"
    if confirmations >= required:
        return "until endpoints agree on its block"
    return f"with {confirmations} of {required} confirmations"


def _place(move: Move) -> tuple[bool, str, list[int]]:
    """Value first, then by kind and number."""
    kind, *numbers = move.position.split("/")
    return kind != "value", kind, [int(n) if n.isdigit() else -1 for n in numbers]
