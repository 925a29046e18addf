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


def glitchtip(*attachments: Any, **more: Any) -> Body:
    return {
        "alias": "GlitchTip",
        "text": "GlitchTip Alert",
        "attachments": list(attachments) or [glitchtip_issue()],
        "sections": [{"activityTitle": "KeyError: 'uid'"}],
    } | more


def glitchtip_issue(issue: int = 123, **more: Any) -> Body:
    return {
        "title": "KeyError: 'uid'",
        "title_link": f"https://glitchtip.test/acme/issues/{issue}",
        "text": "shop.api in checkout",
        "image_url": None,
        "color": "#e52b50",
        "fields": [
            {"title": "Project", "value": "shop", "short": True},
            {"title": "Environment", "value": "production", "short": True},
            {"title": "Release", "value": "shop@3f1c9e7", "short": False},
            {"title": "Server Name", "value": "web-1", "short": True},
        ],
        "mrkdown_in": ["text"],
    } | more


def rollbar(event_name: str = "new_item", occurrence: Any = None, **item: Any) -> Body:
    seen = {
        "uuid": "d2036647-e0b7-4cad-bc98-934831b9b6d1",
        "level": "error",
        "language": "python",
        "timestamp": 1767261600,
        "environment": "production",
        "code_version": "3f1c9e7a",
        "server": {"host": "web-1", "root": "/srv/app", "branch": "main"},
        "body": {
            "trace_chain": [
                {
                    "exception": {"class": "KeyError", "message": "'uid'"},
                    "frames": [
                        {"filename": "shop/api.py", "lineno": 88, "method": "checkout"},
                        {
                            "filename": "shop/db.py",
                            "lineno": 42,
                            "method": "load_user",
                            "code": "  return row",
                        },
                    ],
                },
                {
                    "exception": {"class": "IndexError", "message": "row"},
                    "frames": [{"filename": "shop/rows.py", "lineno": 7, "method": "row"}],
                },
            ]
        },
    } | (occurrence or {})
    return {
        "event_name": event_name,
        "data": {
            "item": {
                "id": 272716944,
                "counter": 4,
                "title": "KeyError: 'uid'",
                "environment": "production",
                "level": 40,
                "project_id": 90,
                "total_occurrences": 3,
                "unique_occurrences": 2,
                "last_occurrence_id": 481761639,
                "last_occurrence_timestamp": 1767261600,
                "last_occurrence": seen,
            }
            | item
        },
    }


def rollbar_deploy(**deploy: Any) -> Body:
    return {
        "event_name": "deploy",
        "data": {
            "deploy": {
                "id": 187585,
                "project_id": 90,
                "environment": "production",
                "revision": COMMIT,
                "local_username": "ana",
                "comment": "Friday",
                "start_time": 1767261540,
                "finish_time": 1767261600,
            }
            | deploy
        },
    }


def pagerduty(event_action: str = "trigger", **more: Any) -> Body:
    return {
        "routing_key": "0123456789abcdef0123456789abcdef",
        "event_action": event_action,
        "dedup_key": "shop/checkout",
        "payload": {
            "summary": "KeyError: 'uid' in checkout",
            "source": "shop",
            "severity": "error",
            "timestamp": "2026-01-01T10:00:00.000+0000",
            "component": "shop/db.py",
            "class": "KeyError",
            "custom_details": {
                "stacktrace": "Traceback (most recent call last):\n  ...",
                "release": "2026.1",
                "commit": COMMIT,
                "environment": "production",
            },
        },
        "links": [{"href": "https://wiki.test/runbook", "text": "Runbook"}, {"href": "javascript:alert(1)"}],
        "client": "Shop monitor",
        "client_url": "https://monitor.test/",
    } | more


def pagerduty_change(summary: str = "Deploy of shop", **details: Any) -> Body:
    return {
        "routing_key": "0123456789abcdef0123456789abcdef",
        "payload": {
            "summary": summary,
            "timestamp": "2026-01-01T10:00:00Z",
            "source": "shop",
            "custom_details": {"release": "2026.1", "environment": "production"} | details,
        },
        "links": [{"href": "https://ci.test/build/7", "text": "Build"}],
    }


def attributes(**told: Any) -> list[Body]:
    return [{"key": name.replace("__", "."), "value": value} for name, value in told.items()]


def said(text: str) -> Body:
    return {"stringValue": text}


TRACE = (
    "Traceback (most recent call last):\n"
    '  File "/srv/app/shop/db.py", line 42, in load_user\n'
    "KeyError: 'uid'"
)
EXCEPTION = attributes(
    exception__type=said("KeyError"), exception__message=said("'uid'"), exception__stacktrace=said(TRACE)
)
RESOURCE = {
    "attributes": attributes(
        service__name=said("shop"),
        service__version=said("2026.1"),
        deployment__environment__name=said("production"),
        vcs__ref__head__revision=said(COMMIT),
        process__pid={"intValue": "4242"},
    )
}
SPAN = {"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174"}


def otlp_record(**more: Any) -> Body:
    return {
        "timeUnixNano": "1767261600000000000",
        "severityNumber": 21,
        "severityText": "FATAL",
        "body": said("checkout failed"),
        "attributes": EXCEPTION,
    } | (SPAN | more)


def otlp(*records: Any) -> Body:
    logs = list(records) or [otlp_record()]
    return {
        "resourceLogs": [
            {"resource": RESOURCE, "scopeLogs": [{"scope": {"name": "shop"}, "logRecords": logs}]}
        ]
    }


def otlp_spans(*events: Any) -> Body:
    told = list(events) or [
        {"timeUnixNano": "1767261600000000001", "name": "exception", "attributes": EXCEPTION}
    ]
    span = SPAN | {"name": "POST /checkout", "kind": 2, "events": told}
    return {"resourceSpans": [{"resource": RESOURCE, "scopeSpans": [{"spans": [span]}]}]}


def cloudevent(**more: Any) -> Body:
    return {
        "specversion": "1.0",
        "id": "evt-1",
        "source": "https://monitor.test/shop",
        "type": "test.monitor.error.raised",
        "subject": "checkout",
        "time": "2026-01-01T10:00:00Z",
        "datacontenttype": "application/json",
        "data": {"error_type": "KeyError", "error_message": "'uid'", "severity": "high", "service": "shop"},
    } | more


def cdevent() -> Body:
    content = {"environment": {"id": "production"}, "artifactId": f"pkg:oci/shop@{COMMIT}"}
    data = {"context": {"id": "1"}, "subject": {"id": "shop", "content": content}}
    return cloudevent(type="dev.cdevents.service.deployed.0.1.1", id="evt-2", data=data)


SAMPLES: list[tuple[str, Body]] = [
    ("native", native()),
    ("native", {"alerts": [native(), native(alert_type="deployment")]}),
    ("alertmanager", alertmanager(alertmanager_alert(), alertmanager_alert(status="resolved"))),
    ("grafana", grafana()),
    ("sentry", sentry()),
    ("sentry", sentry_issue()),
    ("sentry", sentry_metric()),
    ("glitchtip", glitchtip(glitchtip_issue(), glitchtip_issue(7))),
    ("rollbar", rollbar()),
    ("rollbar", rollbar("resolved_item")),
    ("rollbar", rollbar_deploy()),
    ("pagerduty", pagerduty()),
    ("pagerduty", pagerduty_change()),
    ("otlp", otlp(otlp_record(), otlp_record(spanId="aa"))),
    ("otlp", otlp_spans()),
    ("cloudevents", cloudevent()),
    ("cloudevents", cdevent()),
]
