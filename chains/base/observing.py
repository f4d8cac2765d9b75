"""Who is told what clients do: for metrics, say."""

from __future__ import annotations

from typing import Literal, Protocol

Outcome = Literal["ok", "unavailable", "rate_limited", "refused", "cancelled"]
"""How one request ended: answered, whatever the answer is worth, or how it failed."""


class Observer(Protocol):
    """Told what a client does, as it does it. Returns at once, and raises nothing."""

    def asked(self, endpoint: str, method: str, outcome: Outcome, seconds: float) -> None:
        """A request to the endpoint of this name ended, after `seconds` on the wire."""

    def proved(self, seconds: float) -> None:
        """The answers for one block were read and proven, or refused, within `seconds`."""


class Unobserved:
    """Nobody looks."""

    def asked(self, endpoint: str, method: str, outcome: Outcome, seconds: float) -> None:
        """Nothing comes of it."""

    def proved(self, seconds: float) -> None:
        """Nothing comes of it."""
