"""How long an alert must be quiet after a fix before its silence proves anything.

An alert that came n times while it was watched for a time T is, if nothing was changed, silent for another
time t with a chance of (T / (T + t)) ** n: the rate is not known, only estimated from what was seen, and the
fewer were seen the longer it takes. Troubles come in bursts and by the hour of the day, too; so silence
counts only from a day on, and beyond twice the longest silence that was no end.
"""

from __future__ import annotations

from datetime import timedelta

from msgspec import Struct

CHANCE = 0.01  # at which silence is taken for no accident
LEAST = timedelta(days=1)
GAPS = 2
_WATCHED = timedelta(hours=1)  # at least: a burst of seconds tells of no rate


class Silence(Struct, frozen=True):
    """What was seen of an alert until its fix, and how long it has been quiet since."""

    occurrences: int
    watched: timedelta
    longest_gap: timedelta
    quiet: timedelta

    @property
    def chance(self) -> float:
        """How probable such a silence is had nothing changed."""
        watched = max(self.watched, _WATCHED)
        return float((watched / (watched + max(self.quiet, timedelta(0)))) ** max(self.occurrences, 1))

    @property
    def needed(self) -> timedelta:
        """How long it must be quiet."""
        grown: float = CHANCE ** (-1 / max(self.occurrences, 1)) - 1
        return max(LEAST, GAPS * self.longest_gap, max(self.watched, _WATCHED) * grown)

    @property
    def is_proof(self) -> bool:
        """Whether it has been quiet for long enough."""
        return self.quiet >= self.needed
