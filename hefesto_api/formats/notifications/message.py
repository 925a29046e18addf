"""An event as it is told, and the sentence that sums it up."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct

_LONGEST = 300


class Message(Struct, frozen=True):
    """An event: its type, when it happened, and what it tells; `link` is where its reader sees more."""

    type: str
    timestamp: datetime
    data: dict[str, Any]
    link: str | None = None


def summary(message: Message) -> str:
    """Say what happened in one line of plain text."""
    noun, _, verb = message.type.partition(".")
    said = {"alert": _alert, "finding": _finding, "analysis": _analysis, "deployment": _deployment,
            "anomaly": _anomaly, "webhook": _webhook}.get(noun, _other)(message.data, verb)  # fmt: skip
    project = message.data.get("project")
    line = f"{said} ({project})" if project else said
    return " ".join(line.split())[:_LONGEST]


def _alert(data: dict[str, Any], verb: str) -> str:
    told = data.get("error_type") or data.get("service_name") or "alert"
    about = data.get("message") or data.get("alert_id") or ""
    who = f" by {data['user']}" if data.get("user") else ""
    return f"[{data.get('severity') or 'UNKNOWN'}] Alert {verb}{who}: {told}: {about}"


def _finding(data: dict[str, Any], verb: str) -> str:
    count = data.get("count", 1)
    return f"{count} {'finding' if count == 1 else 'findings'} {verb}"


def _analysis(data: dict[str, Any], verb: str) -> str:
    issues = data.get("total_issues")
    return f"Analysis {verb}: {data.get('path') or data.get('analysis_id')}" + (
        "" if issues is None else f", {issues} issues"
    )


def _deployment(data: dict[str, Any], _verb: str) -> str:
    what = data.get("release") or str(data.get("commit_hash") or "")[:12]
    return f"Deployed {what} to {data.get('environment')}"


def _anomaly(data: dict[str, Any], _verb: str) -> str:
    return f"Anomaly in {data.get('metric')}: {data.get('value')} where {data.get('expected')} was expected"


def _webhook(data: dict[str, Any], verb: str) -> str:
    if verb == "test":
        return "This is a test: webhooks of Hefesto arrive here."
    return f"Webhook {data.get('name')} is {data.get('health_status')} (was {data.get('former_status')})"


def _other(_data: dict[str, Any], verb: str) -> str:
    return f"Something was {verb}"
