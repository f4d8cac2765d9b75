"""What sources said last, in memory, and the market that follows from it at a given moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from watcher.clock import rfc3339
from watcher.domain.rates import Limits, Market, Observation, Pair, settle


@dataclass(frozen=True, slots=True)
class SourceState:
    """How one source does."""

    said: tuple[Observation, ...] = ()
    last_ok: int | None = None
    """When it answered; epoch seconds."""
    last_error: str | None = None
    """None while it does well."""


class RateBook:
    """The rates that configuration fixes, and what sources said of all others.

    Args:
        fixed: the price of one base in quote, decimal text.
        sources: names of those that will tell, for the status.
    """

    def __init__(
        self,
        fixed: Mapping[Pair, str] | None = None,
        sources: Iterable[str] = (),
        limits: Limits | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self._fixed = fixed or {}
        self._states = {name: SourceState() for name in sources}

    def market(self, now: int) -> Market:
        """The rates of this moment."""
        said = [each for state in self._states.values() for each in state.said]
        return settle(self._fixed, said, self.limits, now)

    def heard(self, source: str, said: Sequence[Observation], now: int) -> None:
        """Keep what a source says now, in place of what it said before."""
        self._states[source] = SourceState(tuple(said), now)

    def failed(self, source: str, reason: str) -> bool:
        """Note that a source did not answer; whether that is news. What it said before ages."""
        known = self._states[source]
        self._states[source] = replace(known, last_error=reason)
        return known.last_error is None

    def failing(self, source: str) -> bool:
        """Whether a source did not answer when it was asked last."""
        return self._states[source].last_error is not None

    def report(self, now: int) -> dict[str, Any]:
        """How the sources do, and which pairs are refused; for the status."""
        refused = self.market(now).refused
        return {
            "sources": [
                _source_row(name, state, self.limits.max_age_seconds, now)
                for name, state in self._states.items()
            ],
            "refused": [
                {"base": base, "quote": quote, "reason": reason}
                for (base, quote), reason in refused.items()
            ],
        }


def _source_row(name: str, state: SourceState, most_seconds: int, now: int) -> dict[str, Any]:
    age = None if state.last_ok is None else max(0, now - state.last_ok)
    return {
        "source": name,
        "pairs": len(state.said),
        "last_ok": None if state.last_ok is None else rfc3339(state.last_ok),
        "age_seconds": age,
        "stale": state.last_error is not None if age is None else age > most_seconds,
        "last_error": state.last_error,
    }
