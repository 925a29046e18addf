"""The thread that reads for the live feed: events of the outbox, who still stands, what newcomers are told.

It alone moves the place in the outbox, and leaves word at the hub in order: a newcomer misses nothing between
what he is told first and what comes then.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol

from hefesto_api.adapters import logs
from hefesto_api.domain.errors import HefestoError
from hefesto_api.storage import outbox, projects
from hefesto_api.web import tickets
from hefesto_api.web.errors import AuthenticationRequired, InvalidSignature
from hefesto_api.web.live import admission, channels
from hefesto_api.web.live.messages import (
    HEARTBEAT,
    METRICS,
    PROGRESS,
    SCOPE,
    SNAPSHOT,
    Audience,
    Message,
    of_event,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from hefesto_api.domain.access import Principal
    from hefesto_api.runtime import Runtime
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.outbox import Event
    from hefesto_api.storage.tickets import Holder
    from hefesto_api.web.authentication import Bearer
    from hefesto_api.web.live.channels import Channel
    from hefesto_api.web.live.hub import Hub

SQLITE_SECONDS, POSTGRESQL_SECONDS, WOKEN_SECONDS = 0.01, 0.1, 1.0
"""How often to look: a pragma is nearly free, a query is not, and who is woken looks just to be sure."""
MOST_MISSED = 300
"""Events that one who comes back is told one by one; who missed more gets a fresh snapshot."""
_BATCH = 500
_AGAIN_SECONDS = 1.0
_FAILED_SECONDS = 1.0


class Sight(Protocol):
    """What the feed tells of besides events: a feature knows how to read it."""

    def snapshot(self, session: Session, audience: Audience) -> dict[str, Any]:
        """Return how things stand, as far as the audience may know."""

    def metrics(self, session: Session, project_id: str) -> dict[str, Any]:
        """Return the numbers of a project that events move."""

    def running(self, session: Session) -> list[tuple[str | None, dict[str, Any]]]:
        """Return the analyses that run, each with the id of its project."""


class Feed:
    """Reads for a hub; `look` is one round, which `start` has made again and again by a thread."""

    def __init__(
        self,
        held: Runtime,
        kinds: Mapping[str, Bearer],
        hub: Hub,
        sight: Sight,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._held = held
        self._kinds = kinds
        self._hub = hub
        self._sight = sight
        self._seconds = seconds
        self._asked: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._bell = threading.Event()
        self._stopped = False
        self._thread: threading.Thread | None = None
        self.woken = False
        """Whether somebody rings for each event."""
        self._seq: int | None = None  # None while nobody listens
        self._version = ""
        self._again_at = 0.0
        self._again_version = ""
        self._all_again_at = 0.0
        self._slugs: dict[str, str] = {}
        self._moved: dict[str, set[str]] = defaultdict(set)
        self._progress: dict[str, dict[str, Any]] = {}
        self._snapshots: dict[Audience, tuple[int, float, Message]] = {}
        self._standing: dict[Channel, None] = {}

    def start(self) -> None:
        """Begin to look, in a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="live-feed", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread; the database is about to be closed."""
        self._stopped = True
        self._bell.set()
        if self._thread is not None:
            self._thread.join(5)

    def ring(self) -> None:
        """Have the thread look at once."""
        self._bell.set()

    def ask_in(self, channel: Channel, token: str) -> None:
        """Find out whose a credential is that came over a connection, and let it in."""
        self._asked.put(partial(self._introduce, channel, token))
        self._bell.set()

    def welcome(self, channel: Channel) -> None:
        """Tell one who may listen what he missed, or how things stand."""
        self._asked.put(partial(self._welcome, channel))
        self._bell.set()

    def left(self, channel: Channel) -> None:
        """Take note that a connection is gone."""
        self._asked.put(partial(self._standing.pop, channel, None))

    def look(self) -> None:
        """Make one round: what is new in the outbox, who waits for an answer, who still stands."""
        self._read_on()
        self._answer()
        if self._seconds() >= self._again_at:
            self._again_at = self._seconds() + _AGAIN_SECONDS
            self._tell_numbers()
            self._ask_again()
        if not self._standing:
            self._rest()

    def _run(self) -> None:
        while not self._stopped:
            try:
                self.look()
                pause = self._pause()
            except Exception as error:  # the database may be back in a moment
                if not self._stopped:
                    logs.of("live").warning("feed_failed", exc_info=error)
                pause = _FAILED_SECONDS
            self._bell.wait(pause)
            self._bell.clear()

    def _pause(self) -> float | None:
        if not self._standing:
            return None
        if self.woken:
            return WOKEN_SECONDS
        return SQLITE_SECONDS if self._held.db.is_sqlite else POSTGRESQL_SECONDS

    def _rest(self) -> None:
        """Forget everything: nobody listens."""
        self._seq = None
        self._version = ""
        for kept in (self._snapshots, self._moved, self._progress, self._slugs):
            kept.clear()

    def _answer(self) -> None:
        while True:
            try:
                self._asked.get_nowait()()
            except Empty:
                return

    # The outbox

    def _read_on(self) -> None:
        """Say what was written since."""
        if self._seq is None or not self._has_changed():
            return
        while True:
            with self._held.db.read() as session:
                events = outbox.after(session, self._seq, limit=_BATCH)
                said = self._said(session, events)
            if events:
                self._seq = events[-1].seq
                self._snapshots.clear()
            if said:
                self._hub.post(partial(self._hub.publish, said))
            if len(events) < _BATCH:
                return

    def _has_changed(self) -> bool:
        """Tell whether anything was committed since: free on SQLite, on PostgreSQL asking is as dear."""
        if not self._held.db.is_sqlite:
            return True
        version = self._held.db.data_version()
        changed = version != self._version
        self._version = version
        return changed

    def _said(self, session: Session, events: Iterable[Event]) -> list[Message]:
        said = []
        for event in events:
            if event.project_id is not None:
                self._moved[event.project_id].add(event.type)
            message = of_event(event, self._slug(session, event.project_id))
            if message is not None:
                said.append(message)
        return said

    def _slug(self, session: Session, project_id: str | None) -> str | None:
        if project_id is None:
            return None
        if project_id not in self._slugs:
            found = projects.slugs(session, [project_id]).get(project_id)
            if found is None:
                return None  # it was deleted: only who sees everything hears of it
            self._slugs[project_id] = found
        return self._slugs[project_id]

    def _tell_numbers(self) -> None:
        """Say, once a second at most, what events made of the numbers, and how far analyses are."""
        if self._seq is None:
            return
        said = []
        moved, self._moved = self._moved, defaultdict(set)
        with self._held.db.read() as session:
            for project_id, causes in moved.items():
                slug = self._slug(session, project_id)
                if slug is not None:
                    numbers = self._sight.metrics(session, project_id)
                    data = {"project": slug, **numbers, "caused_by": sorted(causes)}
                    said.append(Message(METRICS, data, project=slug))
            said += self._progressed(session)
        if said:
            self._hub.post(partial(self._hub.publish, said))

    def _progressed(self, session: Session) -> list[Message]:
        said, before, self._progress = [], self._progress, {}
        for project_id, data in self._sight.running(session):
            name = data["analysis_id"]
            self._progress[name] = data
            if before.get(name) != data:
                slug = self._slug(session, project_id)
                told = {**data, "event": "analysis.running", "project": slug}
                said.append(Message(PROGRESS, told, scope="read:analysis", project=slug))
        return said

    # Newcomers

    def _introduce(self, channel: Channel, token: str) -> None:
        try:
            holder, principal = admission.holder_of(self._held, self._kinds, token)
        except (AuthenticationRequired, InvalidSignature) as error:
            self._dismiss(channel, channels.UNAUTHENTICATED, error.message)
            return
        except HefestoError as error:
            logs.of("live").warning("feed_failed", exc_info=error)
            self._dismiss(channel, channels.TRY_LATER, "The service cannot tell who this is just now.")
            return
        if not principal.has(SCOPE):
            self._dismiss(channel, channels.FORBIDDEN, f"This needs the scope {SCOPE}.")
            return
        channel.holder, channel.audience = holder, Audience(principal, channel.project)
        self._hub.post(partial(self._hub.count, channel, caller(principal)))
        self._welcome(channel)

    def _welcome(self, channel: Channel) -> None:
        if channel.gone or channel.audience is None:
            return
        self._standing[channel] = None
        if self._seq is None:
            with self._held.db.read() as session:
                self._seq = outbox.last(session)
        try:
            first = self._missed(channel.audience, channel.after)
            if first is None:
                messages = [self._snapshot(channel.audience)]
            else:
                messages = [*first, Message(HEARTBEAT, {})]  # which tells that this was all
        except HefestoError as error:
            logs.of("live").warning("feed_failed", exc_info=error)
            self._dismiss(channel, channels.TRY_LATER, "The service cannot read how things stand just now.")
            return
        self._hub.post(partial(self._hub.join, channel, messages))

    def _missed(self, audience: Audience, after: int | None) -> list[Message] | None:
        """Return what somebody missed since an event; None where that cannot be told (any more)."""
        if after is None or self._seq is None:
            return None
        if after > self._seq:
            self._version = ""
            self._read_on()  # another process may have told of it already
        if not 0 < after <= self._seq:
            return None
        with self._held.db.read() as session:
            events = outbox.after(session, after - 1, limit=MOST_MISSED + 2)
            if not events or events[0].seq != after or len(events) > MOST_MISSED + 1:
                return None  # it was deleted meanwhile, and perhaps more
            missed = [event for event in events[1:] if event.seq <= self._seq]
            said = [one for one in self._said(session, missed) if audience.hears(one)]
        return said if sum(len(one.text) for one in said) < channels.MOST_WAITING // 2 else None

    def _snapshot(self, audience: Audience) -> Message:
        seq = self._seq or 0
        kept = self._snapshots.get(audience)
        if kept is not None and kept[0] == seq and self._seconds() - kept[1] < 1:
            return kept[2]
        with self._held.db.read() as session:
            data = self._sight.snapshot(session, audience)
        made = Message(SNAPSHOT, data, seq=seq)
        self._snapshots[audience] = (seq, self._seconds(), made)
        return made

    # Who still stands

    def _ask_again(self) -> None:
        """End the connections of who was revoked; who may less hears less from now on.

        What may revoke somebody is written; what ends by its time alone is seen within five rounds.
        """
        if self._held.db.is_sqlite:
            version, due = self._held.db.data_version(), self._seconds()
            if version == self._again_version and due < self._all_again_at:
                return
            self._again_version, self._all_again_at = version, due + 5 * _AGAIN_SECONDS
        found: dict[Any, Principal | None] = {}
        for channel in list(self._standing):
            holder = channel.holder
            shown = None if holder is None else _what_stands(holder)
            if holder is None or shown is None:
                continue
            if shown not in found:
                found[shown] = tickets.standing(self._held, self._kinds, holder)
            self._reconsider(channel, found[shown])

    def _reconsider(self, channel: Channel, principal: Principal | None) -> None:
        if principal is None:
            self._dismiss(channel, channels.UNAUTHENTICATED, "The credentials are not good any more.")
        elif not principal.has(SCOPE):
            self._dismiss(channel, channels.FORBIDDEN, f"This needs the scope {SCOPE}.")
        elif channel.audience is not None and principal != channel.audience.principal:
            channel.audience = Audience(principal, channel.project)

    def _dismiss(self, channel: Channel, code: int, reason: str) -> None:
        self._standing.pop(channel, None)
        self._hub.post(partial(self._hub.dismiss, channel, code, reason))


def caller(principal: Principal) -> str:
    """Return what connections of somebody are counted by; "" for who is nobody."""
    return f"{principal.kind} {principal.id}" if principal.kind != "anonymous" else ""


def _what_stands(holder: Holder) -> Any:
    """Return what is looked up to see whether somebody stands, the same for all his connections."""
    claims = holder.claims
    if claims is None:
        return holder.key_hash or None
    return (claims.kind, claims.sub, claims.sid, claims.epoch, claims.client_id, claims.scope)
