"""What is unusual is told once, and what comes every day, every week or slowly is not."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec
import pytest
from hefesto_api.domain import baseline
from hefesto_api.domain.baseline import Baseline, Point, State

if TYPE_CHECKING:
    from collections.abc import Callable

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)


def series(days: float, value: Callable[[float], float], *, seed: int = 1) -> list[Point]:
    """Hourly points of a shape by days since Monday, scattered as counts are."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    points = []
    for hour in range(round(days * 24)):
        mean = value(hour / 24)
        points.append(Point(MONDAY + hour * HOUR, max(chance.gauss(mean, math.sqrt(mean)), 0)))
    return points


def week(days: float) -> float:
    """A day's shape, and calm weekends."""
    return 100 * (1 + 0.6 * math.sin(2 * math.pi * days)) * (0.3 if int(days) % 7 >= 5 else 1)


def followed(points: list[Point]) -> list[State]:
    """The states after each point, learned anew every midnight."""
    known, state, states = Baseline(), State(), []
    for number, point in enumerate(points):
        if point.at.hour == 0:
            known = baseline.learn(points[:number], point.at)
        if (band := known.band(point.at)) is not None:
            state = baseline.follow(state, point, band)
        states.append(state)
    return states


def opened(states: list[State]) -> int:
    """How many episodes were opened."""
    return sum(now.open is not None and before.open is None for before, now in pairwise(states))


@pytest.mark.parametrize(
    ("days", "granularity"),
    [(0, "none"), (6, "none"), (7, "hour_of_day"), (20, "hour_of_day"), (21, "hour_of_week")],
)
def test_it_is_learned_as_finely_as_there_is_enough_to_learn_from(days: int, granularity: str) -> None:
    learned = baseline.learn(series(days, week), MONDAY + timedelta(days=days))
    assert (learned.granularity, learned.days) == (granularity, days)
    assert (learned.band(MONDAY) is None) == (granularity == "none")


def test_the_day_at_hand_is_not_learned_from() -> None:
    points = series(21, week)
    noon = MONDAY + timedelta(days=21, hours=12)
    wild = [Point(noon - n * HOUR, 1e6) for n in range(12)]
    assert baseline.learn(points + wild, noon) == baseline.learn(points, noon)


@pytest.mark.parametrize("growth", [0.98, 1.0, 1.02])
def test_seasons_and_drift_are_usual(growth: float) -> None:
    assert opened(followed(series(42, lambda days: week(days) * growth**days))) == 0


def test_a_spike_is_one_episode_told_at_once_and_over_when_it_is_calm() -> None:
    points = series(30, week)
    begin = 28 * 24 + 6
    for number in range(begin, begin + 5):
        points[number] = Point(points[number].at, points[number].value * 5)
    states = followed(points)
    assert opened(states) == 1
    episode = states[begin].open
    assert episode is not None
    assert episode.since == points[begin].at
    assert episode.lower < episode.expected < episode.upper < episode.value
    assert (episode.score > 10, episode.severity) == (True, "CRITICAL")
    worst = states[begin + 4].open
    assert worst is not None
    assert worst.value == max(point.value for point in points[begin : begin + 5] if point.value)
    assert states[begin + 4 + baseline.TO_CLOSE - 1].open is not None
    assert states[begin + 4 + baseline.TO_CLOSE].open is None


def test_what_stays_silent_is_too_low() -> None:
    points = series(30, lambda days: 100)
    for number in range(28 * 24, 28 * 24 + 4):
        points[number] = Point(points[number].at, 0)
    episode = followed(points)[28 * 24].open
    assert episode is not None
    assert episode.score < 0
    assert episode.value == 0


def test_a_value_to_and_fro_within_an_episode_does_not_end_it() -> None:
    points = series(30, lambda days: 100)
    begin = 28 * 24
    for number in range(begin, begin + 12):
        points[number] = Point(points[number].at, 400 if number % 3 == 0 else 100)
    assert opened(followed(points)) == 1


def test_a_lasting_step_is_one_episode() -> None:
    assert opened(followed(series(45, lambda days: 100 if days < 25 else 300))) == 1


def test_former_spikes_do_not_make_the_next_usual() -> None:
    points = series(29, week)
    for day in (3, 9, 14, 20):
        for hour in range(6):
            points[day * 24 + hour] = Point(points[day * 24 + hour].at, 5000)
    points[28 * 24 + 3] = Point(points[28 * 24 + 3].at, 900)
    assert followed(points)[28 * 24 + 3].open is not None


def test_holes_and_values_that_are_none_do_no_harm() -> None:
    points = [point for point in series(28, week) if point.at.hour != 5]
    points.append(Point(points[-1].at, math.nan))
    learned = baseline.learn(points, MONDAY + timedelta(days=28))
    assert learned.granularity == "hour_of_day"
    assert learned.band(MONDAY + 5 * HOUR) is None
    assert learned.band(MONDAY + 6 * HOUR) is not None


def test_all_the_same_has_a_band_nevertheless() -> None:
    points = [Point(MONDAY + n * HOUR, 0.0) for n in range(24 * 21)]
    band = baseline.learn(points, MONDAY + timedelta(days=21)).band(MONDAY)
    assert band is not None
    assert (band.expected, band.lower) == (0, 0)
    assert 0 < band.upper < 10
    assert (band.score(0), band.score(1)) == (0, 2)


def test_what_is_known_goes_through_json() -> None:
    learned = baseline.learn(series(21, week), MONDAY + timedelta(days=21))
    assert msgspec.json.decode(msgspec.json.encode(learned), type=Baseline) == learned
    state = State(strange=1, direction=-1, first=MONDAY)
    assert msgspec.json.decode(msgspec.json.encode(state), type=State) == state
