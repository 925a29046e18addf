"""The audit log over HTTP and by the command: who did what is told, filtered, written out and verified."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api.storage import audit_list, audit_seals
from hefesto_api.web import refusals
from tests import tampering
from tests.access import make_key, required_service  # noqa: F401 - fixture
from tests.answers import data_of

if TYPE_CHECKING:
    from hefesto_api.storage.audit_list import Entry
    from tests.features.conftest import Service

LOGS = "/api/v1/audit-logs"


def make_project(service: Service, slug: str = "shop", **more: Any) -> None:
    assert (
        service.client.post("/api/v1/projects", json={"slug": slug, "name": slug, **more}).status_code == 201
    )


def logged(service: Service) -> list[Entry]:
    """Return all entries, the oldest first, without asking over HTTP."""
    return list(audit_list.every(service.runtime.db, audit_list.Filter()))


def test_a_change_is_told_with_who_and_from_where(any_service: Service) -> None:
    answer = any_service.client.post(
        "/api/v1/projects",
        json={"slug": "shop", "name": "Shop"},
        headers={"X-Request-ID": "r-1", "User-Agent": "tests/1"},
    )
    assert answer.status_code == 201
    (entry,) = any_service.get("/audit-logs", request_id="r-1")["audit_logs"]
    assert entry["action"] == "project.created"
    assert (entry["resource_type"], entry["resource_id"], entry["project"]) == ("project", "shop", "shop")
    assert entry["changes"]["name"] == {"from": None, "to": "Shop"}
    assert (entry["ip_address"], entry["user_agent"]) == ("127.0.0.1", "tests/1")
    assert (entry["user_id"], entry["outcome"]) == ("anonymous", "success")
    assert any_service.get(f"/audit-logs/{entry['id']}") == entry
    verdict = any_service.get("/audit-logs/verify")
    assert (verdict["valid"], verdict["first_bad"]) == (True, None)
    assert verdict["checked"] >= 1


def test_the_list_is_paged_by_key_and_sorted(idle: Service) -> None:
    for number in range(5):
        make_project(idle, f"p{number}")
    first = idle.get("/audit-logs", limit=2)
    assert first["total_count"] == 5
    assert [item["resource_id"] for item in first["audit_logs"]] == ["p4", "p3"]
    seen = list(first["audit_logs"])
    cursor = first["pagination"]["next_cursor"]
    while cursor:
        part = idle.get("/audit-logs", limit=2, cursor=cursor)
        seen += part["audit_logs"]
        cursor = part["pagination"]["next_cursor"]
    assert [item["resource_id"] for item in seen] == ["p4", "p3", "p2", "p1", "p0"]
    oldest = idle.get("/audit-logs", sort="timestamp", limit=1, fields="resource_id")
    assert oldest["audit_logs"] == [{"resource_id": "p0"}]
    assert idle.client.get(f"{LOGS}?cursor=e30").status_code == 422
    assert idle.client.get(f"{LOGS}?outcome=perhaps").status_code == 422


def test_the_list_is_filtered(idle: Service) -> None:
    make_project(idle)
    make_project(idle, "other")
    assert idle.client.delete("/api/v1/projects/other").status_code == 204
    assert idle.get("/audit-logs", action="project.deleted")["total_count"] == 1
    assert idle.get("/audit-logs", resource_id="other", resource_type="project")["total_count"] == 2
    assert idle.get("/audit-logs", project="shop", user_id="anonymous")["total_count"] == 1
    assert idle.get("/audit-logs", ip_address="192.0.2.1")["total_count"] == 0
    assert idle.get("/audit-logs", q="DELETED")["total_count"] == 1
    assert idle.get("/audit-logs", start_date="2000-01-01", end_date="2000-01-02")["total_count"] == 0
    assert idle.get("/audit-logs", start_date="2000-01-01", outcome="success")["total_count"] == 3


def test_an_edit_past_the_service_is_told_where_it_is(idle: Service) -> None:
    for slug in ("a", "b", "c"):
        make_project(idle, slug)
    second = logged(idle)[1].id
    tampering.run(idle.runtime.db, "UPDATE audit_logs SET user_id = 'eve' WHERE id = :id", id=second)
    verdict = idle.get("/audit-logs/verify")
    assert (verdict["valid"], verdict["checked"], verdict["first_bad"]) == (False, 2, second)
    tampering.run(idle.runtime.db, "DELETE FROM audit_logs WHERE number = 3")
    warnings = idle.client.get("/health/deep").get_json()["data"]["warnings"]
    assert any("past the service" in warning for warning in warnings)


def test_a_seal_that_was_noted_is_looked_for(idle: Service) -> None:
    make_project(idle)
    seal = audit_seals.seal(idle.runtime.db, idle.runtime.ledger)
    assert idle.get("/audit-logs/verify", seal=str(seal))["valid"] is True
    assert idle.get("/audit-logs/verify")["seal"] == str(seal)
    assert idle.get("/audit-logs/verify", seal=f"1:{'0' * 64}")["valid"] is False
    assert idle.client.get(f"{LOGS}/verify?seal=newest").status_code == 422


def test_the_log_is_exported_as_lines_and_as_a_table(idle: Service) -> None:
    make_project(idle, "shop")
    idle.client.post("/api/v1/projects", json={"slug": "x", "name": "=cmd|' /C calc'!A0"})
    answer = idle.client.get(f"{LOGS}/export", headers={"User-Agent": "=1+1"})
    assert answer.mimetype == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert lines == list(reversed(idle.get("/audit-logs")["audit_logs"]))
    answer = idle.client.get(f"{LOGS}/export?format=csv&resource_id=x")
    assert answer.mimetype == "text/csv"
    assert 'filename="hefesto-audit-' in answer.headers["Content-Disposition"]
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert (row["action"], row["resource_id"]) == ("project.created", "x")
    assert json.loads(row["changes"])["name"]["to"] == "=cmd|' /C calc'!A0"


def test_nothing_of_the_log_can_be_written_over_http(idle: Service) -> None:
    make_project(idle)
    entry = logged(idle)[0]
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        for path in (LOGS, f"{LOGS}/{entry.id}", f"{LOGS}/verify"):
            assert idle.client.open(path, method=method, json={}).status_code == 405
    assert idle.client.get(f"{LOGS}/0198c0de-0000-7000-8000-000000000000").status_code == 404


def test_a_change_that_cannot_be_told_is_not_made(any_service: Service) -> None:
    make_project(any_service)
    db = any_service.runtime.db
    refuse, undo = (
        ("CREATE TRIGGER never BEFORE INSERT ON audit_logs BEGIN SELECT RAISE(ABORT, 'no'); END",
         "DROP TRIGGER never")
        if db.is_sqlite
        else ("ALTER TABLE audit_logs ADD CONSTRAINT never CHECK (false) NOT VALID",
              "ALTER TABLE audit_logs DROP CONSTRAINT never")
    )  # fmt: skip
    with db.schema() as session:
        session.exec_driver_sql(refuse)
    for method, path, body in (
        ("POST", "/api/v1/projects", {"slug": "other", "name": "Other"}),
        ("PATCH", "/api/v1/projects/shop", {"name": "Changed"}),
        ("DELETE", "/api/v1/projects/shop", None),
        ("POST", "/api/v1/iris/sources", {"source": "sentry", "secret": "s" * 40}),
        ("POST", "/api/v1/deployments", {"release": "1.0"}),
    ):
        answer = any_service.client.open(path, method=method, json=body)
        assert (answer.status_code, answer.get_json()["error"]["code"]) == (503, "STORAGE_ERROR"), path
        assert answer.get_json()["error"]["details"]["service"] == "audit"
    with db.schema() as session:
        session.exec_driver_sql(undo)
    assert [item["name"] for item in any_service.get("/projects")["projects"]] == ["shop"]
    assert any_service.get("/iris/sources")["total_count"] == 0
    assert any_service.get("/deployments")["total_count"] == 0
    assert any_service.get("/audit-logs/verify")["valid"] is True


def test_a_secret_does_not_enter(idle: Service) -> None:
    secret = "canary-" + "s" * 40
    made = idle.client.post("/api/v1/iris/sources", json={"source": "sentry", "secret": secret})
    path = f"/api/v1/iris/sources/{data_of(made)['id']}"
    assert idle.client.patch(path, json={"secret": secret + "2"}).status_code == 200
    assert idle.client.delete(path).status_code == 204
    text = idle.client.get(f"{LOGS}/export").text
    assert [json.loads(line)["action"] for line in text.splitlines()] == [
        "project.created",
        "alert_source.created",
        "alert_source.updated",
        "alert_source.deleted",
    ]
    assert "canary" not in text


def test_a_request_that_is_sent_again_is_told_once(idle: Service) -> None:
    for _ in range(2):
        answer = idle.client.post(
            "/api/v1/projects", json={"slug": "shop", "name": "Shop"}, headers={"Idempotency-Key": "k"}
        )
        assert answer.status_code == 201
    assert [entry.action for entry in logged(idle)] == ["project.created"]


def test_refused_access_is_told(required_service: Service) -> None:  # noqa: F811
    client = required_service.client
    viewer = make_key(required_service, "viewer", name="ana's")
    bound = make_key(required_service, "admin", projects=["shop"])
    assert client.get("/api/v1/projects", headers={"X-Request-ID": "r-1"}).status_code == 401
    bad = {"Authorization": "Bearer hef_no", "X-Request-ID": "r-2"}
    assert client.get("/api/v1/projects", headers=bad).status_code == 401
    answer = client.post(
        "/api/v1/projects", json={"slug": "x", "name": "x"}, headers={**viewer, "X-Request-ID": "r-3"}
    )
    assert answer.status_code == 403
    assert client.get("/api/v1/projects/other", headers={**bound, "X-Request-ID": "r-4"}).status_code == 404
    told = {entry.request_id: entry for entry in logged(required_service)}
    assert {entry.action for entry in told.values()} == {"access.refused"}
    assert [told[name].changes["status"] for name in ("r-1", "r-2", "r-3", "r-4")] == [401, 401, 403, 404]
    assert {entry.outcome for entry in told.values()} == {"refused"}
    assert (told["r-3"].user_name, told["r-3"].changes["required_scope"]) == ("ana's", "manage:projects")
    assert (told["r-4"].resource_type, told["r-4"].resource_id) == ("project", "other")
    assert "hef_no" not in json.dumps([entry.changes for entry in told.values()])


def test_the_log_is_for_admins_of_everything(required_service: Service) -> None:  # noqa: F811
    client = required_service.client
    for path in (LOGS, f"{LOGS}/verify", f"{LOGS}/export", f"{LOGS}/0198c0de-0000-7000-8000-000000000000"):
        assert client.get(path).status_code == 401
        assert client.get(path, headers=make_key(required_service, "operator")).status_code == 403
        assert (
            client.get(path, headers=make_key(required_service, "admin", projects=["shop"])).status_code
            == 403
        )
        assert client.get(path, headers=make_key(required_service, "admin")).status_code in {200, 404}


def test_a_flood_of_refusals_is_counted(
    required_service: Service,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(refusals, "FIRST", 3)
    client = required_service.client
    for _ in range(40):
        assert client.get("/api/v1/projects").status_code == 401
    assert len(logged(required_service)) == 3
    required_service.runtime.endings[0]()
    last = logged(required_service)[-1]
    assert (last.action, last.changes["count"], last.request_id) == ("access.refused", 37, None)
    assert last.ip_address == "127.0.0.1"
    required_service.runtime.endings[0]()
    assert len(logged(required_service)) == 4


def test_a_failed_login_names_the_account(required_service: Service) -> None:  # noqa: F811
    wanted = {"email": "eve@example.com", "password": "canary password of eve"}
    assert required_service.client.post("/api/v1/auth/login", json=wanted).status_code == 401
    (entry,) = logged(required_service)
    assert (entry.action, entry.outcome) == ("login.failed", "failed")
    assert entry.changes["email"] == "eve@example.com"
    assert "canary" not in json.dumps(entry.changes)
