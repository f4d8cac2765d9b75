"""What is not known of a Tron network from these endpoints: sentences for its operator."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set

from chains.tvm.blocks import Reading
from watcher.domain.blocks import BlockRef, Hash, Transfer
from watcher.domain.money import Address

SHOWN = 5
"""How many blocks that endpoints differ about are told one by one, the newest."""
KEPT = 1000
"""How many blocks that endpoints differ about are remembered, the newest."""
COMMITTED = "value"
"""First part of a position whose transfer is under the block's id, and that it succeeded too."""

Claim = tuple[Hash | None, str, str, Address, int]
"""What two endpoints must say alike of a transfer."""


def claims_of(transfers: Iterable[Transfer]) -> frozenset[Claim]:
    """What is claimed of each."""
    return frozenset((t.tx_hash, t.position, t.method, t.to, t.units) for t in transfers)


def repeating(told: Mapping[str, Set[Claim]], transfers: Sequence[Transfer]) -> frozenset[str]:
    """The most endpoints that show `transfers` and agree on what their receivers got besides.

    Where another shows one log more for a receiver, either invented it or the first left it out:
    until that is known, nobody should be told that this is all that was paid. Internal calls say
    nothing of logs, as not every node keeps them.
    """
    claimed = claims_of(transfers)
    paid = {(_kind(each.position), each.to) for each in transfers}
    alike: dict[frozenset[Claim], set[str]] = {}
    for name, claims in told.items():
        if claimed <= claims:
            besides = frozenset(each for each in claims if (_kind(each[1]), each[3]) in paid)
            alike.setdefault(besides, set()).add(name)
    return frozenset(max(alike.values(), key=len, default=()))


def is_committed(transfer: Transfer) -> bool:
    """Whether the block's id commits to it: who gives the id then repeats the transfer."""
    return _kind(transfer.position) == COMMITTED


def _kind(position: str) -> str:
    return position.partition("/")[0]


class Doubts:
    """Remembers what endpoints told and what they left open, since the start."""

    def __init__(self, endpoints: Sequence[str]) -> None:
        self._endpoints = tuple(endpoints)
        self._tells_internal: set[str] = set()
        self._deputies: dict[tuple[Address | None, Address | None], str] = {}
        self._differences: dict[Hash, str] = {}
        self._forgot_some = False

    def tells_internal(self, endpoint: str) -> None:
        """Note that this one keeps internal calls."""
        self._tells_internal.add(endpoint)

    def knows_deputy(self, reading: Reading) -> bool:
        """Whether a block by the same signer for the same witness was believed before."""
        return (reading.witness, reading.signer) in self._deputies

    def believed(self, reading: Reading, why: str) -> None:
        """Note that a block is believed though its witness did not sign it itself."""
        last = f"block {reading.block.ref.number}, {reading.signer} for {reading.witness}; {why}"
        self._deputies[reading.witness, reading.signer] = last

    def compare(self, ref: BlockRef, told: Mapping[str, Set[Claim]]) -> None:
        """Note whether these endpoints, by name, show the same transfers in the same block."""
        known = frozenset[Claim]().union(*told.values())
        lacks = {name: sorted(known - own, key=repr) for name, own in told.items() if known - own}
        if not lacks:
            self._differences.pop(ref.hash, None)
            return
        parts = (
            f"{name} lacks {len(claims)} that another shows, such as {claims[0][1]} of "
            f"{claims[0][0]}"
            for name, claims in lacks.items()
        )
        self._differences[ref.hash] = (
            f"endpoints differ about block {ref.number}: {'; '.join(parts)}"
        )
        if len(self._differences) > KEPT:
            del self._differences[next(iter(self._differences))]
            self._forgot_some = True

    def sentences(self) -> tuple[str, ...]:
        return (*self._of_internal(), *self._of_deputies(), *self._of_differences())

    def _of_internal(self) -> Sequence[str]:
        silent = [name for name in self._endpoints if name not in self._tells_internal]
        if not silent:
            return ()
        return (
            f"internal TRX is not covered as far as is known: {', '.join(silent)} told of no "
            "internal call yet, so TRX that a contract pays may go unseen",
        )

    def _of_deputies(self) -> Sequence[str]:
        if not self._deputies:
            return ()
        *_, last = self._deputies.values()
        return (
            f"blocks were signed by other keys than their witnesses' own, by {len(self._deputies)} "
            f"so far, and nothing proves that they may (last: {last})",
        )

    def _of_differences(self) -> Sequence[str]:
        shown = list(self._differences.values())[-SHOWN:]
        more = len(self._differences) - len(shown)
        count = f"at least {more}" if self._forgot_some else f"{more}"
        return (*shown, f"endpoints differ about {count} more blocks") if more else shown
