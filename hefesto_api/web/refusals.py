"""Refusals on their way to the audit log, bounded.

The first ones of a kind (who, from where, what) are entries of their own; those that follow within the same
minute are counted, and told by one entry when it is over. Of entries of their own there are only so many in
a time: beyond that all are counted together, for strangers and for those who are known apart, so that the
former cannot hide the latter.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from msgspec import structs

from hefesto_api.domain import audit, clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WINDOW = 60.0  # seconds in which refusals of a kind are counted together
FIRST = 10  # of a kind, in a window, are written one by one
BURST = 1000.0  # that are written one by one, of all kinds
PER_SECOND = 1.0  # that are, when the burst is used up
MOST_NAMED = 20  # of the resources that were counted


class Refusals:
    """What was refused lately; threads may share it. `seconds` is a clock that never goes back."""

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._windows: OrderedDict[tuple[Any, ...], _Window] = OrderedDict()
        self._left = {True: BURST, False: BURST}
        self._filled_at = seconds()

    def add(self, kind: tuple[Any, ...], note: audit.Note, actor: audit.Actor) -> None:
        """Note a refusal for the act at hand, or count it."""
        now = self._seconds()
        with self._lock:
            is_known = bool(actor.credential)
            window = self._window(kind, note, actor, now)
            if window.written < FIRST and self._may_write(is_known, now):
                window.written += 1
                written = True
            else:
                if window.written == 0:  # a kind of which there is nothing: together with others
                    del self._windows[kind]
                    window = self._together(is_known, note, now)
                window.count(note)
                written = False
        if written:
            audit.note(
                note.action, note.resource_type, note.resource_id, note.changes,
                project=note.project, outcome=note.outcome, actor=actor,
            )  # fmt: skip

    def is_due(self) -> bool:
        """Tell whether a window is over."""
        with self._lock:
            first = next(iter(self._windows.values()), None)
        return first is not None and self._seconds() >= first.ends

    def tell(self, *, everything: bool = False) -> None:
        """Note what was counted in the windows that are over, or in all of them."""
        for window in self._ended(everything=everything):
            note = window.told()
            audit.note(
                note.action, note.resource_type, note.resource_id, note.changes,
                project=note.project, outcome=note.outcome, actor=note.actor,
            )  # fmt: skip

    def _ended(self, *, everything: bool) -> list[_Window]:
        now = self._seconds()
        with self._lock:
            return [window for window in self._taken(now, everything) if window.counted]

    def _taken(self, now: float, everything: bool) -> Iterator[_Window]:
        while self._windows:
            kind, window = next(iter(self._windows.items()))
            if not everything and now < window.ends:
                return
            del self._windows[kind]
            yield window

    def _window(self, kind: tuple[Any, ...], note: audit.Note, actor: audit.Actor, now: float) -> _Window:
        window = self._windows.get(kind)
        if window is None:
            window = self._windows[kind] = _Window(note, actor, now + WINDOW)
        return window

    def _together(self, is_known: bool, note: audit.Note, now: float) -> _Window:
        who = "many callers" if is_known else "many strangers"
        several = audit.Note(note.action, "several", None, {}, outcome=note.outcome)
        return self._window((who,), several, audit.Actor(who, who), now)

    def _may_write(self, is_known: bool, now: float) -> bool:
        gained = (now - self._filled_at) * PER_SECOND
        self._filled_at = now
        self._left = {who: min(left + gained, BURST) for who, left in self._left.items()}
        if self._left[is_known] < 1:
            return False
        self._left[is_known] -= 1
        return True


class _Window:
    """A minute of refusals of one kind."""

    __slots__ = ("actor", "counted", "ends", "first", "last_at", "named", "note", "written")

    def __init__(self, note: audit.Note, actor: audit.Actor, ends: float) -> None:
        self.note = note
        self.actor = structs.replace(actor, request_id=None)
        self.ends = ends
        self.written = self.counted = 0
        self.named: dict[str, None] = {}
        self.first = self.last_at = clock.now()

    def count(self, note: audit.Note) -> None:
        """Count one more."""
        if not self.counted:
            self.first = clock.now()
        self.counted += 1
        self.last_at = clock.now()
        if note.resource_id is not None and len(self.named) < MOST_NAMED:
            self.named[note.resource_id] = None

    def told(self) -> audit.Note:
        """Return the note of those that were counted."""
        changes = {
            **{name: value for name, value in self.note.changes.items() if name != "path"},
            "count": self.counted,
            "from": clock.rfc3339(self.first),
            "to": clock.rfc3339(self.last_at),
            "resource_ids": list(self.named),
        }
        return structs.replace(self.note, resource_id=None, changes=changes, actor=self.actor)
