"""The audit's judgement: what it means that a balance is not what the ledger explains.

A balance is what arrived less what was taken out. The ledger knows what arrived; nobody tells it
what an address's owner takes out. So two measures of one address are compared, and what the ledger
says arrived between them. Where that does not tell two causes apart, the verdict says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from watcher.domain.blocks import Hash
from watcher.domain.money import Address, Asset, Method, Network, power

DUST_DECIMALS = 6
"""Below a millionth of a coin a difference is dust, which anybody may strew at little cost."""


class FindingKind(StrEnum):
    """What a difference means."""

    SURPLUS = "surplus"
    """More arrived than the ledger knows: money was missed, or was there before us."""
    MISSING = "missing"
    """Less arrived in a block than the ledger credits for it."""
    OUTGOING = "outgoing"
    """The balance fell while nothing arrived: the owner took it out, or code that acts for him."""
    UNCLEAR = "unclear"
    """Less is there than the ledger credits: taken out, or never arrived in full."""


class FindingState(StrEnum):
    """What became of a finding."""

    OPEN = "open"
    """A person should look."""
    NOTED = "noted"
    """Outgoing from an address without code: nothing to do."""
    ACCEPTED = "accepted"
    """An operator made a deposit of it."""
    DISMISSED = "dismissed"
    """An operator looked, and it may stay so."""
    RESOLVED = "resolved"
    """The ledger has caught up with the balance."""


Credits = tuple[tuple[int | None, int], ...]
"""What the ledger says arrived, as (block number, units), each block once, in order.

An earlier version noted the sum alone, as of block None: in which blocks nobody knows.
"""


@dataclass(frozen=True, slots=True)
class Measure:
    """What an address held of one asset, and what the ledger says had arrived by then."""

    first: int
    last: int
    """The balance was so at some block from `first` to `last`; the ledger's sum at all of them."""
    units: int
    credits: Credits

    @property
    def ledger(self) -> int:
        """The sum of all credits."""
        return sum(units for _, units in self.credits)


@dataclass(frozen=True, slots=True)
class Difference:
    """What the ledger does not explain, and where it came about."""

    kind: FindingKind
    units: int
    first: int | None
    """The first block in which it may have come about; None: nobody looked before."""
    last: int


@dataclass(frozen=True, slots=True)
class Finding:
    """A difference at one address, as stored."""

    id: str
    network: Network
    address: Address
    method: Method
    kind: FindingKind
    units: int
    first: int | None
    last: int
    block_hash: Hash | None
    """Of the block `last`; None where nobody could say."""
    block_time: int | None
    state: FindingState
    found_at: int
    closed_at: int | None = None
    deposit_id: str | None = None
    """The deposit that was made of it."""
    has_code: bool | None = None
    """Whether code stood there, which acts without the owner; None: not asked, or nobody said."""

    def holds(self, block: int | None) -> bool:
        """Whether it may have come about in that block, which may be unknown."""
        return block is None or (self.first or 0) <= block <= self.last


def dust(asset: Asset, minimum: int) -> int:
    """Units from which on a difference matters: the asset's `minimum`, or a millionth of it."""
    return max(1, minimum or power(max(0, asset.decimals - DUST_DECIMALS)))


def arrived(deposits: Iterable[tuple[int, int]], number: int) -> Credits:
    """The ledger at block `number`, of deposits, each as (block number, units)."""
    blocks: Counter[int] = Counter()
    for block, units in deposits:
        if block <= number:
            blocks[block] += units
    return tuple(sorted(blocks.items()))


def gained(before: Credits, after: Credits) -> dict[int | None, int]:
    """By block what a ledger gained, or below zero lost; all at None where blocks are unknown."""
    then, now = Counter(dict(before)), Counter(dict(after))
    if None in then:
        return {None: now.total() - then.total()}
    now.subtract(then)
    return {block: units for block, units in now.items() if units}


def change(before: Measure | None, after: Measure) -> int:
    """How the difference between balance and ledger changed; above zero: more is there.

    Without a measure `before`, against an address that was empty.
    """
    earlier = before.units - before.ledger if before else 0
    return after.units - after.ledger - earlier


def judge(before: Measure | None, after: Measure) -> Difference:
    """What the change between two measures means, which must not be zero."""
    first = None if before is None else before.first + 1
    return Difference(_kind(before, after), abs(change(before, after)), first, after.last)


def _kind(before: Measure | None, after: Measure) -> FindingKind:
    if change(before, after) > 0:
        return FindingKind.SURPLUS
    if before is None:
        return FindingKind.UNCLEAR
    if after.ledger == before.ledger:
        return FindingKind.OUTGOING
    one_block = after.last == before.first + 1
    # Where the balance itself fell, something was taken out in the deposit's very block.
    short = one_block and after.units >= before.units
    return FindingKind.MISSING if short else FindingKind.UNCLEAR


def undated(difference: Difference) -> Difference:
    """The same where each measure may be of an older state than it says: no block is the first."""
    unclear = difference.kind is FindingKind.MISSING
    kind = FindingKind.UNCLEAR if unclear else difference.kind
    return replace(difference, kind=kind, first=None)


def absorb(
    findings: Sequence[Finding], gained: Mapping[int | None, int], dust: int, now: int
) -> tuple[list[Finding], int]:
    """What findings become when the ledger's past gains units in blocks (below zero: loses them).

    A ledger that gains in a surplus' blocks catches up with it, one that loses where something was
    missing with that. Returns the findings that changed, and the units that none of them explains.
    """
    left = dict(gained)
    after = {each.id: each for each in sorted(findings, key=lambda each: (each.last, each.id))}
    # Gains first: what they take the place of is no loss.
    for block in sorted(gained, key=lambda number: (gained[number] < 0, number or 0)):
        for each in [finding for finding in after.values() if finding.holds(block)]:
            taken = min(abs(left[block]), _explained(each, left, left[block] > 0))
            left[block] = _nearer_to_zero(left[block], taken)
            if each.state is FindingState.ACCEPTED:
                left[each.last] = left.get(each.last, 0) + taken
            elif taken:
                after[each.id] = _caught_up(each, taken, now)
    rest = sum(left.values())
    for each in sorted(after.values(), key=lambda finding: finding.id):
        # Less than `dust` of it may have come before its blocks.
        taken = min(abs(rest), dust - 1, _explained(each, {}, rest > 0))
        if taken:
            after[each.id] = _caught_up(each, taken, now)
            rest = _nearer_to_zero(rest, taken)
    return [after[each.id] for each in findings if after[each.id] != each], rest


def _explained(finding: Finding, left: Mapping[int | None, int], gains: bool) -> int:
    """How many units the ledger may gain, or else lose, by this finding's own money."""
    if finding.state is FindingState.ACCEPTED:  # what was made of it gives way to what is found
        return max(0, -left.get(finding.last, 0)) if gains else 0
    waits = finding.state in (FindingState.OPEN, FindingState.DISMISSED)
    kinds = {FindingKind.SURPLUS} if gains else {FindingKind.MISSING, FindingKind.UNCLEAR}
    return finding.units if waits and finding.kind in kinds else 0


def in_the_way(surplus: Finding, findings: Sequence[Finding], *, dated: bool) -> Finding | None:
    """Which of its account's findings a surplus may only give back, until that one is decided.

    Where balances are not `dated`, a state older than the last one looks like money that went or
    came, and the next true one like the opposite: then a person must say, with both in sight, that
    what was missed before the surplus is gone.
    """
    for each in findings:
        if each.kind is FindingKind.SURPLUS:
            continue
        waits = each.state is FindingState.OPEN and each.kind is not FindingKind.OUTGOING
        if waits or (not dated and _undecided(each, surplus)):
            return each
    return None


def _undecided(shortfall: Finding, surplus: Finding) -> bool:
    """Whether it was found before the surplus, and nobody has dismissed it since."""
    if shortfall.state is FindingState.DISMISSED:
        decided = shortfall.closed_at is not None and shortfall.closed_at > surplus.found_at
    else:
        decided = shortfall.state is FindingState.RESOLVED
    return shortfall.id < surplus.id and not decided


def _nearer_to_zero(left: int, taken: int) -> int:
    return left - taken if left > 0 else left + taken


def _caught_up(finding: Finding, units: int, now: int) -> Finding:
    if units < finding.units:
        return replace(finding, units=finding.units - units)
    return replace(finding, state=FindingState.RESOLVED, closed_at=now)


def leftover(gained: int, last: int) -> Difference:
    """What to say of a ledger that changed its past, up to block `last`, with no finding for it."""
    kind = FindingKind.UNCLEAR if gained > 0 else FindingKind.SURPLUS
    return Difference(kind, abs(gained), None, last)
