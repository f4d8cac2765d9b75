"""The pool: who is asked, who is left alone and for how long, and what is said about it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat

import pytest

from chains import endpoints
from chains.asking import occasionally
from chains.base import (
    ChainDataError,
    ChainError,
    ChainUnavailable,
    EndpointRefused,
    EndpointReport,
    EndpointSettings,
    RateLimited,
    WrongChain,
)
from chains.endpoint import Endpoint
from chains.endpoints import EndpointPool
from chains.health import Clock, Missing
from chains.http import Disconnected
from watcher.domain.blocks import BlockRef, Hash

NOON = 1_795_262_400.0  # 2026-11-21 12:00 UTC
HALF_A_DAY = 43_200


@dataclass
class Time:
    """A clock that stands still until told."""

    passed: float = 0.0

    def clock(self) -> Clock:
        return Clock(monotonic=lambda: self.passed, wall=lambda: NOON + self.passed)


@dataclass
class Node:
    """The far side of a transport: does what it is told, and counts."""

    answer: bytes | None = b'"yes"'
    faults: list[ChainError] = field(default_factory=list)
    """Raised first, one per request."""
    always: ChainError | None = None
    asked: int = 0
    identified: int = 0
    wrong: WrongChain | None = None
    seconds: float = 0.0
    """What each request takes by `time`."""
    time: Time = field(default_factory=Time)

    async def post(self, method: str, params: object) -> bytes | None:
        self.time.passed += self.seconds
        if method == "identify":
            self.identified += 1
            if self.wrong:
                raise self.wrong
            return None
        self.asked += 1
        if self.faults:
            raise self.faults.pop(0)
        if self.always:
            raise self.always
        return self.answer

    async def close(self) -> None:
        pass


async def identify(node: Endpoint) -> None:
    await node.raw("identify", [])


async def yes(node: Endpoint) -> str:
    await node.raw("ask", [])
    return node.name


def make_pool(
    time: Time,
    *nodes: Node,
    rate: int | None = None,
    daily: int | None = None,
    hedge: float | None = None,
) -> EndpointPool:
    """A pool of endpoints named a, b, … before `nodes`."""
    left, endpoints = iter(nodes), settings_of(len(nodes), rate, daily)
    return EndpointPool(
        endpoints, lambda _: next(left), identify, time.clock(), hedge_seconds=hedge
    )


def settings_of(
    count: int, rate: int | None = None, daily: int | None = None
) -> list[EndpointSettings]:
    """Endpoints named a, b, …"""
    return [EndpointSettings(name, "http://127.0.0.1:1/", rate, daily) for name in "abcdef"[:count]]


def states(pool: EndpointPool) -> list[str]:
    return [report.state for report in pool.reports()]


def report(pool: EndpointPool) -> EndpointReport:
    return pool.reports()[0]


async def test_the_first_endpoint_is_asked_while_it_does_well() -> None:
    a, b = Node(), Node()
    pool = make_pool(Time(), a, b)
    assert states(pool) == ["new", "new"]
    assert [await pool.ask(yes), await pool.ask(yes)] == ["a", "a"]
    assert states(pool) == ["healthy", "new"]
    assert (a.asked, b.asked) == (2, 0)


@pytest.mark.parametrize(
    ("fault", "state", "seconds"),
    [
        (ChainUnavailable("down"), "waiting", 1),
        (ChainUnavailable("slow down", retry_after=7), "waiting", 7),
        (ChainUnavailable("slow down", retry_after=1e9), "waiting", 3600),
        (EndpointRefused("no such method"), "refused", 300),
        (ChainDataError("receiptsRoot differs"), "quarantined", 300),
    ],
)
async def test_a_fault_sends_the_work_on_and_rests_the_endpoint(
    fault: ChainError, state: str, seconds: float
) -> None:
    time, a = Time(), Node(faults=[fault])
    pool = make_pool(time, a, Node())
    assert await pool.ask(yes) == "b"
    assert states(pool) == [state, "healthy"]
    assert report(pool).reason == str(fault)

    time.passed = seconds - 0.01
    assert await pool.ask(yes) == "b"
    assert a.asked == 1
    time.passed = seconds
    assert pool.endpoints[0].health.wait_seconds == 0


async def test_after_its_rest_an_endpoint_comes_first_again() -> None:
    time = Time()
    pool = make_pool(time, Node(faults=[ChainUnavailable("down")]), Node())
    await pool.ask(yes)
    time.passed = 1
    assert await pool.ask(yes) == "a"
    assert (states(pool)[0], report(pool).reason) == ("healthy", None)


async def test_the_rest_doubles_up_to_a_minute_and_starts_over_after_an_answer() -> None:
    time, node = Time(), Node(always=ChainUnavailable("down"))
    pool = make_pool(time, node)
    rests = []
    for _ in range(8):
        with pytest.raises(ChainUnavailable) as error:
            await pool.ask(yes)
        rests.append(error.value.retry_after)
        time.passed += error.value.retry_after or 0
    assert rests == [1, 2, 4, 8, 16, 32, 60, 60]

    node.always = None
    await pool.ask(yes)
    node.faults = [ChainUnavailable("down")]
    with pytest.raises(ChainUnavailable) as error:
        await pool.ask(yes)
    assert error.value.retry_after == 1


async def test_many_requests_that_fail_together_count_as_one_outage() -> None:
    time, node = Time(), Node(always=ChainUnavailable("down"))
    pool = make_pool(time, node)

    async def slow(endpoint: Endpoint) -> str:
        await asyncio.sleep(0)
        time.passed += 0.001
        return await yes(endpoint)

    tries = [pool.ask(slow) for _ in range(8)]
    assert all(
        isinstance(outcome, ChainUnavailable)
        for outcome in await asyncio.gather(*tries, return_exceptions=True)
    )
    time.passed = 0
    assert max(node.health.wait_seconds for node in pool.endpoints) < 1.1


async def test_an_answer_from_before_a_lie_does_not_end_the_quarantine() -> None:
    time = Time()
    pool = make_pool(time, Node(), Node())
    asked, lied = asyncio.Event(), asyncio.Event()

    async def long(node: Endpoint) -> str:
        asked.set()
        await lied.wait()
        return await yes(node)

    async def lie(node: Endpoint) -> str:
        if node.name == "a":
            raise ChainDataError("a lie")
        return node.name

    waiting = asyncio.create_task(pool.ask(long))
    await asked.wait()
    time.passed = 1
    assert await pool.ask(lie) == "b"
    lied.set()
    assert await waiting == "a"
    assert states(pool)[0] == "quarantined"


async def test_a_lie_is_noted_even_when_the_endpoint_failed_meanwhile() -> None:
    time = Time()
    pool = make_pool(time, Node(), Node())
    health = pool.endpoints[0].health
    time.passed = 2
    health.failed(DOWN, "down", started=1)
    health.failed(LIE, "lie", started=1)
    assert (states(pool)[0], health.wait_seconds) == ("quarantined", 300)
    health.failed(DOWN, "down", started=1)
    health.failed(LIE, "lie", started=1)
    assert (states(pool)[0], health.wait_seconds) == ("quarantined", 300)


async def test_who_failed_for_another_caller_meanwhile_is_not_asked() -> None:
    time, b = Time(), Node()
    pool = make_pool(time, Node(), b, Node())

    async def work(node: Endpoint) -> str:
        if node.name == "a":
            pool.endpoints[1].health.failed(DOWN, "down", time.passed)
            raise DOWN
        return await yes(node)

    assert await pool.ask(work) == "c"
    assert b.asked == 0


async def test_a_sole_endpoint_at_rest_is_an_error_at_once() -> None:
    time, node = Time(), Node(faults=[ChainUnavailable("down")])
    pool = make_pool(time, node)
    with pytest.raises(ChainUnavailable, match="a: down; next try in 1 s"):
        await pool.ask(yes)
    time.passed = 0.25
    with pytest.raises(ChainUnavailable, match="a: down") as error:
        await pool.ask(yes)
    assert error.value.retry_after == 0.75
    assert node.asked == 1


LIE, DOWN, REFUSED = ChainDataError("lie"), ChainUnavailable("down"), EndpointRefused("no")


@pytest.mark.parametrize(
    ("faults", "kind"),
    [
        ([LIE, LIE], ChainDataError),
        ([LIE, DOWN], ChainUnavailable),
        ([REFUSED, DOWN], ChainUnavailable),
        ([REFUSED, REFUSED], EndpointRefused),
        ([WrongChain("x"), WrongChain("y")], WrongChain),
        ([WrongChain("x"), LIE], ChainDataError),
    ],
)
async def test_what_is_raised_is_what_all_faults_share(
    faults: Sequence[ChainError], kind: type[ChainError]
) -> None:
    pool = make_pool(Time(), *(Node(faults=[fault]) for fault in faults))
    with pytest.raises(ChainError) as error:
        await pool.ask(yes)
    assert type(error.value) is kind
    assert all(text in str(error.value) for text in (f"a: {faults[0]}", f"b: {faults[1]}"))


async def test_a_liar_is_quarantined_longer_each_time() -> None:
    time, node = Time(), Node(always=LIE)
    pool = make_pool(time, node)
    rests = []
    for _ in range(5):
        with pytest.raises(ChainDataError):
            await pool.ask(yes)
        (endpoint,) = pool.endpoints
        rests.append(endpoint.health.wait_seconds)
        time.passed += rests[-1]
    assert rests == [300, 600, 1200, 2400, 3600]


async def test_on_parole_a_liar_is_asked_last_until_it_does_well() -> None:
    time, b = Time(), Node()
    pool = make_pool(time, Node(faults=[LIE]), b)
    await pool.ask(yes)
    time.passed = 300
    assert await pool.ask(yes) == "b"
    assert states(pool) == ["quarantined", "healthy"]

    b.faults = [DOWN]
    assert await pool.ask(yes) == "a"
    assert states(pool) == ["healthy", "waiting"]


async def test_an_outage_ends_no_parole() -> None:
    time, a, b = Time(), Node(faults=[LIE]), Node()
    pool = make_pool(time, a, b)
    await pool.ask(yes)
    time.passed = 300
    a.faults = [DOWN]
    assert await pool.each(yes) == {"b": "b"}
    for passed in (300, 400):
        time.passed = passed
        assert (states(pool), report(pool).reason) == (["quarantined", "healthy"], "lie")
        await pool.survey(heads(a=5, b=5))
    a.asked = 0
    assert await pool.ask(yes) == "b"
    assert a.asked == 0


async def test_a_survey_ends_an_outage_but_no_parole() -> None:
    time = Time()
    pool = make_pool(time, Node(faults=[LIE]), Node(faults=[DOWN]), Node())
    await pool.ask(yes)
    assert states(pool) == ["quarantined", "waiting", "healthy"]
    time.passed = 300
    await pool.survey(heads(a=5, b=5, c=5))
    assert states(pool) == ["quarantined", "healthy", "healthy"]


async def test_what_an_endpoint_does_not_keep_is_no_fault_of_it() -> None:
    pool = make_pool(Time(), Node(faults=[Missing("pruned")]), Node())
    assert await pool.ask(yes) == "b"
    assert await pool.ask(yes) == "a"
    assert (states(pool)[0], report(pool).errors_1h) == ("healthy", 1)


@pytest.mark.parametrize("refusal", [EndpointRefused("no such method"), Missing("pruned")])
async def test_who_refuses_an_occasional_question_is_still_asked_for_the_rest(
    refusal: EndpointRefused,
) -> None:
    pool = make_pool(Time(), Node(faults=[refusal]), Node())
    assert await pool.each(occasionally(yes)) == {"b": "b"}
    assert (states(pool), await pool.ask(yes)) == (["new", "healthy"], "a")


@pytest.mark.parametrize(
    ("fault", "state"),
    [(ChainUnavailable("503"), "waiting"), (ChainDataError("no hash"), "quarantined")],
)
async def test_who_fails_at_an_occasional_question_is_at_fault_as_ever(
    fault: ChainError, state: str
) -> None:
    pool = make_pool(Time(), Node(faults=[fault]))
    assert await pool.each(occasionally(yes)) == {}
    assert states(pool) == [state]


async def test_our_own_bug_passes_through_and_blames_nobody() -> None:
    pool = make_pool(Time(), Node(), Node())

    async def bug(node: Endpoint) -> str:
        raise KeyError(node.name)

    with pytest.raises(KeyError, match="a"):
        await pool.ask(bug)
    assert (states(pool), report(pool).errors_1h) == (["new", "new"], 0)


async def test_a_cancelled_request_blames_nobody() -> None:
    pool = make_pool(Time(), Node(), Node())

    async def forever(node: Endpoint) -> str:
        await asyncio.Event().wait()
        return node.name

    task = asyncio.create_task(pool.ask(forever))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert states(pool) == ["new", "new"]


async def test_a_kept_connection_that_broke_is_tried_again_at_once_and_identified_anew() -> None:
    a, b = Node(), Node()
    pool = make_pool(Time(), a, b)
    await pool.ask(yes)
    a.faults = [Disconnected("gone")]
    assert await pool.ask(yes) == "a"
    assert (a.identified, b.asked) == (2, 0)
    assert (states(pool)[0], report(pool).errors_1h) == ("healthy", 0)


async def test_a_connection_that_breaks_twice_is_a_fault() -> None:
    a = Node(faults=[Disconnected("gone"), Disconnected("gone")])
    pool = make_pool(Time(), a, Node())
    assert await pool.ask(yes) == "b"
    assert states(pool)[0] == "waiting"


async def test_a_node_that_came_back_as_another_is_not_believed() -> None:
    a = Node()
    pool = make_pool(Time(), a, Node())
    await pool.ask(yes)
    a.faults, a.wrong = [Disconnected("gone")], WrongChain("follows chain id 5, configured 1")
    assert await pool.ask(yes) == "b"
    assert states(pool)[0] == "quarantined"
    assert report(pool).reason == "follows chain id 5, configured 1"
    assert a.asked == 2  # no answer of the stranger was even asked for


@pytest.mark.parametrize("fault", [DOWN, REFUSED, LIE])
async def test_identity_is_checked_once_and_again_after_a_fault(fault: ChainError) -> None:
    time, node = Time(), Node()
    pool = make_pool(time, node)
    await asyncio.gather(*(pool.ask(yes) for _ in range(4)))
    assert node.identified == 1
    node.faults = [fault]
    with pytest.raises(ChainError):
        await pool.ask(yes)
    time.passed = 1000
    await pool.ask(yes)
    assert node.identified == 2


def heads(**numbers: int) -> Callable[[Endpoint], Awaitable[int]]:
    async def head(node: Endpoint) -> int:
        return numbers[node.name]

    return head


async def test_an_endpoint_lags_at_three_blocks_behind_and_recovers_at_one() -> None:
    pool = make_pool(Time(), Node(), Node())
    seen = []
    for behind in (0, 2, 3, 2, 1, 2):
        await pool.survey(heads(a=100 - behind, b=100))
        seen.append(states(pool)[0])
    assert seen == ["healthy", "healthy", "lagging", "lagging", "healthy", "healthy"]
    assert states(pool)[1] == "healthy"


async def test_a_lagging_endpoint_is_asked_after_the_healthy_ones() -> None:
    a, b = Node(), Node()
    pool = make_pool(Time(), a, b)
    await pool.survey(heads(a=90, b=100))
    assert await pool.ask(yes) == "b"
    b.faults = [DOWN]
    assert await pool.ask(yes) == "a"


async def test_an_endpoint_that_has_not_spoken_for_long_does_not_lag() -> None:
    pool = make_pool(Time(), Node(), Node())
    await pool.survey(heads(a=100, b=100))
    pool.saw_head(pool.endpoints[0], 110)
    assert states(pool) == ["healthy", "healthy"]


async def test_the_head_of_a_liar_makes_nobody_lag() -> None:
    pool = make_pool(Time(), Node(), Node())
    pool.endpoints[1].health.head = 10**9
    pool.endpoints[1].health.failed(LIE, "lie", 0)
    pool.saw_head(pool.endpoints[0], 100)
    assert await pool.ask(yes) == "a"
    assert states(pool)[0] == "healthy"


async def survey_taking(*rounds: Sequence[float]) -> tuple[EndpointPool, list[Node]]:
    """Endpoints that took so many seconds each to tell their heads, survey by survey."""
    time = Time()
    nodes = [Node(time=time) for _ in rounds[0]]
    pool = make_pool(time, *nodes)

    async def head(node: Endpoint) -> int:
        await node.raw("head", [])
        return 5

    for seconds in rounds:
        for node, each in zip(nodes, seconds, strict=True):
            node.seconds = each
        await pool.survey(head)
    for node in nodes:
        node.seconds = 0.0
    return pool, nodes


@pytest.mark.parametrize(
    ("seconds", "state"),
    [
        ([1.0] * 3, "slow"),
        ([1.0] * 2, "healthy"),  # too few to tell
        ([0.9] * 5, "healthy"),  # nine times as long, and quick enough
        ([0.1, 9.0, 0.1, 0.1, 9.0], "healthy"),  # now and then
        ([0.1, 0.1, 2.0, 2.0, 2.0], "slow"),
        ([2.0, 2.0, 2.0, 0.6, 0.6, 0.6], "slow"),  # better, not good
        ([2.0, 2.0, 2.0, 0.4, 0.4, 0.4], "healthy"),
    ],
)
async def test_an_endpoint_that_usually_takes_much_longer_than_the_fastest_is_slow(
    seconds: Sequence[float], state: str
) -> None:
    pool, _ = await survey_taking(*((each, 0.1) for each in seconds))
    assert states(pool) == [state, "healthy"]


@pytest.mark.parametrize("seconds", [(3.0, 3.0), (3.0, 1.0), (8.0,)])
async def test_where_none_is_much_faster_nobody_is_slow(seconds: Sequence[float]) -> None:
    pool, _ = await survey_taking(*[seconds] * 5)
    assert set(states(pool)) == {"healthy"}


async def test_blocks_that_take_long_make_nobody_slow() -> None:
    """Who is asked for blocks has more to send than who only tells its head."""
    pool, [a, _] = await survey_taking((0.1, 0.1))
    a.seconds = 5.0
    await pool.ask(yes)
    await pool.survey(heads(a=5, b=5))
    assert states(pool) == ["healthy", "healthy"]


async def test_a_slow_endpoint_is_asked_after_the_quick_and_before_one_that_lags() -> None:
    pool, [a, b, c] = await survey_taking(*[(2.0, 0.1, 0.1)] * 3)
    pool.saw_head(pool.endpoints[2], 1)
    assert states(pool) == ["slow", "healthy", "lagging"]
    a.asked = b.asked = c.asked = 0
    assert await pool.ask(yes) == "b"
    b.faults = [DOWN]
    assert await pool.ask(yes) == "a"
    assert (a.asked, b.asked, c.asked) == (1, 2, 0)


OURS = BlockRef(7, Hash("ours"), Hash("below"), 0)


@pytest.mark.parametrize(
    ("said", "needed", "holders", "forked"),
    [
        ({"a": "x", "b": "ours", "c": "ours"}, 2, {"b", "c"}, ["a"]),
        ({"a": "x", "b": "ours", "c": None}, 2, {"b"}, []),
        ({"a": "x", "b": "ours", "c": "ours"}, 3, {"b", "c"}, []),
        ({"a": "x", "b": "ours"}, 1, {"b"}, []),
        ({"a": None, "b": "ours", "c": "ours"}, 2, {"b", "c"}, []),
    ],
)
async def test_who_alone_has_another_block_rests_and_is_then_asked_last(
    said: dict[str, Hash | None], needed: int, holders: set[str], forked: list[str]
) -> None:
    time = Time()
    pool = make_pool(time, Node(), Node(), Node())
    assert pool.side_with(said, OURS, needed) == holders
    assert [each.name for each in pool.reports() if each.state == "waiting"] == forked
    time.passed += 10
    assert await pool.ask(yes) == ("b" if forked else "a")


def hashes(**said: str | ChainError | None) -> Callable[[int, Endpoint], Awaitable[Hash | None]]:
    """What endpoints prove to have below our block; None: nothing."""

    async def own(number: int, node: Endpoint) -> Hash | None:
        assert number == OURS.number - 1
        await node.raw("ask", [])
        if isinstance(fault := said[node.name], ChainError):
            raise fault
        return fault and Hash(fault)

    return own


async def pool_with_a_liar(time: Time) -> tuple[EndpointPool, Node]:
    """The first of two lied; how often it is asked is counted from now on."""
    liar = Node(faults=[LIE])
    pool = make_pool(time, liar, Node())
    await pool.ask(yes)
    liar.asked = 0
    return pool, liar


async def test_who_is_on_parole_comes_first_again_when_it_has_the_block_that_others_have() -> None:
    time = Time()
    pool, liar = await pool_with_a_liar(time)
    time.passed = 299.9
    await pool.try_again(OURS, "b", hashes(a="below"))
    assert (liar.asked, states(pool)) == (0, ["quarantined", "healthy"])
    time.passed = 300
    await pool.try_again(OURS, "b", hashes(a="below"))
    assert states(pool) == ["healthy", "healthy"]
    assert await pool.ask(yes) == "a"
    await pool.try_again(OURS, "b", hashes())


@pytest.mark.parametrize(
    "said", [None, "another", DOWN, LIE, Missing("pruned")], ids=lambda each: str(each)
)
async def test_who_fails_a_trial_is_tried_once_in_a_longer_term(
    said: str | ChainError | None,
) -> None:
    time = Time()
    pool, liar = await pool_with_a_liar(time)
    times = []
    for minute in range(5, 200):
        time.passed, liar.asked = minute * 60, 0
        await pool.try_again(OURS, "b", hashes(a=said))
        times += [minute] * liar.asked
        assert states(pool)[0] == "quarantined"
    assert times == [5, 15, 35, 75, 135, 195]


async def test_nobody_is_tried_by_a_block_of_its_own() -> None:
    time = Time()
    pool, liar = await pool_with_a_liar(time)
    time.passed = 300
    await pool.try_again(OURS, "a", hashes(a="below"))
    assert (liar.asked, states(pool)) == (0, ["quarantined", "healthy"])


async def test_a_fork_shows_once_a_trial_failed_and_is_tried_by_newer_blocks_alone() -> None:
    time = Time()
    pool = make_pool(time, Node(), Node(), Node())
    at_six = BlockRef(6, Hash("below"), Hash("b5"), 0)
    pool.side_with({"a": Hash("x"), "b": at_six.hash, "c": at_six.hash}, at_six, 2)
    time.passed = 10
    await pool.try_again(at_six, "b", hashes())
    assert states(pool)[0] == "waiting"
    for passed in (10, 20, 30):  # also while it rests, and when it answers for the rest
        time.passed = passed
        await pool.try_again(OURS, "b", hashes(a="x"))
        await pool.survey(heads(a=9, b=7, c=7))
        assert states(pool) == ["forked", "healthy", "healthy"]
    assert report(pool).reason == "its block 6 is not the one that 2 others have"
    time.passed = 70
    await pool.try_again(OURS, "b", hashes(a="below"))
    assert (states(pool)[0], await pool.ask(yes)) == ("healthy", "a")


async def test_a_good_block_ends_no_fork() -> None:
    time = Time()
    pool = make_pool(time, Node(), Node(), Node())
    pool.side_with({"a": Hash("x"), "b": OURS.hash, "c": OURS.hash}, OURS, 2)
    time.passed = 10
    assert await pool.ask(yes, but={"b", "c"}) == "a"
    assert await pool.ask(yes) == "b"


async def test_a_spent_day_rests_until_midnight_and_then_counts_anew() -> None:
    time, a = Time(), Node()
    pool = make_pool(time, a, Node(), daily=3)
    assert [await pool.ask(yes) for _ in range(3)] == ["a", "a", "b"]  # one went for identity
    assert (states(pool)[0], report(pool).requests_today) == ("waiting", 3)
    assert pool.endpoints[0].health.wait_seconds == HALF_A_DAY
    time.passed = HALF_A_DAY
    assert await pool.ask(yes) == "a"
    assert report(pool).requests_today == 1


async def test_the_forecast_carries_the_day_on() -> None:
    time = Time()
    pool = make_pool(time, Node())
    for _ in range(9):
        await pool.ask(yes)
    time.passed = HALF_A_DAY / 2
    assert (report(pool).requests_today, report(pool).forecast_today) == (10, 20)


async def test_errors_are_forgotten_after_an_hour() -> None:
    time = Time()
    pool = make_pool(time, Node(faults=[DOWN]), Node())
    await pool.ask(yes)
    assert report(pool).errors_1h == 1
    time.passed = 3600
    assert report(pool).errors_1h == 0


async def test_latencies_are_reported_in_milliseconds() -> None:
    time = Time()
    spent = chain([0.0], repeat(0.004, 97), repeat(0.9, 3))  # the first is identity

    class Slow(Node):
        async def post(self, method: str, params: object) -> bytes | None:
            time.passed += next(spent)
            return await super().post(method, params)

    pool = make_pool(time, Slow())
    assert (report(pool).latency_p50_ms, report(pool).latency_p99_ms) == (None, None)
    for _ in range(100):
        await pool.ask(yes)
    assert (report(pool).latency_p50_ms, report(pool).latency_p99_ms) == (4, 900)


async def test_a_rate_limit_spreads_requests() -> None:
    pool = make_pool(Time(), Node(), rate=20)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await asyncio.gather(*(pool.ask(yes) for _ in range(23)))  # 24 with identity
    assert 0.15 <= loop.time() - began < 2


@pytest.mark.parametrize(
    ("answer", "kind"),
    [(b"7", ChainDataError), (b'{"no":1}', ChainDataError), (b'"cut', ChainUnavailable)],
)
async def test_a_result_of_another_shape_is_never_nothing(
    answer: bytes, kind: type[ChainError]
) -> None:
    (node,) = make_pool(Time(), Node(answer=answer)).endpoints
    with pytest.raises(ChainError) as error:
        await node.call("ask", [], str)
    assert type(error.value) is kind


async def test_null_is_none() -> None:
    (node,) = make_pool(Time(), Node(answer=None)).endpoints
    assert await node.call("ask", [], str) is None


async def test_each_asks_all_and_leaves_the_faulty_out() -> None:
    pool = make_pool(Time(), Node(), Node(faults=[DOWN]), Node())
    assert await pool.each(yes) == {"a": "a", "c": "c"}
    assert states(pool) == ["healthy", "waiting", "healthy"]


async def test_nobody_else_to_ask_is_said() -> None:
    pool = make_pool(Time(), Node())
    with pytest.raises(ChainUnavailable, match="no other endpoint"):
        await pool.ask(yes, but={"a"})


@dataclass
class Hung(Node):
    """Answers once it is let go."""

    came: asyncio.Event = field(default_factory=asyncio.Event)
    free: asyncio.Event = field(default_factory=asyncio.Event)

    async def post(self, method: str, params: object) -> bytes | None:
        answer = await super().post(method, params)
        if method == "ask":
            self.came.set()
            await self.free.wait()
        return answer


async def test_who_takes_too_long_is_not_waited_for_alone_and_not_to_blame() -> None:
    a, b, c = Hung(), Node(), Node()
    pool = make_pool(Time(), a, b, c, hedge=0.01)
    assert await pool.ask(yes) == "b"
    assert (a.asked, b.asked, c.asked) == (1, 1, 0)
    assert states(pool) == ["new", "healthy", "new"]
    assert report(pool).errors_1h == 0


async def test_who_answers_first_wins_even_when_the_next_was_asked_meanwhile() -> None:
    a, b = Hung(), Hung()
    pool = make_pool(Time(), a, b, hedge=0.01)
    asking = asyncio.create_task(pool.ask(yes))
    await b.came.wait()
    a.free.set()
    assert await asking == "a"
    assert states(pool) == ["healthy", "new"]


async def test_a_hedge_that_fails_does_not_end_the_waiting() -> None:
    a, b, c = Hung(), Node(faults=[LIE]), Hung()
    pool = make_pool(Time(), a, b, c, hedge=0.01)
    asking = asyncio.create_task(pool.ask(yes))
    await c.came.wait()
    a.free.set()
    assert await asking == "a"
    assert states(pool) == ["healthy", "quarantined", "new"]


async def test_without_a_hedge_one_is_asked_at_a_time() -> None:
    a, b = Hung(), Node()
    pool = make_pool(Time(), a, b)
    asking = asyncio.create_task(pool.ask(yes))
    await a.came.wait()
    await asyncio.sleep(0.03)
    assert (asking.done(), b.asked) == (False, 0)
    a.free.set()
    assert await asking == "a"


async def test_a_cancelled_hedge_leaves_nothing_on_its_way() -> None:
    a, b = Hung(), Hung()
    pool = make_pool(Time(), a, b, hedge=0.01)
    before = asyncio.all_tasks()
    asking = asyncio.create_task(pool.ask(yes))
    await b.came.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert asyncio.all_tasks() == before
    assert states(pool) == ["new", "new"]


BUSY = RateLimited("HTTP 429")


async def test_who_was_asked_too_often_is_asked_more_slowly_for_a_while() -> None:
    time, a = Time(), Node()
    pool = make_pool(time, a)
    pace = pool.endpoints[0].pace
    for _ in range(79):
        await pool.ask(yes)
        time.passed += 0.125
    a.faults = [BUSY]
    with pytest.raises(ChainUnavailable):
        await pool.ask(yes)
    seen = []
    for _ in range(3):
        seen.append(pace.lowered)
        time.passed += 60
    assert seen == [4, 8, None]


async def test_a_lowered_pace_spreads_requests_out() -> None:
    pool = make_pool(Time(), Node())
    [node] = pool.endpoints
    await asyncio.gather(*(node.raw("ask", []) for _ in range(40)))
    node.pace.refused(started=1)
    assert node.pace.lowered == 20
    loop = asyncio.get_running_loop()
    began = loop.time()
    await asyncio.gather(*(node.raw("ask", []) for _ in range(4)))
    assert 0.14 <= loop.time() - began < 2


async def test_refusals_of_requests_that_were_on_their_way_together_lower_the_pace_once() -> None:
    time = Time()
    pool = make_pool(time, Node())
    [node] = pool.endpoints
    for _ in range(40):
        await node.raw("ask", [])
    time.passed = 0.5
    for _ in range(8):
        node.pace.refused(started=0.25)
    assert node.pace.lowered == 20


async def test_the_pace_never_falls_below_what_following_takes() -> None:
    time, a = Time(), Node()
    pool = make_pool(time, a)
    for _ in range(5):
        a.faults = [BUSY]
        with pytest.raises(ChainUnavailable):
            await pool.ask(yes)
        time.passed += 59
    assert pool.endpoints[0].pace.lowered == 1


async def test_who_is_late_by_our_own_limit_is_not_at_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(endpoints, "EACH_SECONDS", 0.05)
    pool = make_pool(Time(), Node(), rate=1)
    assert await pool.each(yes) == {}  # the first request was for its identity
    assert (states(pool), report(pool).errors_1h) == (["new"], 0)
