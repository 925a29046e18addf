"""Telling the audit log who does what: the one who acts, and notes of what is changed.

Whoever opens a door (a request, a command) says `with acting(...)`. A service notes what it changes within
its transaction:

    with db.write() as session:
        ...
        audit.note("project.updated", "project", slug, audit.changed(before, after), project=slug)

The notes are written by that transaction (`storage.audit`) or the change is not made. A change of a request
that nobody notes is told by what its door knows of it. Secrets do not belong into notes.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

SUCCESS, REFUSED, FAILED = "success", "refused", "failed"
OUTCOMES = (SUCCESS, REFUSED, FAILED)


class Actor(Struct, frozen=True):
    """Who acts, through what: `credential` names the key, session or client that was shown.

    `request_id` is also in the answer and in the log; a command makes one for all that it does.
    """

    user_id: str
    user_name: str = ""
    credential: str = ""
    ip_address: str | None = None
    user_agent: str | None = None
    request_id: str | None = None


SYSTEM = Actor("system", "system")
"""Who acts when nobody asked for it: a schedule, or work that follows from something audited before."""


class Note(Struct, frozen=True):
    """One thing that was done (`noun.past_participle`), refused or tried in vain, to one resource.

    `changes` are `{field: {"from": ..., "to": ...}}`, or what else tells of it; `project` is a slug.
    `actor` is who did it, when that is not who acts: the user whom a login makes of a stranger.
    """

    action: str
    resource_type: str
    resource_id: str | None = None
    changes: Mapping[str, Any] = {}
    project: str | None = None
    outcome: str = SUCCESS
    actor: Actor | None = None


class Act:
    """What somebody does through one door: a request, or a command.

    `who` is asked when something is written: by then a request's credentials have been examined.
    `otherwise` makes the note of a change that no service noted. `told` is whether this act stands in the
    log already.
    """

    __slots__ = ("notes", "otherwise", "told", "who")

    def __init__(self, who: Callable[[], Actor], otherwise: Callable[[], Note] | None = None) -> None:
        self.who = who
        self.otherwise = otherwise
        self.notes: list[Note] = []
        self.told = False


_act: ContextVar[Act | None] = ContextVar("act", default=None)


def note(
    action: str,
    resource_type: str,
    resource_id: str | None = None,
    changes: Mapping[str, Any] | None = None,
    *,
    project: str | None = None,
    outcome: str = SUCCESS,
    actor: Actor | None = None,
) -> None:
    """Note what the open transaction does; outside of one, what the act at hand has done.

    What is noted outside is written with the act's next transaction, at the latest when the act ends: for
    what changes nothing, such as a failed login. Raises RuntimeError when neither is at hand.
    """
    act = _act.get()
    if act is None:
        raise RuntimeError(f"{action} was noted outside of a transaction, by nobody")
    act.notes.append(Note(action, resource_type, resource_id, changes or {}, project, outcome, actor))


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return `{field: {"from", "to"}}` for the fields of `after` that `before` has otherwise."""
    return {
        name: {"from": before.get(name), "to": value}
        for name, value in after.items()
        if before.get(name) != value
    }


def current() -> Act | None:
    """Return what is being done in this context."""
    return _act.get()


def actor() -> Actor:
    """Return who acts in this context."""
    act = _act.get()
    return SYSTEM if act is None else act.who()


def begin(act: Act | None) -> None:
    """Have everything from here on be part of an act; None: of none."""
    _act.set(act)


@contextmanager
def acting(actor: Actor, otherwise: Callable[[], Note] | None = None) -> Iterator[Act]:
    """Have everything within be what somebody does; acts do not nest."""
    act = Act(lambda: actor, otherwise)
    token = _act.set(act)
    try:
        yield act
    finally:
        _act.reset(token)


@contextmanager
def transaction() -> Iterator[Act]:
    """Gather the notes of one transaction; those made within are dropped when it fails.

    Without an act at hand the system acts.
    """
    act = _act.get()
    if act is None:
        with acting(SYSTEM) as act:
            yield act
        return
    before = len(act.notes)
    try:
        yield act
    except BaseException:
        del act.notes[before:]
        raise
