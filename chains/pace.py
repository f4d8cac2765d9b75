"""How fast one endpoint may be asked: its configured limit, and less for a while once it refused.

Endpoints say when they were asked too often, seldom what would not be. So a refusal halves the pace
at which it came, and every minute without one doubles it, until it is what it was.
"""

from __future__ import annotations

from collections import deque

from aiolimiter import AsyncLimiter

from chains.health import Clock

SLOWEST = 1.0  # requests per second; no network could be followed with less
EASE_SECONDS = 60.0
REMEMBERED = 1_000  # moments of requests


class Pace:
    """The pace of requests to one endpoint.

    Args:
        limit: requests per second as configured; None: any number.
    """

    def __init__(self, limit: int | None, clock: Clock) -> None:
        self._clock, self.limit = clock, limit
        self._usual = AsyncLimiter(limit, 1) if limit else None
        self._sent: deque[float] = deque(maxlen=REMEMBERED)
        self._slowed: AsyncLimiter | None = None
        self._refused = self._lowered = 0.0
        self._since = clock.monotonic()

    @property
    def lowered(self) -> float | None:
        """Requests per second while it is lower than usual; None: it is not."""
        while self._slowed is not None and self._clock.monotonic() - self._since >= EASE_SECONDS:
            self._since += EASE_SECONDS
            self._lower(2 * self._lowered)
        return None if self._slowed is None else self._lowered

    @property
    def is_full(self) -> bool:
        """Whether a request would have to wait now: who is late then may be so by our limit."""
        limiter = self._limiter()
        return limiter is not None and not limiter.has_capacity()

    async def turn(self) -> None:
        """Return when the next request may be sent."""
        limiter = self._limiter()
        if limiter is not None:
            await limiter.acquire()
        self._sent.append(self._clock.monotonic())

    def refused(self, started: float) -> None:
        """Slow down: a piece of work, begun at `started` (monotonic), was refused as one too many.

        Of several under way only the first counts: the others were sent at the same pace.
        """
        now = self._clock.monotonic()
        known = self.lowered
        if known is not None and started <= self._since:
            return
        pace = sum(at > now - 1 for at in self._sent)
        if known is None:
            self._refused = pace
        self._since = now
        self._lower(max(SLOWEST, pace / 2))

    def _limiter(self) -> AsyncLimiter | None:
        return self._usual if self.lowered is None else self._slowed

    def _lower(self, pace: float) -> None:
        """Space requests evenly; no more than that once the pace is what it was."""
        self._lowered = pace
        self._slowed = None if pace > max(self._refused, SLOWEST) else AsyncLimiter(1, 1 / pace)
