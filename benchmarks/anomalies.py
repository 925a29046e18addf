"""How well unusual measures are told from usual ones, on series in which it is known.

`python -m benchmarks.anomalies` makes series with seasons of the day and the week, drift, bursts of noise and
episodes at known places, follows them as the worker does (learned anew every day, from what lies before), and
ends non-zero when precision or recall are under 0.9 or clean series have an alarm. `--quick`: fewer series.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from hefesto_api.domain import baseline
from hefesto_api.domain.baseline import Point, State

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
LEAST = 0.9
CLEAN_DAYS = 14


class Kind(NamedTuple):
    """How a series behaves that nothing happens to."""

    name: str
    value: Callable[[random.Random, float], float]  # by days since the start
    step: timedelta = timedelta(hours=1)


class Made(NamedTuple):
    """A series, and the episodes that were put into it."""

    points: list[Point]
    episodes: list[tuple[datetime, datetime]]


class Found(NamedTuple):
    """What was told of a series."""

    right: int
    wrong: int
    missed: int
    repeated: int


def _day(days: float, depth: float) -> float:
    return 1 + depth * math.sin(2 * math.pi * (days - 0.3))


def _week(days: float) -> float:
    return 0.35 if int(days) % 7 >= 5 else 1.0


def _poisson(chance: random.Random, mean: float) -> float:
    if mean > 50:
        return max(round(chance.gauss(mean, math.sqrt(mean))), 0)
    limit, drawn, count = math.exp(-mean), chance.random(), 0
    while drawn > limit:
        drawn *= chance.random()
        count += 1
    return count


FIVE = timedelta(minutes=5)
KINDS = (
    Kind("flat counts", lambda chance, days: _poisson(chance, 20)),
    Kind("few counts", lambda chance, days: _poisson(chance, 0.4)),
    Kind("seasons", lambda chance, days: _poisson(chance, 200 * _day(days, 0.6) * _week(days))),
    Kind("drift up", lambda chance, days: _poisson(chance, 100 * 1.012**days * _day(days, 0.4))),
    Kind("drift down", lambda chance, days: _poisson(chance, 300 * 0.985**days * _week(days))),
    Kind("latency", lambda chance, days: 40 * _day(days, 0.3) * math.exp(chance.gauss(0, 0.12))),
    Kind("heavy tail", lambda chance, days: 40 * _week(days) * math.exp(0.08 * _student(chance))),
    Kind("five minutes", lambda chance, days: _poisson(chance, 60 * _day(days, 0.7) * _week(days)), FIVE),
)


def _student(chance: random.Random) -> float:
    """Draw from Student's t with six degrees of freedom: outliers that mean nothing."""
    return chance.gauss(0, 1) / math.sqrt(chance.gammavariate(3, 1) / 3)


def make(kind: Kind, chance: random.Random, days: int, episodes: int) -> Made:
    """Make a series, with episodes of one to nine hours behind its ninth day, two days or more apart."""
    begins = sorted(chance.sample(range(9, days - 1, 3), episodes))
    known = []
    for day in begins:
        start = START + timedelta(days=day, hours=chance.randrange(15))
        known.append((start, start + timedelta(hours=chance.randrange(1, 10)), chance.uniform(2, 5)))
    points, at = [], START
    while at < START + timedelta(days=days):
        value = kind.value(chance, (at - START) / timedelta(days=1))
        for start, end, times in known:
            if start <= at < end:
                value = value * times + 4 * times  # what is nearly nothing does not rise by a factor alone
        points.append(Point(at, value))
        at += kind.step
    return Made(points, [(start, end) for start, end, _ in known])


def follow(points: Sequence[Point]) -> list[tuple[datetime, datetime]]:
    """Follow a series as the worker does; return when its anomalies began and were over."""
    told: list[tuple[datetime, datetime]] = []
    known, state, learned = baseline.Baseline(), State(), points[0].at.date()
    for number, point in enumerate(points):
        if point.at.date() != learned:
            learned, known = point.at.date(), baseline.learn(points[:number], point.at)
        band = known.band(point.at)
        if band is None:
            continue
        before, state = state, baseline.follow(state, point, band)
        if state.open is not None and before.open is None:
            told.append((state.open.since, point.at))
        elif before.open is not None:
            told[-1] = (told[-1][0], point.at)
    return told


def judge(made: Made) -> Found:
    """Compare what was told with what was put in."""
    told = follow(made.points)
    hits = [sum(start <= begun < end for begun, _ in told) for start, end in made.episodes]
    right = sum(map(bool, hits))
    repeated = sum(hits) - right
    return Found(right, len(told) - sum(hits), len(hits) - right, repeated)


def main() -> int:
    """Print the figures of each kind; 1 when one is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer series")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    many = 3 if asked.quick else 20
    total, false_alarms = Found(0, 0, 0, 0), 0
    print(f"{'series':<14}{'right':>7}{'wrong':>7}{'missed':>7}{'repeated':>9}{'clean alarms':>14}")
    for kind in KINDS:
        chance = random.Random(f"{asked.seed} {kind.name}")  # noqa: S311 - no secret
        runs = max(many // 5, 1) if kind.step < timedelta(hours=1) else many
        found = [judge(make(kind, chance, 45, 8)) for _ in range(runs)]
        clean = sum(len(follow(make(kind, chance, days, 0).points)) for days in [CLEAN_DAYS] * runs + [45])
        one = Found(*map(sum, zip(*found, strict=True)))
        total = Found(*(a + b for a, b in zip(total, one, strict=True)))
        false_alarms += clean
        print(f"{kind.name:<14}{one.right:>7}{one.wrong:>7}{one.missed:>7}{one.repeated:>9}{clean:>14}")
    precision = total.right / max(total.right + total.wrong + total.repeated, 1)
    recall = total.right / max(total.right + total.missed, 1)
    failed = precision < LEAST or recall < LEAST or false_alarms > 0
    print(f"precision {precision:.3f}, recall {recall:.3f}, alarms in clean series {false_alarms}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
