"""What a measure usually is at a time of the week, and when it is something else: robust, and pure.

Values are compared as square roots, in which counts scatter alike whether they are large or small. A point is
what it is above the *level*: the median of the seven days before its own, so that every weekday is in it and
a slow drift is in the level, never in what is unusual. What remains is learned by hour of week where there
are enough weeks, else by hour of day, else not at all; medians and MADs do not mind the spikes in between.
"""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

HOUR_OF_WEEK, HOUR_OF_DAY, NONE = "hour_of_week", "hour_of_day", "none"
WEEKS = 3  # of a slot, from which on weekdays are told apart
DAYS = 7  # of an hour, before which nothing is said: both days of a weekend are among them
WINDOW = timedelta(days=35)  # what is learned from

NORMAL = 1.4826  # a MAD times this is the standard deviation of a normal distribution
COUNTING = 0.5  # the standard deviation of the square root of a count
RELATIVE = 0.02  # of the expected root: less scatter than that is chance

AT_ONCE = 6.5  # deviations that open an episode with one point
IN_A_ROW = 4.5  # deviations that open it with so many points
TO_OPEN = 2
CALM = 2.5  # deviations under which a point counts towards the end
TO_CLOSE = 3
_SEVERITIES = ((16.0, "CRITICAL"), (10.0, "HIGH"), (6.5, "MEDIUM"))


class Point(NamedTuple):
    """What was measured at a time."""

    at: datetime
    value: float


class Usual(Struct, frozen=True):
    """What is usual in a slot, in roots above the level; `low` and `high` were seen more than once."""

    middle: float
    spread: float
    low: float
    high: float


class Band(Struct, frozen=True):
    """What is expected at a time, and between which values nothing is unusual."""

    expected: float
    lower: float
    upper: float
    roots: tuple[float, float, float]  # the lowest and highest usual one, and the spread

    def score(self, value: float) -> float:
        """Return how many deviations a value lies above (or, negative, below) what is usual."""
        low, high, spread = self.roots
        root = _root(value)
        return (root - min(max(root, low), high)) / spread


class Baseline(Struct, frozen=True):
    """What was learned of a measure; slots are numbered by hour of the week from Monday, or of the day."""

    granularity: str = NONE
    points: int = 0
    days: int = 0
    level: float = 0.0
    slots: dict[int, Usual] = {}

    def band(self, at: datetime) -> Band | None:
        """Return what is expected at a time; None where too little is known."""
        usual = self.slots.get(_slot(at, self.granularity))
        if usual is None:
            return None
        middle = self.level + usual.middle
        spread = max(usual.spread, RELATIVE * abs(middle))
        low, high = self.level + usual.low, self.level + usual.high
        reach = IN_A_ROW * spread
        return Band(_square(middle), _square(low - reach), _square(high + reach), (low, high, spread))


class Episode(Struct, frozen=True):
    """A stretch in which a measure is not what it usually is; numbers are those of its worst point."""

    since: datetime
    value: float
    expected: float
    lower: float
    upper: float
    score: float

    @property
    def severity(self) -> str:
        """How far off it was at its worst."""
        return next((name for least, name in _SEVERITIES if abs(self.score) >= least), "LOW")


class State(Struct, frozen=True):
    """How far the watch over a measure is: the episode that is open, and what speaks for a change."""

    open: Episode | None = None
    strange: int = 0  # points in a row that are far off, while nothing is open
    direction: int = 0  # of them: 1 too high, -1 too low
    first: datetime | None = None  # of them
    calm: int = 0  # points in a row within what is usual, while an episode is open


def learn(points: Iterable[Point], now: datetime, *, least_spread: float = COUNTING) -> Baseline:
    """Learn what is usual from the points of the last weeks before today."""
    today = now.astimezone(UTC).date()
    first = today - WINDOW
    by_hour: defaultdict[tuple[date, int], list[float]] = defaultdict(list)
    count = 0
    for at, value in points:
        moment = at.astimezone(UTC)
        if first <= moment.date() < today and math.isfinite(value):
            by_hour[moment.date(), moment.hour].append(_root(value))
            count += 1
    days = sorted({day for day, _ in by_hour})
    if len(days) < DAYS:
        return Baseline(points=count, days=len(days))
    levels = _levels(by_hour, days, today)
    scatter = _scatter(by_hour)
    apart = {place: median(roots) - levels[place[0]] for place, roots in by_hour.items()}
    granularity, slots = _weekly(apart, scatter, least_spread)
    if not slots:
        granularity, slots = _daily(apart, scatter, least_spread)
    if not slots:
        return Baseline(points=count, days=len(days))
    return Baseline(granularity, count, len(days), levels[today], slots)


def follow(state: State, point: Point, band: Band) -> State:
    """Take in the next point: open an episode, go on with it, or end it."""
    score = band.score(point.value)
    seen = Episode(point.at, point.value, band.expected, band.lower, band.upper, score)
    if state.open is not None:
        return _within(state, state.open, seen)
    if abs(score) < IN_A_ROW:
        return State()
    direction = 1 if score > 0 else -1
    same = state.direction == direction
    strange = state.strange + 1 if same else 1
    first = state.first if same and state.first else point.at
    if abs(score) >= AT_ONCE or strange >= TO_OPEN:
        return State(open=replace(seen, since=first))
    return State(strange=strange, direction=direction, first=first)


def _within(state: State, episode: Episode, seen: Episode) -> State:
    calm = state.calm + 1 if abs(seen.score) < CALM else 0
    if calm >= TO_CLOSE:
        return State()
    if abs(seen.score) > abs(episode.score):
        episode = replace(seen, since=episode.since)
    return State(open=episode, calm=calm)


def _levels(
    by_hour: Mapping[tuple[date, int], Sequence[float]], days: Sequence[date], today: date
) -> dict[date, float]:
    """Return for each day, and today, the median of the seven days before it; the first has its own week."""
    hours: defaultdict[date, list[float]] = defaultdict(list)
    for (day, _), roots in by_hour.items():
        hours[day].append(median(roots))
    of_day = {day: median(roots) for day, roots in hours.items()}
    begin = median(of_day[day] for day in days[:DAYS])
    levels = {}
    for day in [*days, today]:
        before = [of_day[one] for one in (day - timedelta(days=n) for n in range(1, 8)) if one in of_day]
        levels[day] = _weeks_level(before) if len(before) >= DAYS - 1 else begin
    return levels


def _weeks_level(of_days: Sequence[float]) -> float:
    """Return the mean of a week's days without its highest and its lowest, which one bad day cannot move."""
    kept = sorted(of_days)[1:-1]
    return sum(kept) / len(kept)


def _scatter(by_hour: Mapping[tuple[date, int], Sequence[float]]) -> dict[int, float]:
    """Return by hour of the day how the points of one hour scatter about its median."""
    apart: defaultdict[int, list[float]] = defaultdict(list)
    for (_, hour), roots in by_hour.items():
        if len(roots) > 1:
            middle = median(roots)
            apart[hour] += [abs(root - middle) for root in roots]
    return {hour: NORMAL * median(found) for hour, found in apart.items()}


def _weekly(
    apart: Mapping[tuple[date, int], float], scatter: Mapping[int, float], least: float
) -> tuple[str, dict[int, Usual]]:
    """Learn by hour of week; nothing when an hour was not seen in enough weeks."""
    held: defaultdict[int, list[float]] = defaultdict(list)
    for (day, hour), value in apart.items():
        held[day.weekday() * 24 + hour].append(value)
    if len(held) < 7 * 24 or min(map(len, held.values())) < WEEKS:
        return NONE, {}
    middles = {slot: median(values) for slot, values in held.items()}
    # A slot has a value a week, too few for a deviation: the same hour of all days has seven times as many.
    off: defaultdict[int, list[float]] = defaultdict(list)
    for slot, values in held.items():
        off[slot % 24] += [abs(value - middles[slot]) for value in values]
    slots = {}
    for slot, middle in middles.items():
        many = len(held[slot])
        # The median of n is off by itself, and so little that it leaves a part of the scatter out.
        own = NORMAL * median(off[slot % 24]) * math.sqrt((many + math.pi / 2) / (many - 1))
        spread = max(math.hypot(own, scatter.get(slot % 24, 0.0)), least)
        slots[slot] = Usual(middle, spread, middle, middle)
    return HOUR_OF_WEEK, slots


def _daily(
    apart: Mapping[tuple[date, int], float], scatter: Mapping[int, float], least: float
) -> tuple[str, dict[int, Usual]]:
    """Learn by hour of day: what was seen on two days of a week, a weekend, is usual too."""
    held: defaultdict[int, list[float]] = defaultdict(list)
    for (_, hour), value in apart.items():
        held[hour].append(value)
    slots = {}
    for hour, values in held.items():
        if len(values) < DAYS:
            continue
        values.sort()
        rare = max(1, len(values) // 14)
        middle = median(values)
        off = NORMAL * median(abs(value - middle) for value in values)
        spread = max(math.hypot(off, scatter.get(hour, 0.0)), least)
        slots[hour] = Usual(middle, spread, values[rare], values[-rare - 1])
    return HOUR_OF_DAY, slots


def median(values: Iterable[float]) -> float:
    """Return the median of some values; importing the one of `statistics` would cost every start."""
    held = sorted(values)
    half = len(held) // 2
    return held[half] if len(held) % 2 else (held[half - 1] + held[half]) / 2


def _slot(at: datetime, granularity: str) -> int:
    moment = at.astimezone(UTC)
    return moment.hour + (moment.weekday() * 24 if granularity == HOUR_OF_WEEK else 0)


def _root(value: float) -> float:
    return math.copysign(math.sqrt(abs(value)), value)


def _square(root: float) -> float:
    """Return the value of a root; nothing that is measured here falls under 0."""
    return root * root if root > 0 else 0.0
