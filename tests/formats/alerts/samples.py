"""One realistic body for each tool, as values; tests change what they are about."""

import json
from typing import Any

Body = dict[str, Any]

COMMIT = "3f1c9e7a0b5d4c2e8f6a1b3c5d7e9f0a2b4c6d8e"


def encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


def native(**more: Any) -> Body:
    return {
        "alert_id": "inc-91",
        "alert_type": "error",
        "timestamp": "2026-01-01T10:00:00Z",
        "payload": {
            "error_type": "KeyError",
            "error_message": "'uid'",
            "stacktrace": 'Traceback (most recent call last):\n  File "shop/db.py", line 42, in load_user\n',
            "service_name": "shop",
            "severity": "critical",
            "affected_users": 120,
            "release": "shop@2026.1",
            "commit_hash": COMMIT,
            "environment": "production",
            "metadata": {"region": "eu-west-1"},
        },
    } | more


def alertmanager_alert(**more: Any) -> Body:
    return {
        "status": "firing",
        "labels": {
            "alertname": "CheckoutErrors",
            "service": "shop",
            "severity": "critical",
            "env": "production",
            "version": "shop@3f1c9e7",
        },
        "annotations": {
            "summary": "5xx 7%",
            "description": "Checkout fails",
            "runbook_url": "https://wiki.test/x",
        },
        "startsAt": "2026-01-01T10:00:00.123456789Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.test/graph",
        "fingerprint": "9f2c0d7e1b3a4455",
    } | more


def alertmanager(*alerts: Any, **more: Any) -> Body:
    return {
        "version": "4",
        "groupKey": '{}:{alertname="CheckoutErrors"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "hefesto",
        "groupLabels": {"alertname": "CheckoutErrors"},
        "commonLabels": {"service": "shop", "team": "payments"},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.test:9093",
        "alerts": list(alerts) or [alertmanager_alert()],
    } | more


def grafana(**more: Any) -> Body:
    alert = alertmanager_alert(
        values={"A": 7.1},
        valueString="[ var='A' value=7.1 ]",
        dashboardURL="https://grafana.test/d/abc",
        panelURL="https://grafana.test/d/abc?viewPanel=2",
        silenceURL="https://grafana.test/alerting/silence/new",
    )
    return (
        alertmanager(alert, orgId=1, title="[FIRING:1] CheckoutErrors", state="alerting", message="x") | more
    )


FRAMES = [
    {"filename": "shop/api.py", "function": "checkout", "module": "shop.api", "lineno": 88, "in_app": True},
    {
        "filename": "shop/db.py",
        "abs_path": "/srv/app/shop/db.py",
        "function": "load_user",
        "lineno": 42,
        "colno": 9,
        "in_app": True,
        "context_line": '    return users[row["uid"]]',
    },
]


def sentry(**event: Any) -> Body:
    return {
        "action": "triggered",
        "actor": {"type": "application", "id": "sentry", "name": "Sentry"},
        "installation": {"uuid": "a8e5d37a-696c-4c54-adb5-b3f28d64c7de"},
        "data": {
            "triggered_rule": "prod errors",
            "event": {
                "event_id": "e4874d664c3540c1a32eab185f12c5ab",
                "issue_id": "1170820242",
                "title": "KeyError: 'uid'",
                "culprit": "shop.api in checkout",
                "level": "fatal",
                "platform": "python",
                "release": "shop@3f1c9e7",
                "environment": "production",
                "timestamp": 1767261600.5,
                "url": "https://sentry.test/api/0/projects/acme/shop/events/e4874d66/",
                "web_url": "https://sentry.test/organizations/acme/issues/1170820242/",
                "tags": [["server_name", "web-1"], ["browser", "Chrome"]],
                "exception": {
                    "values": [
                        {"type": "IndexError", "value": "row", "stacktrace": {"frames": FRAMES[:1]}},
                        {"type": "KeyError", "value": "'uid'", "stacktrace": {"frames": FRAMES}},
                    ]
                },
            }
            | event,
        },
    }


def sentry_issue(action: str = "resolved", **issue: Any) -> Body:
    return {
        "action": action,
        "installation": {"uuid": "a8e5d37a"},
        "data": {
            "issue": {
                "id": "1170820242",
                "shortId": "SHOP-3",
                "title": "KeyError: 'uid'",
                "culprit": "shop.api in checkout",
                "level": "error",
                "status": action,
                "count": "31",
                "userCount": 7,
                "firstSeen": "2026-01-01T09:00:00Z",
                "lastSeen": "2026-01-01T10:00:00Z",
                "project": {"id": "1", "slug": "shop", "name": "Shop"},
                "metadata": {"type": "KeyError", "value": "'uid'"},
            }
            | issue
        },
    }


def sentry_metric(action: str = "critical") -> Body:
    return {
        "action": action,
        "data": {
            "description_title": "Critical: Too many errors",
            "description_text": "1000 events in the last 10 minutes",
            "web_url": "https://sentry.test/organizations/acme/alerts/4/",
            "metric_alert": {
                "id": "4",
                "identifier": "1",
                "date_started": "2026-01-01T10:00:00Z",
                "date_closed": "2026-01-01T10:30:00Z" if action == "resolved" else None,
                "alert_rule": {
                    "name": "Too many errors",
                    "aggregate": "count()",
                    "environment": "production",
                },
            },
        },
    }
