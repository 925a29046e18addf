"""GlitchTip's general webhook: issues (or a monitor's news) as a chat message's attachments, no frames."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hefesto_api.domain.alert import AlertState, IncomingAlert
from hefesto_api.domain.errors import Invalid
from hefesto_api.domain.finding import Severity
from hefesto_api.formats.alerts import common, signatures, texts
from hefesto_api.formats.alerts.payload import Node, link_to, read_object
from hefesto_api.formats.alerts.received import Received, each, received
from hefesto_api.formats.alerts.words import split_error

SETUP = (
    "Under the project's alerts add a recipient of the type General (slack-compatible) Webhook with the "
    "address and `?token=<token>` behind it: GlitchTip signs nothing and sets no header."
)

_COLORS = {"#4b60b4": Severity.LOW, "#e9b949": Severity.MEDIUM, "#e52b50": Severity.HIGH}
_FIELDS = 50  # read of an attachment
_ISSUE = re.compile(r"/issues/(\d{1,20})")


def read(body: bytes, headers: Mapping[str, str]) -> Received:
    """Read a message. Raises MalformedRequest for what is no JSON object, Invalid without `attachments`."""
    message = read_object(body)
    return received(each(message.required_items("attachments"), _alert))


def verify(
    secret: bytes, body: bytes, headers: Mapping[str, str], now: datetime, *, query_token: str = ""
) -> bool:
    """Check the token: GlitchTip signs nothing."""
    return signatures.token(secret, headers, query_token)


def _alert(attachment: Node) -> IncomingAlert:
    """Read an attachment. It bears no time and no event, so every message of one issue has one id."""
    title = attachment.text("title", limit=texts.TITLE)
    if title is None:
        raise Invalid(attachment.place("title"), "A text is required here.", "required")
    text = attachment.text("text", limit=texts.LONG) or ""
    tags = _tags(attachment)
    found = _identity(attachment, title)
    error_type, message = split_error(title)
    link = link_to(attachment.fields.get("title_link"), "GlitchTip")
    return IncomingAlert(
        alert_id=found,
        group_id=found,
        source="glitchtip",
        state=AlertState.RESOLVED if text.rstrip(".").endswith("is back up") else AlertState.FIRING,
        severity=_COLORS.get((attachment.text("color") or "").lower(), Severity.HIGH),
        title=title,
        description=text,
        error_type=error_type,
        error_message=message,
        links=(link,) if link else (),
        metadata=texts.bounded({"tags": tags.fields}),
        **common.running(tags),
    )


def _tags(attachment: Node) -> Node:
    """Return the fields under our names: Project, Environment, Release, Server Name and other tags."""
    pairs = {field.text("title"): field.text("value") for field in attachment.items("fields", _FIELDS)}
    tags = {name.lower().replace(" ", "_"): value for name, value in pairs.items() if name and value}
    return Node(tags | {"service_name": tags.get("service_name") or tags.get("project")})


def _identity(attachment: Node, title: str) -> str:
    link = attachment.raw("title_link") or ""
    issue = _ISSUE.search(link[: texts.URL])
    if issue:
        return texts.identifier("issue", issue.group(1), link.partition("/issues/")[0])
    return texts.identifier("attachment", texts.digest(_named(attachment, title, link)))


def _named(attachment: Node, title: str, link: str) -> dict[str, Any]:
    project = _tags(attachment).fields.get("project")
    return {"title": title, "link": link, "project": project}
