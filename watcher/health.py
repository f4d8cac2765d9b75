"""How a follower does: what it publishes for the status, and its one log line per outage."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import structlog

from chains.base import ChainError, ChainUnavailable, EndpointReport
from storage import StorageUnavailable
from storage.samples import Sample
from watcher import clock
from watcher.domain.blocks import BlockRef
from watcher.domain.money import Network

DAY = 86_400
HOUR = 3_600
MINUTE = 60
ERRORS = 1000  # how many are remembered
PACE_WINDOW = 60  # seconds over which blocks per second are counted
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0

log = structlog.get_logger()


class Health:
    """One follower's state of health, in memory; published as a row every few seconds."""

    def __init__(self) -> None:
        self.tip: BlockRef | None = None
        self.head: int | None = None
        self.finalized: int | None = None
        self.frozen: str | None = None
        """Why nothing is confirmed now; None: nothing stands in the way."""
        self.finality_unknown: str | None = None
        """Why nothing was ever final, once that lasts too long."""
        self.short: Sequence[str] = ()
        """What waits for endpoints to agree, a sentence for each block."""
        self.overdue: str | None = None
        """That some of it has waited for long."""
        self.standing_by = False
        self.endpoints: Sequence[EndpointReport] = ()
        self.warnings: Sequence[str] = ()
        self._halted: str | None = None
        self._last_error: str | None = None
        self._failures = 0
        self._bugs: set[type[Exception]] = set()
        """Kinds of our own faults that this outage has logged."""
        self._errors: deque[float] = deque(maxlen=ERRORS)
        self._progress_at = clock.now()
        self._connected: deque[tuple[float, int]] = deque()
        self._reorgs: deque[tuple[float, int]] = deque()
        self._depth = 0
        self._sampled_at = 0

    def connected(self, tip: BlockRef, blocks: int) -> None:
        """Our chain grew by `blocks`, up to `tip`."""
        self.tip, self._depth = tip, 0
        self.head = max(self.head or 0, tip.number)
        self._progress_at = clock.now()
        self._connected.append((time.monotonic(), blocks))

    def disconnected(self, network: Network, tip: BlockRef) -> int:
        """One block of ours left the chain; several in a row are one reorg: how many by now."""
        self.tip = tip
        self._depth += 1
        if self._depth > 1 and self._reorgs:
            self._reorgs.pop()
        else:
            log.warning("the chain was reorganised", network=network, below=tip.number + 1)
        self._reorgs.append((time.monotonic(), self._depth))
        return self._depth

    def failed(self, network: Network, error: Exception) -> float:
        """Note a failed turn; seconds to wait before the next."""
        self._errors.append(time.monotonic())
        self._last_error = self._words(network, error)
        self._failures += 1
        if self._failures == 1:
            log.warning("outage begins", network=network, reason=self._last_error)
        asked = error.retry_after if isinstance(error, ChainUnavailable) else None
        return min(asked or FIRST_PAUSE * 2 ** min(self._failures - 1, 6), LONGEST_PAUSE)

    def _words(self, network: Network, error: Exception) -> str:
        """What the status says of `error`. One that is our own goes to the log, once per outage."""
        if isinstance(error, ChainError | StorageUnavailable):
            return str(error) or type(error).__name__
        if type(error) not in self._bugs:
            self._bugs.add(type(error))
            log.error("a step failed", network=network, exc_info=error)
        # Not its text, which nobody has cleared of secrets.
        return f"a fault of this program ({type(error).__name__}); the log tells where"

    def recovered(self, network: Network) -> None:
        """Note a turn that went well."""
        if self._failures:
            log.warning("outage ends", network=network, failed_turns=self._failures)
        self._failures, self._last_error = 0, None
        self._bugs.clear()

    def halt(self, reason: str) -> None:
        """Note that this network needs a person."""
        self._halted = reason

    def report(self, holder: str) -> dict[str, Any]:
        """What the status needs to know, as JSON."""
        pace, behind = self._blocks_per_second(), self._behind()
        return {
            "state": self._state(behind),
            "tip": asdict(self.tip) if self.tip else None,
            "head": self.head,
            "finalized": self.finalized,
            "frozen": self.frozen,
            "finality_unknown": self.finality_unknown,
            "agreement": {"waiting": len(self.short), "reason": self.overdue},
            "warnings": [*self.warnings, *self.short, *self._unknown()],
            "blocks_per_second": round(pace, 3),
            "catch_up_eta_seconds": round(behind / pace) if behind > 1 and pace else None,
            "last_error": self._halted or self._last_error,
            "errors_1h": self._errors_in_an_hour(),
            "progress_at": self._progress_at,
            "leader": holder,
            "reorgs_24h": self._reorgs_today(),
            "endpoints": [asdict(endpoint) for endpoint in self.endpoints],
        }

    def sample(self, now: int) -> Sample | None:
        """Where we stand, once a minute; None while the minute is the one last told of."""
        minute = now - now % MINUTE
        if minute == self._sampled_at:
            return None
        self._sampled_at = minute
        if self.tip is None:
            return Sample(minute, None, None)
        return Sample(minute, self._behind(), max(0, now - self.tip.timestamp))

    def _behind(self) -> int:
        return max(0, (self.head or 0) - (self.tip.number if self.tip else 0))

    def _errors_in_an_hour(self) -> int:
        since = time.monotonic() - HOUR
        return sum(at > since for at in self._errors)

    def _unknown(self) -> list[str]:
        return [self.finality_unknown] if self.finality_unknown else []

    def _state(self, behind: int) -> str:
        if self._halted:
            return "halted"
        if self.tip is None:
            return "starting"
        return "catching_up" if behind > 2 else "following"

    def _blocks_per_second(self) -> float:
        since = time.monotonic() - PACE_WINDOW
        while self._connected and self._connected[0][0] < since:
            self._connected.popleft()
        if not self._connected:
            return 0.0
        seconds = max(1.0, time.monotonic() - self._connected[0][0])
        return sum(blocks for _, blocks in self._connected) / seconds

    def _reorgs_today(self) -> dict[str, int]:
        since = time.monotonic() - DAY
        while self._reorgs and self._reorgs[0][0] < since:
            self._reorgs.popleft()
        depths = [depth for _, depth in self._reorgs]
        return {"count": len(depths), "deepest": max(depths, default=0)}
