"""A block as several endpoints show it, where its hash does not commit to all that it holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

from watcher.domain.blocks import Block, Transfer
from watcher.domain.deposits import Deposit

Claim = Transfer
"""What endpoints must say alike of a transfer: all but its sender."""


@dataclass(frozen=True, slots=True)
class Reading(Block):
    """A block with all that any of its copies shows: of a place first what most show there."""

    copies: tuple[Block, ...] = ()
    """Of one hash, each from another endpoint, proven as far as that goes."""
    repeated: frozenset[Claim] = frozenset()
    """What enough endpoints repeat, as they said when they were asked for it alone."""

    def votes(self, claim: Claim) -> Counter[Claim | None]:
        """How many copies show what at its place; None: nothing."""
        place = _place(claim)
        shown: Counter[Claim | None] = Counter(
            claim_of(move)
            for move in chain.from_iterable(each.transfers for each in self.copies)
            if _place(move) == place
        )
        shown[None] = len(self.copies) - shown.total()
        return shown


def read_together(copies: Sequence[Block]) -> Reading:
    """What copies of one block come to, one of them at least.

    One that withholds a transfer moves what follows to another place: so all that is shown is kept.
    """
    first, *others = copies
    transfers = _by_frequency(copies) if others else first.transfers
    return Reading(first.ref, transfers, sum(each.size for each in copies), tuple(copies))


def transfer_of(deposit: Deposit) -> Transfer:
    """The transfer that it was found as."""
    return Transfer(
        deposit.tx_hash,
        deposit.position,
        deposit.method,
        deposit.sender,
        deposit.address,
        deposit.units,
    )


def claim_of(transfer: Transfer) -> Claim:
    """What is said of it."""
    return replace(transfer, sender=None)


def _place(transfer: Transfer) -> tuple[object, str]:
    return transfer.tx_hash, transfer.position


def _by_frequency(copies: Sequence[Block]) -> tuple[Transfer, ...]:
    """Each transfer once; those of one place by how many show it, else as they came."""
    votes: Counter[Claim] = Counter()
    whole: dict[Claim, Transfer] = {}
    places: dict[tuple[object, str], list[Claim]] = {}
    for move in chain.from_iterable(each.transfers for each in copies):
        claim = claim_of(move)
        if claim not in whole:
            whole[claim] = move
            places.setdefault(_place(move), []).append(claim)
        votes[claim] += 1
    return tuple(
        whole[claim]
        for rivals in places.values()
        for claim in sorted(rivals, key=lambda each: -votes[each])
    )
