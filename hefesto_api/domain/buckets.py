"""Cutting a stretch of time into equal parts that people can read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from msgspec import Struct

MOST = 120
_EPOCH = datetime(1970, 1, 5, tzinfo=UTC)  # a Monday, so that weeks begin with one
WIDTHS = tuple(
    timedelta(seconds=one) for one in (60, 300, 900, 3600, 3 * 3600, 6 * 3600, 86400, 7 * 86400, 28 * 86400)
)


class Buckets(Struct, frozen=True):
    """`many` parts of `width` each, the first at `start`; they begin on round times (UTC)."""

    start: datetime
    width: timedelta
    many: int

    @property
    def end(self) -> datetime:
        """Where the last one ends."""
        return self.start + self.many * self.width

    def starts(self) -> list[datetime]:
        """Return where each one begins."""
        return [self.start + number * self.width for number in range(self.many)]


def over(start: datetime, end: datetime) -> Buckets:
    """Return the narrowest buckets over a stretch that are no more than `MOST`; its ends are within."""
    for width in WIDTHS:
        found = _cut(start, end, width)
        if found.many <= MOST:
            return found
    return _cut(start, end, -(-(end - start) // (MOST - 1) // WIDTHS[-1]) * WIDTHS[-1])


def _cut(start: datetime, end: datetime, width: timedelta) -> Buckets:
    begin = start - (start - _EPOCH) % width
    return Buckets(begin, width, (end - begin) // width + 1)
