"""The bodies: Standard Webhooks, Slack's incoming webhooks, PagerDuty's events of version 2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from hefesto_api.domain import clock
from hefesto_api.domain.webhooks import PAGERDUTY, SLACK
from hefesto_api.formats.notifications.message import summary

if TYPE_CHECKING:
    from hefesto_api.formats.notifications.message import Message

_SIGNS = {"CRITICAL": ":red_circle:", "HIGH": ":large_orange_circle:", "MEDIUM": ":large_yellow_circle:"}
_PAGER_SEVERITY = {"CRITICAL": "critical", "HIGH": "error", "MEDIUM": "warning", "LOW": "info"}
_ACTIONS = {"alert.acknowledged": "acknowledge", "alert.resolved": "resolve"}
_FIELDS = ("severity", "service_name", "environment", "status", "occurrence_count", "file_path", "metric")
_LONGEST = 2000


def render(form: str, message: Message, routing_key: str | None = None) -> bytes:
    """Write the body of a message; `routing_key` is PagerDuty's. The same message is the same bytes."""
    if form == SLACK:
        return orjson.dumps(_slack(message))
    if form == PAGERDUTY:
        return orjson.dumps(_pagerduty(message, routing_key or ""))
    told = {"type": message.type, "timestamp": clock.rfc3339(message.timestamp), "data": message.data}
    return orjson.dumps(told)


def _slack(message: Message) -> dict[str, Any]:
    sign = _SIGNS.get(str(message.data.get("severity")), "")
    line = f"{sign} {_escaped(summary(message))}".strip()
    named = [
        {"type": "mrkdwn", "text": f"*{name.replace('_', ' ')}*\n{_escaped(str(value))[:_LONGEST]}"}
        for name in _FIELDS
        if (value := message.data.get(name)) not in {None, ""}
    ]
    blocks: list[dict[str, Any]] = [{"type": "section", "text": {"type": "mrkdwn", "text": line}}]
    if named:
        blocks.append({"type": "section", "fields": named})
    if message.link:
        more = f"<{_escaped(message.link)}|See more>"
        blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": more}]})
    return {"text": line, "blocks": blocks}


def _pagerduty(message: Message, routing_key: str) -> dict[str, Any]:
    data = message.data
    told: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": _ACTIONS.get(message.type, "trigger"),
        "dedup_key": str(data.get("id") or data.get("metric") or message.type)[:255],
        "client": "Hefesto",
    }
    if message.link:
        told["client_url"] = message.link
    if told["event_action"] == "trigger":
        told["payload"] = {
            "summary": summary(message),
            "source": str(data.get("service_name") or data.get("project") or "hefesto"),
            "severity": _PAGER_SEVERITY.get(str(data.get("severity")).upper(), "warning"),
            "timestamp": clock.rfc3339(message.timestamp),
            "class": str(data.get("error_type") or message.type),
            "group": str(data.get("project") or ""),
            "custom_details": data,
        }
    return told


def _escaped(text: str) -> str:
    """Take from a text what Slack reads as a link or a mention."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
