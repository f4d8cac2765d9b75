"""Charts: what is drawn where, and that nothing is drawn where nothing is known."""

from __future__ import annotations

import pytest

from watcher.web.dashboard.charts import HEIGHT, SLOTS, WIDTH, draw_bars, draw_curve
from watcher.web.dashboard.words import duration, moment

DAY = 86_400


def test_a_curve_goes_from_the_left_to_the_right_and_from_zero_to_the_greatest() -> None:
    curve = draw_curve([(0, 0), (50, 10), (100, 5)], 0, 100, gap_seconds=60)
    assert curve.lines == [f"0,{HEIGHT} {WIDTH // 2},0 {WIDTH},{HEIGHT // 2}"]
    assert (curve.top, curve.last) == (10, 5)


def test_where_nothing_is_known_nothing_is_drawn() -> None:
    curve = draw_curve([(0, 1), (60, 1), (600, 1), (660, None)], 0, 1200, gap_seconds=150)
    assert len(curve.lines) == 2
    assert curve.last is None
    assert draw_curve([], 0, DAY, 150).lines == []


def test_the_worst_of_a_time_is_never_smoothed_away() -> None:
    points = [(at, 3600 if at == 43_260 else 1) for at in range(0, DAY, 60)]
    curve = draw_curve(points, 0, DAY, 150)
    assert curve.top == 3600
    assert sum(point.endswith(",0") for point in curve.lines[0].split()) == 1
    assert len(curve.lines[0].split()) <= SLOTS + 1


def test_what_was_before_is_left_out() -> None:
    assert draw_curve([(0, 9), (100, 1)], 50, 100, 60).top == 1


def test_parts_of_a_bar_stand_on_each_other() -> None:
    drawn = draw_bars([("a", {"x": 1, "y": 3}), ("b", {"y": 2})], ["x", "y"], gap=0)
    assert drawn.top == 4
    assert [(bar.series, bar.x, bar.y, bar.height) for bar in drawn.bars] == [
        (0, 0, 90, 30),
        (1, 0, 0, 90),
        (1, WIDTH // 2, 60, 60),
    ]
    assert drawn.bars[1].label == "a, y: 3"


def test_one_of_very_many_still_shows() -> None:
    drawn = draw_bars([("a", {"x": 1}), ("b", {"x": 10**6})], ["x"])
    assert [bar.height for bar in drawn.bars] == [1, HEIGHT]
    assert all(0 <= bar.y < HEIGHT for bar in drawn.bars)


def test_nothing_at_all_is_no_bar() -> None:
    assert draw_bars([("a", {}), ("b", {"x": 0})], ["x"]).bars == []


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7199, "119 min"),
        (7200, "2 h"),
        (172_800, "2 d"),
        (None, "unknown"),
    ],
)
def test_a_duration_is_told_in_a_unit_that_fits(seconds: int | None, words: str) -> None:
    assert duration(seconds) == words


def test_a_moment_is_told_to_the_second_and_in_utc() -> None:
    assert moment("2026-11-22T05:03:09Z") == "2026-11-22 05:03:09 UTC"
