"""How one endpoint does: its faults and when they are over, its head, its speed, its budget.

No I/O here. A fault counts against the state of *now*: of several requests in flight when an
endpoint fails, the first to return decides, and a good answer from before a fault is no recovery.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from chains.base import (
    ChainDataError,
    ChainError,
    ChainUnavailable,
    EndpointRefused,
    EndpointReport,
    EndpointSettings,
    EndpointState,
)

BACKOFF_SECONDS, BACKOFF_CAP = 1.0, 60.0
RETRY_AFTER_CAP = 3600.0
REFUSED_SECONDS = 300.0
QUARANTINE_SECONDS, QUARANTINE_CAP = 300.0, 3600.0
FORK_SECONDS, FORK_CAP = 10.0, 300.0  # short: a reorg reaches one endpoint before the next
LAGS_AT, KEEPS_UP_AT = 3, 1  # blocks behind the best; apart, so that one block does not flap it
SLOW_SECONDS, SLOW_TIMES = 1.0, 4  # slow: at least that, and so many times the fastest
SURVEYS, FIRST_SURVEYS = 5, 3  # whose median is the usual; and how many make one
LATENCIES, ERRORS = 200, 1000  # how many are remembered
DAY, HOUR = 86_400, 3_600
FORECAST_FROM = 300.0  # seconds; sooner, a start's burst would stand for the whole day


class Missing(EndpointRefused):
    """The endpoint lacks what was asked (old blocks) but serves the rest: not a fault of it."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Where time comes from; seconds."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time


@dataclass(slots=True)
class Parole:
    """Why an endpoint is asked last, and when it is next tried by a block that others have.

    So it is put to the proof while others do well, and one piece of work a term is all that it can
    spoil. Terms double.
    """

    state: EndpointState
    reason: str
    from_number: int
    """No block below this one tells."""
    term: float
    cap: float
    due: float
    """When it is next tried, by the monotonic clock."""
    proven: bool = False
    """Whether it had another block when it was tried, too."""

    @property
    def shown(self) -> EndpointState:
        """A fork shows only after a trial: before, it may just be late to follow a reorg."""
        return "waiting" if self.state == "forked" and not self.proven else self.state


class Health:
    """The state of one endpoint, moved by what its requests bring."""

    def __init__(self, settings: EndpointSettings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._state: EndpointState = "new"
        self._reason: str | None = None
        self._since = self._until = clock.monotonic()
        self._strikes = self._lies = 0
        self._parole: Parole | None = None
        """Until its work is proven good again."""
        self._lagging = self._slow = False
        self._surveys: deque[float] = deque(maxlen=SURVEYS)
        self._latencies: deque[float] = deque(maxlen=LATENCIES)
        self._errors: deque[float] = deque(maxlen=ERRORS)
        self._day, self._requests = self._today(), 0
        self._counting_since = clock.wall()
        self.identified = False
        """The chain was checked since the last fault."""
        self.head: int | None = None
        """The newest block that it told of, by its newest answer."""

    # What its requests bring.

    def spend(self) -> None:
        """Count one request; raises ChainUnavailable when the day's budget is spent."""
        if self._budget_spent():
            raise ChainUnavailable("daily requests are spent", retry_after=self._to_midnight())
        self._requests += 1

    def answered(self, seconds: float) -> None:
        """Note how long an answer took."""
        self._latencies.append(seconds)

    def good(self, started: float) -> None:
        """A whole piece of work, begun at `started` (monotonic), went well: faults are over.

        But not that others have another block: each block of a fork is good by itself.
        """
        if started < self._since:
            return
        if self._clock.monotonic() - self._until > HOUR:
            self._lies = 0  # long good again
        if self._parole is not None and self._parole.state != "forked":
            self._parole = None
        self.reachable(started)

    def reachable(self, started: float) -> None:
        """It answers again; on parole it stays until its work is proven good."""
        if started >= self._since:
            self._state, self._reason, self._strikes = "healthy", None, 0

    def begin_trial(self, number: int) -> bool:
        """Whether it is on parole, and due to be tried by the block `number`; once a term."""
        parole, now = self._parole, self._clock.monotonic()
        if parole is None or now < parole.due or self.wait_seconds > 0:
            return False
        if number < parole.from_number:
            return False
        parole.term = min(2 * parole.term, parole.cap)
        parole.due = now + parole.term
        return True

    def convicted(self) -> None:
        """It had another block than the others when it was tried."""
        if self._parole is not None:
            self._parole.proven = True

    def acquitted(self, started: float) -> None:
        """It did well at a trial, begun at `started` (monotonic): nothing is held against it."""
        if started >= self._since:
            self._parole = None
            self.good(started)

    def forked(self, number: int, reason: str) -> None:
        """Others have another block at `number`: it rests for a moment, and then is asked last."""
        now = self._clock.monotonic()
        if self._parole is None:
            due = now + FORK_SECONDS
            self._parole = Parole("forked", reason, number, FORK_SECONDS, FORK_CAP, due)
        self.failed(ChainUnavailable(reason, retry_after=FORK_SECONDS), reason, now)

    def failed(self, error: ChainError, reason: str, started: float) -> None:
        """A piece of work, begun at `started` (monotonic), ended in `error`."""
        now = self._clock.monotonic()
        self._errors.append(now)
        known = started < self._since and not self._is_news(error)
        if known or isinstance(error, Missing):
            return
        match error:
            case ChainDataError():
                state: EndpointState = "quarantined"
                seconds = min(QUARANTINE_SECONDS * 2**self._lies, QUARANTINE_CAP)
                self._lies += 1
                self._parole = Parole(state, reason, 0, seconds, QUARANTINE_CAP, now + seconds)
            case EndpointRefused():
                state, seconds = "refused", REFUSED_SECONDS
            case ChainUnavailable(retry_after=float() | int() as asked):
                state, seconds = "waiting", min(float(asked), RETRY_AFTER_CAP)
            case _:
                state, seconds = "waiting", min(BACKOFF_SECONDS * 2**self._strikes, BACKOFF_CAP)
                self._strikes = min(self._strikes + 1, 16)
        self._state, self._reason = state, reason
        self._since, self._until = now, now + seconds
        self.identified = False  # who comes back may be someone else

    def _is_news(self, error: ChainError) -> bool:
        return isinstance(error, ChainDataError) and self._state != "quarantined"

    def judge(self, best: int) -> None:
        """Compare its head, just told, with the best that is known."""
        behind = best - self.head if self.head is not None else 0
        if behind >= LAGS_AT:
            self._lagging = True
        elif behind <= KEEPS_UP_AT:
            self._lagging = False

    def surveyed(self, head: int) -> None:
        """Note the head that it was asked for together with the others, just now."""
        self.head = head
        self._surveys.append(self._latencies[-1] if self._latencies else 0.0)

    def judge_speed(self, fastest_seconds: float) -> None:
        """Compare its usual time for an answer with the fastest endpoint's for the same."""
        much = max(SLOW_SECONDS, SLOW_TIMES * fastest_seconds)
        if self.usual_seconds >= much:
            self._slow = len(self._surveys) >= FIRST_SURVEYS
        elif self.usual_seconds < much / 2:  # apart, so that it does not flap
            self._slow = False

    # What follows from it.

    @property
    def usual_seconds(self) -> float:
        """How long it took lately to tell its head; 0: never asked."""
        return median(self._surveys) if self._surveys else 0.0

    @property
    def wait_seconds(self) -> float:
        """How long it must not be asked; 0: ask."""
        over = max(0.0, self._until - self._clock.monotonic())
        return max(over, self._to_midnight()) if self._budget_spent() else over

    @property
    def rank(self) -> int:
        """Which to ask first: 0, or 1 when it is slow, 2 when it lags, 3 on parole."""
        if self._parole is not None:
            return 3
        return 2 if self._lagging else int(self._slow)

    @property
    def trusted(self) -> bool:
        """Its word on the newest block counts when others are judged."""
        return self._state in ("new", "healthy") and self._parole is None

    @property
    def reason(self) -> str | None:
        """The newest fault, or why it is not the first to be asked; None when all is well."""
        return self._shown()[1]

    def report(self) -> EndpointReport:
        ordered = sorted(self._latencies)
        now = self._clock.monotonic()
        today = self._requests_today()
        state, reason = self._shown()
        return EndpointReport(
            name=self._settings.name,
            state=state,
            head=self.head,
            latency_p50_ms=_percentile_ms(ordered, 50),
            latency_p99_ms=_percentile_ms(ordered, 99),
            requests_today=today,
            daily_requests=self._settings.daily_requests,
            forecast_today=self._forecast(today),
            errors_1h=sum(1 for at in self._errors if now - at < HOUR),
            reason=reason,
        )

    def _shown(self) -> tuple[EndpointState, str | None]:
        if self._parole is not None:  # also while it rests, for whatever other fault
            return self._parole.shown, self._parole.reason
        if self._state in ("new", "healthy") and self._budget_spent():
            return "waiting", "daily requests are spent"
        if self._state == "healthy" and self._lagging:
            return "lagging", f"at least {KEEPS_UP_AT + 1} blocks behind the best endpoint"
        if self._state == "healthy" and self._slow:
            return (
                "slow",
                f"takes {self.usual_seconds:.1f} s, much longer than the fastest endpoint",
            )
        return self._state, self._reason

    # The budget, by UTC day.

    def _today(self) -> int:
        return int(self._clock.wall() // DAY)

    def _to_midnight(self) -> float:
        return DAY - self._clock.wall() % DAY

    def _requests_today(self) -> int:
        if self._today() != self._day:
            self._day, self._requests = self._today(), 0
        return self._requests

    def _budget_spent(self) -> bool:
        budget = self._settings.daily_requests
        return budget is not None and self._requests_today() >= budget

    def _forecast(self, today: int) -> int:
        now = self._clock.wall()
        counted = now - max(self._counting_since, self._day * DAY)
        return today + round(today * self._to_midnight() / max(counted, FORECAST_FROM))


def _percentile_ms(ordered: list[float], percent: int) -> int | None:
    if not ordered:
        return None
    return round(ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] * 1000)
