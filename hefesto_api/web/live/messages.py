"""What the live feed says, who may hear it, and how it looks on each kind of connection."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from websockets.frames import Frame, Opcode

from hefesto_api.domain import clock

if TYPE_CHECKING:
    from datetime import datetime

    from hefesto_api.domain.access import Principal
    from hefesto_api.storage.outbox import Event

HEARTBEAT = "heartbeat"
SNAPSHOT = "snapshot"
METRICS = "metrics_update"
PROGRESS = "analysis_progress"
SCOPE = "read:metrics"
"""What whoever listens must hold; the kinds of events ask for their own besides."""
_TYPES = {
    "alert.created": ("alert_new", "read:alerts"),
    "webhook.status_changed": ("webhook_status_changed", "manage:webhooks"),
    "anomaly.detected": ("anomaly_detected", SCOPE),
}
_NOUNS = {"alert": ("alert_updated", "read:alerts"), "analysis": (PROGRESS, "read:analysis")}


class Message:
    """Something to say, encoded once for all who hear it.

    `seq` is its place in the outbox, 0 for what is not to be had again. `project` is None for what belongs
    to none, which only those hear who are bound to none.
    """

    def __init__(
        self,
        kind: str,
        data: dict[str, Any],
        *,
        scope: str = SCOPE,
        project: str | None = None,
        seq: int = 0,
        at: datetime | None = None,
    ) -> None:
        self.kind = kind
        self.scope = scope
        self.project = project
        self.seq = seq
        told = {"type": kind, "timestamp": clock.rfc3339(at or clock.now()), "data": data}
        self.text = orjson.dumps({**told, "id": str(seq)} if seq else told)

    @cached_property
    def frame(self) -> bytes:
        """The message as one frame of a WebSocket."""
        return bytes(Frame(Opcode.TEXT, self.text).serialize(mask=False))

    @cached_property
    def event(self) -> bytes:
        """The message as a Server-Sent Event; JSON has no line breaks."""
        place = b"id: %d\n" % self.seq if self.seq else b""
        return b"%bevent: %b\ndata: %b\n\n" % (place, self.kind.encode(), self.text)


class Audience(NamedTuple):
    """Who listens: what he may hear, and what he asked for (`project` None: of all that he may see)."""

    principal: Principal
    project: str | None = None

    def hears(self, message: Message) -> bool:
        """Tell whether a message is for him."""
        if not self.principal.has(message.scope):
            return False
        if self.project is not None and message.project != self.project:
            return False
        return self.principal.projects is None or message.project in self.principal.projects

    @property
    def allowed(self) -> frozenset[str] | None:
        """The slugs of the projects that he hears of; None for all."""
        projects = self.principal.projects
        if self.project is None:
            return projects
        return frozenset({self.project} if projects is None or self.project in projects else ())


def of_event(event: Event, project: str | None) -> Message | None:
    """Return what is said of an event of the outbox; None for what only moves numbers."""
    said = _TYPES.get(event.type) or _NOUNS.get(event.type.partition(".")[0])
    if said is None:
        return None
    kind, scope = said
    data = {**event.data, "event": event.type, "event_id": event.id, "project": project}
    return Message(kind, data, scope=scope, project=project, seq=event.seq, at=event.created_at)
