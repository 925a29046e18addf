"""Webhooks as callers see them: made, listed, changed, tried and deleted."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from hefesto_api.adapters.delivery import Refused, read_url
from hefesto_api.domain import audit, clock, ids
from hefesto_api.domain import webhooks as rules
from hefesto_api.domain.errors import Conflict, Invalid, NotFound
from hefesto_api.features.webhooks import messages, outcomes
from hefesto_api.storage import projects, webhooks

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from hefesto_api.adapters.delivery import Sender
    from hefesto_api.features.webhooks.messages import Sealed
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database
    from hefesto_api.storage.webhooks import WebhookRecord
    from hefesto_api.web.paging import Page

MOST = 1000  # webhooks of an installation: each is asked about each event
DEFAULTS: dict[str, Any] = {
    "description": "", "format": rules.STANDARD, "events": [], "is_active": True,
    "health_check_interval_seconds": 300, "project": None,
}  # fmt: skip
_PLAIN = ("name", "url", "description", "format", "events", "is_active", "health_check_interval_seconds")
_LOGGED = tuple(name for name in _PLAIN if name != "url")  # of some, the address is the secret


class Desk(NamedTuple):
    """What the service works with; `allowed` are the projects its caller is bound to (None: to none)."""

    db: Database
    secrets: Sealed
    allowed: Collection[str] | None
    networks: Sequence[str]


class Listed(NamedTuple):
    """A page of a list, the key after which the next one starts, and how many there are in all."""

    items: list[dict[str, Any]]
    next_key: tuple[str] | None
    total: int


def create(desk: Desk, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Make a webhook; the answer alone holds its secret."""
    values = {**DEFAULTS, **wanted}
    _check(values, desk.networks, has_key="routing_key" in wanted)
    webhook_id, secret = ids.new_id(), rules.new_secret()
    sealed = desk.secrets.seal(secret, webhook_id)
    with desk.db.write() as session:
        if len(webhooks.every(session)) >= MOST:
            raise Conflict(f"There are {MOST} webhooks already; delete some.", resource_type="webhook")
        record = webhooks.create(
            session, id=webhook_id, secret=sealed, **_columns(session, desk, webhook_id, values)
        )
        told = as_told(session, record)
        _note("webhook.created", webhook_id, {}, told)
    return {**told, "secret": secret}


def listed(
    desk: Desk,
    query: Mapping[str, Any],
    show: Callable[[Session, WebhookRecord], dict[str, Any]] | None = None,
) -> Listed:
    """Return a page of the webhooks that the caller may see, the oldest first; `show` tells each its way."""
    page: Page = query["page"]
    with desk.db.read() as session:
        slugs = slugs_of(session)
        seen = [one for one in webhooks.every(session) if is_seen(one, desk.allowed, slugs)]
        if "project" in query:
            seen = [one for one in seen if slugs.get(one.project_id or "") == query["project"]]
        if "is_active" in query:
            seen = [one for one in seen if one.is_active == query["is_active"]]
        if page.cursor is not None:
            key = key_of(page.cursor)
            rest = [one for one in seen if one.id > key]
        else:
            rest = seen[page.offset :]
        shown = rest[: page.limit]
        items = [_told(one, slugs) if show is None else show(session, one) for one in shown]
    return Listed(items, (shown[-1].id,) if len(rest) > page.limit else None, len(seen))


def read(session: Session, desk: Desk, webhook_id: str, *, lock: bool = False) -> WebhookRecord:
    """Return a webhook that the caller may see; raises NotFound."""
    found = webhooks.get(session, webhook_id, lock=lock)
    if not is_seen(found, desk.allowed, slugs_of(session)):
        raise NotFound("webhook", webhook_id)
    return found


def change(
    desk: Desk,
    webhook_id: str,
    wanted: Mapping[str, Any],
    require: Callable[[Callable[[], Any]], None] = lambda load: None,
) -> dict[str, Any]:
    """Change a webhook; `require` may raise, given how to load what a GET answers now."""
    with desk.db.write() as session:
        before = read(session, desk, webhook_id, lock=True)
        told = as_told(session, before)
        require(lambda: told)
        values = {**told, **wanted}
        is_moved = values["project"] != told["project"]
        _check(values, desk.networks, has_key="routing_key" in wanted or before.routing_key is not None)
        columns = _columns(session, desk, webhook_id, values)
        if not is_moved:
            columns.pop("projects")
        if columns["is_active"] and not before.is_active:  # begins anew
            columns |= {"disabled_reason": None, "delivery_failures": 0, "probe_failures": 0}
            columns |= {"rests_until": None, "next_check_at": clock.now()}
        if values["url"] != before.url or _interval(values) != before.health_check_interval_seconds:
            columns["next_check_at"] = clock.now()
        webhooks.change(session, webhook_id, **columns, updated_at=clock.now())
        outcomes.settle(session, webhook_id)
        changed = as_told(session, webhooks.get(session, webhook_id))
        _note("webhook.updated", webhook_id, told, changed, new_url=values["url"] != before.url)
        return changed


def delete(
    desk: Desk, webhook_id: str, require: Callable[[Callable[[], Any]], None] = lambda load: None
) -> None:
    """Delete a webhook and its deliveries."""
    with desk.db.write() as session:
        told = as_told(session, read(session, desk, webhook_id, lock=True))
        require(lambda: told)
        webhooks.delete(session, webhook_id)
        _note("webhook.deleted", webhook_id, told, {})


def rotate(desk: Desk, webhook_id: str, grace_seconds: int) -> dict[str, Any]:
    """Give a webhook another secret; for a while the former one signs as well."""
    secret, until = rules.new_secret(), clock.now() + timedelta(seconds=grace_seconds)
    with desk.db.write() as session:
        record = read(session, desk, webhook_id, lock=True)
        former = desk.secrets.open(record.secret, webhook_id)
        webhooks.change(
            session,
            webhook_id,
            secret=desk.secrets.seal(secret, webhook_id),
            former_secret=desk.secrets.seal(former, webhook_id, webhooks.FORMER_PURPOSE),
            former_until=until,
            updated_at=clock.now(),
        )
        told = as_told(session, webhooks.get(session, webhook_id))
        overlap = {"former_signs_until": clock.rfc3339(until)}
        audit.note("webhook.rotated", "webhook", webhook_id, overlap, project=told["project"])
    return {**told, "secret": secret, "former_signs_until": clock.rfc3339(until)}


def test(desk: Desk, sender: Sender, webhook_id: str) -> dict[str, Any]:
    """Send a test now, once, and return how that went."""
    with desk.db.read() as session:
        record = read(session, desk, webhook_id)
        slug = as_told(session, record)["project"]
    message_id = ids.new_id()
    data = {"webhook_id": record.id, "name": record.name}
    if record.format == rules.PAGERDUTY:
        data |= {"severity": "LOW"}
    told = messages.message(rules.TEST, clock.now(), data, slug, "")
    outcome = messages.send(sender, desk.secrets, record, message_id, told)
    with desk.db.write() as session:
        read(session, desk, webhook_id, lock=True)
        webhooks.measured(session, [outcomes.of_test(record, outcome)])
        outcomes.settle(session, webhook_id)
        audit.note("webhook.tested", "webhook", webhook_id, {"status": outcome.status}, project=slug)
    return {
        "delivered": outcome.is_success,
        "message_id": message_id,
        "status_code": outcome.status,
        "response_ms": outcome.milliseconds,
        "error": outcome.error,
    }


def as_told(session: Session, record: WebhookRecord) -> dict[str, Any]:
    """Return a webhook as it goes over the wire: all but its secrets."""
    return _told(record, projects.slugs(session, [record.project_id]))


def _told(record: WebhookRecord, slugs: Mapping[str, str]) -> dict[str, Any]:
    return {
        "id": record.id,
        **{name: getattr(record, name) for name in _PLAIN},
        "project": slugs.get(record.project_id or ""),
        "health_status": record.health_status,
        "disabled_reason": record.disabled_reason,
        "created_at": clock.rfc3339(record.created_at),
        "updated_at": clock.rfc3339(record.updated_at),
    }


def _columns(session: Session, desk: Desk, webhook_id: str, values: Mapping[str, Any]) -> dict[str, Any]:
    slug = values["project"]
    columns = {name: values[name] for name in _PLAIN}
    columns["events"] = list(dict.fromkeys(values["events"]))
    columns["project_id"] = None if slug is None else projects.ensure(session, slug).id
    columns["projects"] = None if slug is not None or desk.allowed is None else sorted(desk.allowed)
    if values["format"] != rules.PAGERDUTY:
        columns["routing_key"] = None
    elif "routing_key" in values:
        columns["routing_key"] = desk.secrets.seal(
            values["routing_key"], webhook_id, webhooks.ROUTING_PURPOSE
        )
    return columns


def _check(values: Mapping[str, Any], networks: Sequence[str], *, has_key: bool) -> None:
    """Refuse what does not fit together."""
    try:
        read_url(values["url"], networks)
    except Refused as error:
        raise Invalid("url", str(error)) from None
    if values["format"] != rules.PAGERDUTY:
        return
    if not has_key:
        raise Invalid("routing_key", "PagerDuty needs the integration's routing key.", "required")
    strange = [name for name in values["events"] if name not in rules.PAGED]
    if strange:
        raise Invalid("events", f"PagerDuty is told of {', '.join(rules.PAGED)} alone.")


def is_seen(record: WebhookRecord, allowed: Collection[str] | None, slugs: Mapping[str, str]) -> bool:
    """Tell whether a caller may see a webhook: one of his project, or that sees no other than he does."""
    if allowed is None:
        return True
    if record.project_id is not None:
        return slugs.get(record.project_id) in allowed
    return record.projects is not None and set(record.projects) <= set(allowed)


def slugs_of(session: Session) -> dict[str, str]:
    return projects.slugs(session, projects.every_id(session))


def _interval(values: Mapping[str, Any]) -> int:
    return int(values["health_check_interval_seconds"])


def _note(
    action: str,
    webhook_id: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    *,
    new_url: bool = False,
) -> None:
    """Note for the audit log what of a webhook is changed; of its address, that it is."""
    changes: dict[str, Any] = {
        name: {"from": before.get(name), "to": after.get(name)}
        for name in (*_LOGGED, "project")
        if before.get(name) != after.get(name)
    }
    if new_url:
        changes["url"] = {"from": "former", "to": "new"}
    slug = after.get("project") or before.get("project")
    audit.note(action, "webhook", webhook_id, changes, project=slug)


def key_of(cursor: tuple[Any, ...]) -> str:
    if len(cursor) != 1 or not isinstance(cursor[0], str):
        raise Invalid("cursor", "This is no cursor of this list.")
    return cursor[0]
