"""How much is under way at once, so that one slow or dead receiver cannot hold up the others.

Per process. What failed last is tried one at a time until it answers again: a receiver that lets
us wait takes one place, however much waits for it.
"""

from __future__ import annotations

from collections import Counter

from storage.lanes import Lane

IN_ALL, PER_MERCHANT, PER_HOST = 64, 32, 16
PER_FAILING = 1
MOST_REMEMBERED = 10_000


class Crowd:
    """Counts of what is under way: in all, by merchant, by host and by lane."""

    def __init__(self) -> None:
        self._lanes: Counter[Lane] = Counter()
        self._failing: dict[Lane, None] = {}

    def copy(self) -> Crowd:
        """The same, to try on it what may come to nothing."""
        other = Crowd()
        other._lanes, other._failing = self._lanes.copy(), self._failing
        return other

    def enter(self, lane: Lane, number: int) -> None:
        """So many more in this lane."""
        self._lanes[lane] += number

    def leave(self, lane: Lane) -> None:
        """One less."""
        self._lanes -= Counter([lane])  # which also forgets what came to nothing

    def note(self, lane: Lane, accepted: bool) -> bool:
        """Remember how the lane's newest try went; whether that is news."""
        failed = lane in self._failing
        if accepted:
            self._failing.pop(lane, None)
        else:
            self._failing[lane] = None
            if len(self._failing) > MOST_REMEMBERED:
                del self._failing[next(iter(self._failing))]
        return failed is accepted

    @property
    def room(self) -> int:
        """How many more may be under way."""
        return IN_ALL - self._lanes.total()

    def room_in(self, lane: Lane) -> int:
        """How many more in this lane."""
        most = PER_FAILING if lane in self._failing else PER_HOST
        return max(
            0,
            min(
                self.room,
                most - self._lanes[lane],
                PER_MERCHANT - self._merchants()[lane[0]],
                PER_HOST - self._hosts()[lane[1]],
            ),
        )

    def full(self) -> tuple[list[str], list[str], list[Lane]]:
        """Merchants, hosts and lanes that have no room."""
        return (
            [each for each, count in self._merchants().items() if count >= PER_MERCHANT],
            [each for each, count in self._hosts().items() if count >= PER_HOST],
            [each for each in self._lanes if not self.room_in(each)],
        )

    def _merchants(self) -> Counter[str]:
        return _summed(self._lanes, 0)

    def _hosts(self) -> Counter[str]:
        return _summed(self._lanes, 1)


def _summed(lanes: Counter[Lane], part: int) -> Counter[str]:
    """By one part of the lane."""
    sums: Counter[str] = Counter()
    for lane, count in lanes.items():
        sums[lane[part]] += count
    return sums
