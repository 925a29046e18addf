"""At the door: who sent it, whether it can be read at all, whether it came before; then it is kept."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog

from hefesto_api.domain import audit, clock
from hefesto_api.domain.errors import Invalid, MalformedRequest, NotFound, ServiceUnavailable
from hefesto_api.formats.alerts import SOURCES
from hefesto_api.formats.alerts.payload import loads
from hefesto_api.formats.alerts.signatures import header
from hefesto_api.storage import alert_sources, intake
from hefesto_api.storage.intake import Arrival
from hefesto_api.web.errors import InvalidSignature

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hefesto_api.domain.alert import IncomingAlert
    from hefesto_api.storage.alert_sources import SourceRecord
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database
    from hefesto_api.storage.group_commit import GroupCommit
    from hefesto_api.storage.intake import Kept

log = structlog.get_logger("intake")

NATIVE = "native"
REPEATS = timedelta(minutes=10)  # in which a tool that sends the same again sends it again; later it is news
READ_AT_ONCE = 64 * 1024  # bytes of a body that is read at the door, for the ids in it
PER_SECOND = 200  # messages read, with little else to do: for the estimate
_READ_HEADERS = ("Content-Type", "webhook-id", "Sentry-Hook-Resource")
_MOST_OF_HEADER = 2_000


class Sent(NamedTuple):
    """What a tool sent, before anybody looked at it."""

    source: str
    body: bytes
    headers: Mapping[str, str]
    token: str = ""


def known(source: str) -> str:
    """Return the name of a source that can be read; raises NotFound, naming those."""
    if source not in SOURCES:
        error = NotFound("alert_source", source)
        error.details = {**error.details, "known": sorted(SOURCES)}
        raise error
    return source


def receive(
    db: Database,
    door: GroupCommit[Arrival, Kept],
    sent: Sent,
    vouched: Callable[[], None],
    *,
    reveal: Callable[[SourceRecord], bytes],
    by_key: bool = False,
    project_id: str | None = None,
) -> Kept:
    """Keep what was sent, durably, and return where; a replay of it returns the first one.

    `vouched` is asked when no source of that kind is configured, and raises where that is not enough.
    `reveal` gives a source's secret. `by_key` says that the caller has shown a key that may send alerts, in
    place of one; `project_id` is the only project that he may send to.

    Raises InvalidSignature, MalformedRequest for what is not JSON, Invalid for a message of our own form that
    lacks its id, ServiceUnavailable when too much waits or a source's secret cannot be read.
    """
    with db.read() as session:
        proved = None if by_key else prove(session, sent, reveal)
    if proved is None:
        vouched()
    return door.do(arrival(sent, proved, project_id))


def prove(session: Session, sent: Sent, reveal: Callable[[SourceRecord], bytes]) -> SourceRecord | None:
    """Return the configured source that a message shows to be from; None when there is none of that kind.

    Raises InvalidSignature when there are some and it is from none of them; what `reveal` raises, when it
    might be from one whose secret cannot be read now.
    """
    configured = alert_sources.of_kind(session, sent.source)
    verify = SOURCES[sent.source].verify
    now = clock.now()
    unreadable: ServiceUnavailable | None = None
    for one in configured:
        try:
            secret = reveal(one)
        except ServiceUnavailable as error:
            log.warning("secret_unreadable", source=sent.source, source_id=one.id, reason=error.message)
            unreadable = error
            continue
        if verify(secret, sent.body, sent.headers, now, query_token=sent.token):
            return one
    if unreadable is not None:
        raise unreadable
    if configured:
        log.warning("intake_refused", source=sent.source, reason="signature")
        raise InvalidSignature("The signature or token is missing, wrong, or too old.", source=sent.source)
    return None


def arrival(sent: Sent, proved: SourceRecord | None, project_id: str | None = None) -> Arrival:
    """Return what is to be kept of a message; raises MalformedRequest and Invalid as `receive` does."""
    source_id = proved.id if proved else ""
    sender = source_id or project_id or ""  # the same from two senders are two
    headers = _kept_headers(sent.headers)
    identity, within = _identity(sent, headers)
    return Arrival(
        source=sent.source,
        body=SOURCES[sent.source].conceal(sent.body),
        headers=headers,
        replay_key=sha256(
            f"{sent.source}\0{sender}\0{identity}".encode("utf-8", "surrogatepass")
        ).hexdigest(),
        source_id=source_id or None,
        project_id=proved.project_id if proved else project_id,
        replay_within=within,
        actor=audit.actor(),
    )


def seconds_left(status: str, ahead: int) -> int:
    """Estimate in how many seconds a message will have been read."""
    return 0 if status in {intake.COMPLETED, intake.FAILED} else 1 + ahead // PER_SECOND


def _kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that readers look at: never one that shows who sent it."""
    found = {name: header(headers, name)[:_MOST_OF_HEADER] for name in _READ_HEADERS}
    events = {
        name.lower(): value[:_MOST_OF_HEADER]
        for name, value in headers.items()
        if name.lower().startswith("ce-")
    }
    return {name: value for name, value in (found | events).items() if value}


def _identity(sent: Sent, headers: Mapping[str, str]) -> tuple[str, timedelta | None]:
    """Return what a replay of a message repeats, and for how long it is a replay (None: for good).

    A message that is broken as JSON is refused, so that its sender hears of it; what is odd in another way
    is kept, to be read as far as it can be.
    """
    told = _told(sent)
    if sent.source == NATIVE and (message_id := headers.get("webhook-id")):
        return f"id {message_id}", None
    if told is not None:
        within = None if sent.source == NATIVE and told.timestamp else REPEATS
        return f"alert {told.project or ''}|{told.service_name or ''}|{told.delivery_id}", within
    digest = sha256(repr(sorted(headers.items())).encode("utf-8", "surrogatepass"))
    digest.update(sent.body)
    return f"body {digest.hexdigest()}", REPEATS


def _told(sent: Sent) -> IncomingAlert | None:
    """Return the one alert that a message tells of, if it is one and soon read."""
    if sent.source != NATIVE and len(sent.body) > READ_AT_ONCE:
        if not header(sent.headers, "ce-specversion"):
            loads(sent.body)
        return None
    try:
        found = SOURCES[sent.source].read(sent.body, sent.headers)
    except MalformedRequest:
        raise
    except Invalid:
        if sent.source == NATIVE:
            raise
        return None
    except Exception as error:
        log.exception("reader_failed", source=sent.source, exc_info=error)
        return None
    return found.alerts[0] if len(found.alerts) == 1 and not found.deployments else None


def as_told(kept: Kept) -> dict[str, Any]:
    """Return the acknowledgement of a message."""
    return {
        "received": True,
        "webhook_id": kept.id,
        "processing_status": kept.status,
        "estimated_processing_time_seconds": seconds_left(kept.status, kept.ahead),
    }
