"""One service with two projects that hold a row of everything, each row marked with its project's word.

What the access matrix asks with: the values that name things of a project, the same for things that do not
exist, and for each operation the bodies and queries that get past validation.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from hefesto_api.domain import clock, ids
from hefesto_api.features.auth import links
from hefesto_api.storage import identities, jobs, oauth_grants, outbox, sessions
from hefesto_api.storage.identities import IdentityRecord
from hefesto_api.storage.oauth_grants import GrantRecord
from hefesto_api.storage.projects import projects
from tests.access import make_key, make_user
from tests.answers import data_of
from tests.features.repositories import Repository
from tests.formats.alerts import samples

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.features.conftest import Service

    Values = dict[str, str]
    Body = dict[str, Any]
    # From the values aimed at and the caller's own to a body.
    Bodies = Callable[[Values, Values], list[Body]]

API = "/api/v1"
SLUGS = ("zqalpha", "zqbeta")
PASSWORD = "a long and unusual passphrase"
CODE = """\
def find_{word}(items, key):
    for item in items:
        if item["key"] == key:
            return item
    return None


def name_of_{word}(items, key):
    item = find_{word}(items, key)
    return eval(item["name"].strip())


def again_{word}(text):
    return eval(text)
"""
TRACE = """\
Traceback (most recent call last):
  File "/opt/{word}/names.py", line 10, in name_of_{word}
    return eval(item["name"].strip())
TypeError: 'NoneType' object is not subscriptable in {word}
"""
SARIF = {
    "version": "2.1.0",
    "runs": [
        {
            "tool": {"driver": {"name": "other"}},
            "results": [
                {
                    "ruleId": "X1",
                    "message": {"text": "found"},
                    "locations": [
                        {
                            "physicalLocation": {
                                "artifactLocation": {"uri": "a.py"},
                                "region": {"startLine": 1},
                            }
                        }
                    ],
                }
            ],
        }
    ],
}


class Place(NamedTuple):
    """A project of the world: its values, by the names that templates and bodies use."""

    slug: str
    values: Values


def build(service: Service) -> dict[str, Place]:
    """Fill a service and return its projects by slug."""
    admin = make_key(service, "admin", name="the builder")
    service.client.environ_base["HTTP_AUTHORIZATION"] = admin["Authorization"]
    try:
        places = {slug: _place(service, slug) for slug in SLUGS}
        for place in places.values():  # nobody works off any more what is asked for now
            asked = {"path": place.values["root"], "project": place.slug, "async": True}
            waiting = data_of(service.client.post(f"{API}/analyze", json=asked))
            place.values["waiting_id"] = waiting["analysis_id"]
        return places
    finally:
        del service.client.environ_base["HTTP_AUTHORIZATION"]


def nothing(like: Values) -> Values:
    """Return values of the same form that name nothing; one of an id differs in its last digits alone."""
    return {name: _unlike(value) for name, value in like.items()}


def _unlike(value: str) -> str:
    if len(value) == 36 and value.count("-") == 4:
        return value[:24] + "ffffffffffff"
    return value.replace("zqalpha", "zqomega").replace("zqbeta", "zqomeg")


def _place(service: Service, slug: str) -> Place:
    def post(path: str, body: Body) -> Any:
        answer = service.client.post(f"{API}{path}", json=body)
        assert answer.status_code < 300, (path, answer.get_json())
        return data_of(answer)

    def get(path: str) -> Any:
        return data_of(service.client.get(f"{API}{path}"))

    root = service.root / slug
    repository = Repository(root)
    code = CODE.format(word=slug)
    commit = repository.commit(f"Begin {slug}", **{f"{slug}__names": code}, CODEOWNERS=f"* @{slug}")
    (root / "CODEOWNERS").write_text(f"* @{slug}\n")
    post(
        "/projects",
        {"slug": slug, "name": f"Shop {slug}", "root_path": str(root), "service_names": [f"{slug}-service"]},
    )
    analysis = post("/analyze", {"path": str(root), "project": slug, "async": True})["analysis_id"]
    service.worker.drain()
    batch = post("/analyze/batch", {"paths": [str(root)], "project": slug})["batch_id"]
    service.worker.drain()
    found = get(f"/findings?project={slug}&status=all&limit=50")["findings"]
    twins = [item["id"] for item in found if "eval" in str(item).lower()][:2]
    assert len(twins) == 2, found
    alert = {"alert_id": f"{slug}-alert", "project": slug, "title": f"{slug} is down", "severity": "HIGH"}
    alert_id = post("/alerts", {**alert, "stacktrace": TRACE.format(word=slug)})["id"]
    again = {**alert, "alert_id": f"{slug}-again", "service_name": f"{slug}-service"}
    post("/alerts", {**again, "stacktrace": TRACE.format(word=slug)})
    (occurrence, *_) = get(f"/alerts/{alert_id}/occurrences")["occurrences"]
    other_alert = post("/alerts", {"alert_id": f"{slug}-other", "project": slug, "group_id": f"{slug}-g"})[
        "id"
    ]
    later = {"starts_at": "2026-12-01", "ends_at": "2027-01-01"}
    window = post("/alerts/maintenance-windows", {"project": slug, "comment": f"of {slug}", **later})["id"]
    crash = {"alert_id": f"{slug}-crash", "project": slug, "stacktrace": TRACE.format(word=slug)}
    correlation = post("/iris/correlate-alert", crash)["correlation_id"]
    marker = {"project": slug, "commit_hash": commit, "release": f"{slug}-1.0", "environment": f"{slug}-env"}
    deployment = post("/deployments", marker)["id"]
    token = f"a-token-of-{slug}-0123456789"
    source = post("/iris/sources", {"source": "rollbar", "project": slug, "token": token})["id"]
    sender = service.client.application.test_client()  # who shows no key but the token
    sent = sender.post(f"{API}/iris/webhook/rollbar?token={token}", json=samples.rollbar())
    webhook = data_of(sent)["webhook_id"]
    service.worker.drain()
    hook = {"name": f"of {slug}", "url": f"http://{slug}.invalid/", "project": slug, "is_active": True}
    outgoing = post("/webhooks", hook)["id"]
    with service.runtime.db.write() as session:
        of_project = str(
            session.execute(projects.select().where(projects.c.slug == slug)).mappings().one()["id"]
        )
        outbox.append(session, "finding.created", {"count": 1}, project_id=of_project)
    service.worker.dispatcher.take_in()
    delivery = get(f"/webhooks/{outgoing}/deliveries")["deliveries"][0]["id"]
    key = post("/auth/api-keys", {"name": f"a key of {slug}", "role": "viewer", "projects": [slug]})["id"]
    wanted = {"name": f"a client of {slug}", "scopes": ["read:findings"], "projects": [slug]}
    oauth = post("/auth/oauth-clients", wanted)["id"]
    user = make_user(service, f"{slug}@example.com", "developer", projects=[slug])
    (entry, *_) = get(f"/audit-logs?project={slug}&limit=1")["audit_logs"]
    now = clock.now()
    with service.runtime.db.write() as session:
        login = sessions.start(
            session,
            user.id,
            user.token_epoch,
            sessions.Place("203.0.113.9", "203.0.113.9", f"a browser of {slug}"),
            now=now,
            until=now + timedelta(days=1),
        ).id
        grant = ids.new_id()
        given = GrantRecord(grant, oauth, user.id, ["read:findings"], 0, now, now + timedelta(days=1))
        oauth_grants.add(session, given)
        known = IdentityRecord("https://id.invalid", slug, user.id, f"{slug}@example.com", now)
        identities.add(session, known)
        job = jobs.enqueue(session, "unknown", {"of": slug})
        session.execute(jobs.jobs.update().where(jobs.jobs.c.id == job).values(status="dead"))
        told = session.execute(projects.select().where(projects.c.slug == slug)).mappings().one()
    values = {
        "slug": slug,
        "root": str(root),
        "project_id": str(told["id"]),
        "analysis_id": analysis,
        "batch_id": batch,
        "finding_id": twins[0],
        "twin_id": twins[1],
        "file_path": f"{slug}/names.py",
        "alert_id": alert_id,
        "occurrence_id": occurrence["id"],
        "other_alert_id": other_alert,
        "window_id": window,
        "alert_name": f"{slug}-alert",
        "crash_name": f"{slug}-crash",
        "service_name": f"{slug}-service",
        "correlation_id": correlation,
        "deployment_id": deployment,
        "commit": commit,
        "release": f"{slug}-1.0",
        "environment": f"{slug}-env",
        "source_id": source,
        "webhook_id": webhook,
        "outgoing_id": outgoing,
        "delivery_id": delivery,
        "job_id": job,
        "entry_id": entry["id"],
        "key_id": key,
        "client_id": oauth,
        "user_id": user.id,
        "session_id": login,
        "identity_id": links.id_of(known),
        "grant_id": grant,
        "email": f"{slug}@example.com",
        "function": f"find_{slug}",
    }
    return Place(slug, values)


def query_variants(operation: str, named: list[str], values: Values) -> list[Mapping[str, str]]:
    """Return the queries that name what the values name: what is required, then each other parameter too."""
    needed = {name: values.get(of, of) for name, of in NEEDED.get(operation, {}).items()}
    others = [name for name in named if name in NAMING and name not in needed]
    return [needed, *({**needed, name: values[NAMING[name]]} for name in others)]


NEEDED: dict[str, dict[str, str]] = {
    "POST /api/v1/findings/import": {"project": "slug"},
    "GET /api/v1/projects/{slug}/owners": {"path": "file_path"},
    "GET /api/v1/iris/code-context": {"file_path": "file_path", "line_number": "1", "project": "slug"},
}
NAMING = {
    "project": "slug",
    "file_path": "file_path",
    "alert_id": "alert_name",
    "analysis_id": "analysis_id",
    "commit_hash": "commit",
    "service_name": "service_name",
    "environment": "environment",
    "q": "slug",
    "path": "file_path",
    "user_id": "user_id",
    "resource_id": "finding_id",
}


def _alert(v: Values, own: Values, **more: Any) -> Body:
    return {"alert_id": v["alert_name"], "title": "down", "stacktrace": TRACE.format(word="x"), **more}


BODIES: dict[str, Bodies] = {
    "POST /api/v1/projects": lambda v, own: [{"slug": v["slug"], "name": "taken over"}],
    "PATCH /api/v1/projects/{slug}": lambda v, own: [{"name": "renamed"}],
    "POST /api/v1/analyze": lambda v, own: [
        {"path": own["root"], "project": v["slug"], "async": True},
        {"path": v["root"], "project": own["slug"], "async": True},
        {"files": [{"path": "a.py", "content": "x = 1\n"}], "project": v["slug"], "async": True},
    ],
    "POST /api/v1/analyze/batch": lambda v, own: [
        {"paths": [own["root"]], "project": v["slug"]},
        {"paths": [v["root"]], "project": own["slug"]},
    ],
    "POST /api/v1/findings/import": lambda v, own: [SARIF],
    "PATCH /api/v1/findings": lambda v, own: [
        {"ids": [v["finding_id"]], "status": "acknowledged"},
        {"filter": {"project": v["slug"]}, "status": "acknowledged"},
    ],
    "PATCH /api/v1/findings/{finding_id}": lambda v, own: [{"status": "acknowledged"}],
    "POST /api/v1/findings/{finding_id}/merge": lambda v, own: [{"into": v["twin_id"]}],
    "POST /api/v1/findings/{finding_id}/split": lambda v, own: [{"finding": v["twin_id"]}],
    "POST /api/v1/alerts": lambda v, own: [
        _alert(v, own, project=v["slug"]),
        _alert(v, own, service_name=v["service_name"]),
    ],
    "POST /api/v1/alerts/acknowledge-batch": lambda v, own: [{"ids": [v["alert_id"]]}],
    "POST /api/v1/alerts/{alert_id}/acknowledge": lambda v, own: [{"comment": "mine"}],
    "POST /api/v1/alerts/{alert_id}/ack": lambda v, own: [{"comment": "mine"}],
    "POST /api/v1/alerts/{alert_id}/resolve": lambda v, own: [{"comment": "mine"}],
    "POST /api/v1/alerts/maintenance-windows": lambda v, own: [
        {"project": v["slug"], "ends_at": "2027-01-01", "starts_at": "2026-12-01"}
    ],
    "PATCH /api/v1/alerts/maintenance-windows/{window_id}": lambda v, own: [{"comment": "longer"}],
    "POST /api/v1/alerts/{alert_id}/split": lambda v, own: [{"occurrences": [v["occurrence_id"]]}],
    "POST /api/v1/alerts/{alert_id}/merge": lambda v, own: [{"into": v["other_alert_id"]}],
    "POST /api/v1/iris/sources": lambda v, own: [
        {"source": "sentry", "project": v["slug"], "secret": "a-secret-of-16-characters"}
    ],
    "PATCH /api/v1/iris/sources/{source_id}": lambda v, own: [{"token": "another-token-0123456789"}],
    "POST /api/v1/webhooks": lambda v, own: [
        {"name": "mine", "url": "http://mine.invalid/", "project": v["slug"]}
    ],
    "PUT /api/v1/webhooks/{outgoing_id}": lambda v, own: [
        {"name": "mine", "url": "http://mine.invalid/", "project": own["slug"]}
    ],
    "PATCH /api/v1/webhooks/{outgoing_id}": lambda v, own: [{"name": "renamed"}],
    "POST /api/v1/webhooks/{outgoing_id}/rotate-secret": lambda v, own: [{"grace_seconds": 0}],
    "POST /api/v1/iris/correlate-alert": lambda v, own: [
        _alert(v, own, project=v["slug"]),
        _alert(v, own, service_name=v["service_name"]),
    ],
    "POST /api/v1/correlation": lambda v, own: [_alert(v, own, project=v["slug"])],
    "POST /api/v1/iris/correlations/{correlation_id}/feedback": lambda v, own: [
        {"verdict": "rejected", "finding_id": v["finding_id"]},
        {"verdict": "confirmed", "function": v["function"], "file_path": v["file_path"]},
    ],
    "POST /api/v1/alerts/enrich": lambda v, own: [
        {
            "alert_id": v["alert_name"],
            "project": v["slug"],
            "file_path": v["file_path"],
            "line_number": 3,
        },
        {"alert_id": v["alert_name"], "service_name": v["service_name"], "file_path": v["file_path"]},
    ],
    "POST /api/v1/deployments": lambda v, own: [
        {"project": v["slug"], "commit_hash": v["commit"], "environment": "production"}
    ],
}
BODIES |= {
    "POST /api/v1/cache/warm": lambda v, own: [{"targets": ["projects"]}],
    "POST /api/v1/cache/invalidate": lambda v, own: [{"tags": ["alerts"]}],
    "POST /api/v1/auth/api-keys": lambda v, own: [
        {"name": "mine", "projects": [v["slug"]], "scopes": ["read:findings"]},
        {"name": "mine", "user_id": v["user_id"], "projects": [own["slug"]], "role": "viewer"},
    ],
    "PATCH /api/v1/auth/api-keys/{key_id}": lambda v, own: [{"name": "renamed"}],
    "POST /api/v1/auth/api-keys/{key_id}/rotate": lambda v, own: [{}],
    "POST /api/v1/auth/oauth-clients": lambda v, own: [
        {"name": "mine", "projects": [v["slug"]], "scopes": ["read:findings"]}
    ],
    "PATCH /api/v1/auth/oauth-clients/{client_id}": lambda v, own: [{"name": "renamed"}],
    "POST /api/v1/auth/users": lambda v, own: [{"email": v["email"], "role": "viewer"}],
    "PATCH /api/v1/auth/users/{user_id}": lambda v, own: [{"role": "viewer"}],
}
# What only a server that keeps connections open answers; the tests of the live feed ask there.
HELD_OPEN = frozenset({"GET /api/v1/events/stream"})
# What names a thing of another project in what is asked about one's own.
CROSSED: dict[str, Bodies] = {
    "PATCH /api/v1/projects/{slug}": lambda v, own: [
        {"root_path": v["root"]},
        {"service_names": [v["service_name"]]},
    ],
    "POST /api/v1/findings/{finding_id}/merge": lambda v, own: [{"into": v["twin_id"]}],
    "POST /api/v1/findings/{finding_id}/split": lambda v, own: [{"finding": v["twin_id"]}],
    "POST /api/v1/alerts/{alert_id}/split": lambda v, own: [{"occurrences": [v["occurrence_id"]]}],
    "POST /api/v1/alerts/{alert_id}/merge": lambda v, own: [{"into": v["other_alert_id"]}],
    "PATCH /api/v1/iris/sources/{source_id}": lambda v, own: [{"project": v["slug"]}],
    "PATCH /api/v1/webhooks/{outgoing_id}": lambda v, own: [{"project": v["slug"]}],
    "POST /api/v1/iris/correlations/{correlation_id}/feedback": lambda v, own: [
        {"verdict": "confirmed", "finding_id": v["finding_id"]},
    ],
}
# Operations with a body that names nothing of a project: they are about the caller, whoever that is.
OF_THE_CALLER = frozenset(
    {
        "POST /api/v1/auth/register",
        "POST /api/v1/auth/login",
        "POST /api/v1/auth/refresh",
        "POST /api/v1/auth/logout",
        "POST /api/v1/auth/oidc/link",
        "POST /api/v1/auth/password",
        "POST /api/v1/auth/mfa/setup",
        "POST /api/v1/auth/mfa/verify",
        "POST /api/v1/auth/mfa/backup-codes",
        "POST /api/v1/auth/mfa/disable",
    }
)
# Of these there are only a user's own, or an admin's to see.
OF_USERS = frozenset(
    {
        "GET /api/v1/auth/me",
        "GET /api/v1/auth/sessions",
        "DELETE /api/v1/auth/sessions",
        "DELETE /api/v1/auth/sessions/{session_id}",
        "GET /api/v1/auth/oauth-grants",
        "DELETE /api/v1/auth/oauth-grants/{grant_id}",
        "POST /api/v1/auth/ws-ticket",
        "GET /api/v1/auth/oidc/identities",
        "DELETE /api/v1/auth/oidc/identities/{identity_id}",
    }
)
# What there is already, or is not any more, when one's own is asked about in turn.
CONFLICTS = frozenset(
    {
        "POST /api/v1/iris/correlations/{correlation_id}/advice",  # no language model is set up
        "POST /api/v1/projects",
        "POST /api/v1/auth/users",
        "POST /api/v1/findings/{finding_id}/split",
        "POST /api/v1/alerts/{alert_id}/split",
        "POST /api/v1/alerts/{alert_id}/merge",
        "DELETE /api/v1/auth/users/{user_id}/mfa",
    }
)
# What paths name besides, the same for everybody.
GIVEN = {"source": "rollbar"}
# Where a path's parameter is of another of the values than its name says.
PATHS: dict[str, dict[str, str]] = {
    "POST /api/v1/analyze/{analysis_id}/cancel": {"analysis_id": "waiting_id"},
}
