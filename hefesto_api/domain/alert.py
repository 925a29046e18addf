"""What monitoring tells us, whoever sent it: alerts about running code, and which code runs."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from msgspec import Struct, field

from hefesto_api.domain.finding import Severity


class AlertState(StrEnum):
    """Whether the trouble is on or over, in Alertmanager's words."""

    FIRING = "firing"
    RESOLVED = "resolved"


class ReportedFrame(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One call of a stack as the sender structured it; what it did not say is None.

    `file` is as sent (often relative), `abs_path` the place on the machine that crashed. Lines and columns
    count from 1; `in_app` is false for what the sender takes for a library.
    """

    file: str | None = None
    line: int | None = None
    function: str | None = None
    module: str | None = None
    column: int | None = None
    in_app: bool | None = None
    abs_path: str | None = None
    context_line: str | None = None


class Cause(Struct, frozen=True, kw_only=True):
    """An exception that led to the one that was raised; its frames are outermost first."""

    error_type: str | None = None
    error_message: str | None = None
    frames: tuple[ReportedFrame, ...] = ()


class Link(Struct, frozen=True):
    """A page about the alert: an http(s) address and what it shows."""

    href: str
    text: str = ""


class IncomingAlert(Struct, frozen=True, kw_only=True):
    """One alert as it came in.

    `alert_id` is the same for every resend of an alert and differs between alerts of one source.
    `group_id` is the sender's own name for the trouble: what a resolved message speaks of.
    `frames` are those of the exception that was raised, outermost first, the crash last; `causes` are the
    exceptions behind it, nearest first. `project` is a slug, if the sender named one. `timestamp` is aware
    UTC: when it happened, or (resolved) when it ended; None when the sender did not say. Texts are bounded
    and free of NUL.
    """

    alert_id: str
    source: str
    group_id: str | None = None
    state: AlertState = AlertState.FIRING
    severity: Severity = Severity.MEDIUM
    title: str = ""
    description: str = ""
    error_type: str | None = None
    error_message: str | None = None
    stacktrace: str | None = None
    frames: tuple[ReportedFrame, ...] = ()
    causes: tuple[Cause, ...] = ()
    timestamp: datetime | None = None
    project: str | None = None
    service_name: str | None = None
    environment: str | None = None
    release: str | None = None
    commit_hash: str | None = None
    affected_users: int | None = None
    links: tuple[Link, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def delivery_id(self) -> str:
        """What a replay of this message repeats, and no other message: the alert's news, not the alert."""
        moment = self.timestamp.isoformat() if self.timestamp else ""
        return f"{self.state}|{moment}|{self.alert_id}"


class IncomingDeployment(Struct, frozen=True, kw_only=True):
    """Which code began to run where: a release, a commit, or both. Times are aware UTC, None if not said."""

    deployment_id: str
    source: str
    release: str | None = None
    commit_hash: str | None = None
    environment: str | None = None
    project: str | None = None
    service_name: str | None = None
    deployed_at: datetime | None = None
    description: str = ""
    links: tuple[Link, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)
