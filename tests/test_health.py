"""What a follower tells of itself once a minute."""

from __future__ import annotations

from storage.samples import Sample
from tests.factories import make_ref
from watcher.health import Health


def test_a_follower_tells_once_a_minute_where_it_stands() -> None:
    health = Health()
    health.connected(make_ref(5, timestamp=100), 1)
    health.head = 8
    assert health.sample(125) == Sample(120, lag_blocks=3, age_seconds=25)
    assert health.sample(179) is None
    assert health.sample(180) == Sample(180, lag_blocks=3, age_seconds=80)


def test_a_follower_without_a_block_yet_says_that_it_does_not_know() -> None:
    assert Health().sample(60) == Sample(60, None, None)


def test_a_chain_whose_clock_is_ahead_of_ours_is_not_behind() -> None:
    health = Health()
    health.connected(make_ref(5, timestamp=100), 1)
    assert health.sample(90) == Sample(60, lag_blocks=0, age_seconds=0)
