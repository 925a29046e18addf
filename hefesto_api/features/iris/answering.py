"""Correlations over HTTP: from a body to an answer, and the answers that were given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import structlog

from hefesto_api.domain import clock
from hefesto_api.domain.errors import HefestoError, Invalid, NotFound
from hefesto_api.features.iris import recording
from hefesto_api.formats.alerts import native, texts
from hefesto_api.formats.alerts.payload import Node
from hefesto_api.storage import correlation_inputs, correlations, learning, projects

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from hefesto_api.domain.alert import IncomingAlert
    from hefesto_api.features.iris.correlating import Desk
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.correlations import CorrelationRecord
    from hefesto_api.storage.database import Database
    from hefesto_api.storage.learning import Feedback

log = structlog.get_logger("correlation")

DEFAULT_PROJECT = "default"
SOURCE = "native"
MOST_COUNTED = 10_000


class CorrelationFailed(HefestoError):
    """An alert could not be correlated, for a fault of ours."""

    code = "CORRELATION_FAILED"


class Listed(NamedTuple):
    """A page of correlations, the key after which the next one starts, and how many there are in all."""

    items: list[dict[str, Any]]
    next_key: tuple[str] | None
    total: int
    exact: bool


def correlate(desk: Desk, wanted: Mapping[str, Any], admit: Callable[[str], None]) -> dict[str, Any]:
    """Read an alert, record and correlate it; `admit` raises for a project the caller may not write to."""
    incoming = alert_of(wanted)
    slug = slug_of(desk.db, wanted)
    try:
        admit(slug)
    except NotFound:
        if wanted.get("project"):
            raise
        slug = DEFAULT_PROJECT  # whose service it is, nobody learns who does not see the project
        admit(slug)
    try:
        return recording.correlate_incoming(desk, slug, incoming)
    except HefestoError:
        raise
    except Exception as error:
        log.exception("correlation_failed", alert=incoming.alert_id)
        raise CorrelationFailed("The alert could not be correlated; the log says why.") from error


def alert_of(wanted: Mapping[str, Any]) -> IncomingAlert:
    """Return the alert that a body holds, its texts bounded."""
    return native.alert(Node(dict(wanted)), texts.identifier(str(wanted["alert_id"])), SOURCE)


def slug_of(db: Database, wanted: Mapping[str, Any]) -> str:
    """Return the project that an alert belongs to: the one it names, that of its service, the default."""
    if named := wanted.get("project"):
        return str(named)
    if not (service := wanted.get("service_name")):
        return DEFAULT_PROJECT
    with db.read() as session:
        return correlation_inputs.slug_of_service(session, service) or DEFAULT_PROJECT


def seen(session: Session, correlation_id: str, allowed: Collection[str] | None) -> CorrelationRecord:
    """Return a correlation that the caller may see; raises NotFound."""
    record = correlations.get(session, correlation_id)
    if not projects.is_seen(session, record.project_id, allowed):
        raise NotFound("correlation", correlation_id)
    return record


def read(db: Database, correlation_id: str, allowed: Collection[str] | None) -> dict[str, Any]:
    """Return a correlation as it was answered, with what was said of it since; raises NotFound."""
    with db.read() as session:
        record = seen(session, correlation_id, allowed)
        said = learning.of_correlation(session, correlation_id)
        slug = projects.by_id(session, record.project_id).slug
    return {
        **record.told(),
        "project": slug,
        "created_at": clock.rfc3339(record.created_at),
        "feedback": [_said(one) for one in said],
    }


def listed(db: Database, query: Mapping[str, Any], allowed: Collection[str] | None) -> Listed:
    """Return a page of the correlations that may be seen, the newest first; raises Invalid for its cursor."""
    page = query["page"]
    before = None if page.cursor is None else _id_of(page.cursor)
    alert_id = str(query["alert_id"]) if "alert_id" in query else None
    with db.read() as session:
        ids = projects.chosen(session, query.get("project"), allowed)
        offset = 0 if before else page.offset
        found = correlations.page(
            session, limit=page.limit + 1, offset=offset, project_ids=ids, alert_id=alert_id, before=before
        )
        total = correlations.count(session, project_ids=ids, alert_id=alert_id, cap=MOST_COUNTED + 1)
        slugs = projects.slugs(session, (one.project_id for one in found))
    shown = found[: page.limit]
    key = (shown[-1].id,) if len(found) > page.limit else None
    items = [_item(one, slugs[one.project_id]) for one in shown]
    return Listed(items, key, min(total, MOST_COUNTED), total <= MOST_COUNTED)


def _item(record: CorrelationRecord, slug: str) -> dict[str, Any]:
    told = orjson.loads(record.answer)
    return {
        "correlation_id": record.id,
        "alert_id": told["alert_id"],
        "recorded_alert_id": record.alert_id,
        "project": slug,
        "created_at": clock.rfc3339(record.created_at),
        "error_type": record.error_type,
        "correlation_found": record.correlation_found,
        "confidence_score": record.confidence_score,
        "matching_findings": told["matching_findings"][:1],
        "suspect_functions": told["suspect_functions"][:1],
        "suspect_commits": told["suspect_commits"][:1],
        "suggested_root_cause": told["suggested_root_cause"],
        "model_version": record.model_version,
    }


def _said(one: Feedback) -> dict[str, Any]:
    return {
        "subject": one.subject,
        "verdict": one.verdict,
        "comment": one.comment,
        "user": one.user,
        "updated_at": clock.rfc3339(one.updated_at),
    }


def _id_of(cursor: tuple[Any, ...]) -> str:
    if len(cursor) != 1 or not isinstance(cursor[0], str):
        raise Invalid("cursor", "This is no cursor of this list.")
    return cursor[0]
