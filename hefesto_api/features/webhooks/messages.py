"""From an event on record to the request that tells of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from hefesto_api.adapters import telemetry
from hefesto_api.domain import clock, webhooks
from hefesto_api.formats.notifications import Message, render
from hefesto_api.storage import webhooks as store

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from hefesto_api.adapters.delivery import Outcome, Sender
    from hefesto_api.adapters.secrets import Vault
    from hefesto_api.storage.webhooks import WebhookRecord


class Sealed:
    """The secrets of webhooks, opened when they are needed; raises ServiceUnavailable, SecretUnreadable."""

    def __init__(self, vault: Callable[[], Vault]) -> None:
        self._vault = vault

    def seal(self, secret: str, webhook_id: str, purpose: str = store.PURPOSE) -> str:
        """Seal a secret for a webhook."""
        return self._vault().encrypt(secret.encode(), purpose=purpose, row=webhook_id)

    def open(self, sealed: str, webhook_id: str, purpose: str = store.PURPOSE) -> str:
        """Open a secret of a webhook."""
        return self._vault().decrypt(sealed, purpose=purpose, row=webhook_id).decode()

    def signing(self, record: WebhookRecord) -> list[str]:
        """Return the secrets that sign now, the newest first; two while one is being replaced."""
        secrets = [self.open(record.secret, record.id)]
        if record.former_secret and record.former_until and record.former_until > clock.now():
            secrets.append(self.open(record.former_secret, record.id, store.FORMER_PURPOSE))
        return secrets

    def routing_key(self, record: WebhookRecord) -> str | None:
        """Return PagerDuty's key, where there is one."""
        if record.routing_key is None:
            return None
        return self.open(record.routing_key, record.id, store.ROUTING_PURPOSE)


def message(
    event_type: str, moment: datetime, data: dict[str, Any], slug: str | None, public_url: str
) -> Message:
    """Return an event as it is told, with the project's name and a link to the rest."""
    told = {**data, **({"project": slug} if slug else {})}
    link = _link(event_type, data, slug)
    if link is not None:
        link = public_url.rstrip("/") + link
        told["url"] = link
    return Message(event_type, moment, told, link if public_url else None)


def send(sender: Sender, secrets: Sealed, record: WebhookRecord, message_id: str, told: Message) -> Outcome:
    """Tell a webhook of something, signed now."""
    body = render(record.format, told, secrets.routing_key(record))
    headers = {"Content-Type": "application/json"}
    if record.format == webhooks.STANDARD:
        headers |= webhooks.headers(message_id, clock.now(), body, secrets.signing(record))
    about: dict[str, Any] = {
        "http__request__method": "POST",
        "server__address": urlsplit(record.url).hostname,
    }
    about |= {"hefesto__webhook__id": record.id, "hefesto__delivery__id": message_id}
    with telemetry.span("webhook delivery", telemetry.CLIENT, **about) as span:
        if span is not None:
            headers["traceparent"] = span.traceparent
        outcome = sender.send("POST", record.url, body, headers)
        if span is not None:
            wrong = None if outcome.is_success else str(outcome.status or "no_answer")
            span.tell(http__response__status_code=outcome.status, error__type=wrong)
    return outcome


def _link(event_type: str, data: dict[str, Any], slug: str | None) -> str | None:
    noun = event_type.partition(".")[0]
    if noun == "alert" and data.get("id"):
        return f"/api/v1/alerts/{data['id']}"
    if noun == "analysis" and data.get("analysis_id"):
        return f"/api/v1/analyze/{data['analysis_id']}"
    if noun == "finding":
        asked = {"project": slug, "analysis_id": data.get("analysis_id"), "status": "all"}
        return "/api/v1/findings?" + urlencode({name: value for name, value in asked.items() if value})
    if noun == "deployment" and data.get("id"):
        return f"/api/v1/deployments/{data['id']}"
    return None
