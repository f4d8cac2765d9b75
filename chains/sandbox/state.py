"""What the chain knows between blocks: numbers by key, each change undoable.

A call that fails takes back what it changed, and so does a block that leaves the chain.
"""

from __future__ import annotations

from collections.abc import Mapping

from watcher.domain.money import Address

HEIGHT = "height"
"""The key of the number of the block that these numbers stand after, or are changed in."""


def coin(address: Address) -> str:
    """The key of an account's balance of the native coin."""
    return f"coin/{address}"


def nonce(address: Address) -> str:
    """The key of how many transactions an account has sent."""
    return f"nonce/{address}"


def holding(contract: Address, address: Address) -> str:
    """The key of an account's balance of a token."""
    return f"{contract}/{address}"


class State:
    """Numbers by key; what was never set is 0."""

    def __init__(self, values: Mapping[str, int]) -> None:
        self._values = dict(values)
        self._journal: list[tuple[str, int]] = []  # what each change replaced, since `close`
        self._unsaved: set[str] = set()

    def __getitem__(self, key: str) -> int:
        return self._values.get(key, 0)

    def __setitem__(self, key: str, value: int) -> None:
        self._journal.append((key, self[key]))
        self._unsaved.add(key)
        self._values[key] = value

    def mark(self) -> int:
        """A point to go back to."""
        return len(self._journal)

    def rollback(self, mark: int) -> None:
        """Undo every change since `mark`."""
        while len(self._journal) > mark:
            key, value = self._journal.pop()
            self._values[key] = value

    def close(self) -> dict[str, int]:
        """End a block; return what its changes replaced."""
        before = dict(reversed(self._journal))  # of several changes of a key the first stays
        self._journal.clear()
        return before

    def restore(self, before: Mapping[str, int]) -> None:
        """Undo a block by what `close` gave for it."""
        assert not self._journal
        self._values.update(before)
        self._unsaved.update(before)

    def take_unsaved(self) -> dict[str, int]:
        """What was touched since this was last asked, as it is now."""
        unsaved, self._unsaved = self._unsaved, set()
        return {key: self[key] for key in unsaved}

    def copy(self) -> State:
        return State(self._values)
