"""The one clock: every time in the service is an aware UTC datetime that comes from here."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the present instant, aware, in UTC, to the microsecond."""
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """Write an aware instant as RFC 3339 in UTC with microseconds and a final Z."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"  # a third of strftime's time
