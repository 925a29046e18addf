"""Maintenance windows: alerts within are recorded and marked, not announced, and never lost."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api.domain import clock
from hefesto_api.features.alerts import maintenance
from hefesto_api.features.alerts.schemas import (
    AlertListSchema,
    MaintenanceWindowListSchema,
    MaintenanceWindowSchema,
)
from hefesto_api.storage import outbox
from tests.access import make_key
from tests.answers import data_of, error_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.features.conftest import Service

ALERTS = "/api/v1/alerts"
PLACE = f"{ALERTS}/maintenance-windows"
HOUR = timedelta(hours=1)


@pytest.fixture
def quiet(make_service: Callable[..., Service], db_url: str) -> Service:
    """A service on each database in turn, whose jobs nobody works off."""
    made = make_service(db_url)
    made.client.post("/api/v1/projects", json={"slug": "shop", "name": "Shop"})
    return made


def later(hours: float) -> str:
    return clock.rfc3339(clock.now() + hours * HOUR)


def window(service: Service, **fields: Any) -> dict[str, Any]:
    answer = service.client.post(PLACE, json={"ends_at": later(1), **fields})
    assert answer.status_code == 201, answer.get_json()
    told: dict[str, Any] = data_of(answer)
    assert answer.headers["Location"] == f"{PLACE}/{told['id']}"
    return told


def post(service: Service, name: str = "a1", **fields: Any) -> dict[str, Any]:
    body = {"alert_id": name, "group_id": "g", "project": "shop", "timestamp": later(-1), **fields}
    told: dict[str, Any] = data_of(service.client.post(ALERTS, json=body))
    return told


def created(service: Service) -> list[bool]:
    """Return of each `alert.created` whether it is marked as within maintenance."""
    with service.runtime.db.read() as session:
        events = outbox.after(session, 0)
    return [one.data["in_maintenance"] for one in events if one.type == "alert.created"]


def end(service: Service, window_id: str) -> None:
    answer = service.client.patch(f"{PLACE}/{window_id}", json={"starts_at": later(-2), "ends_at": later(-1)})
    assert answer.status_code == 200, answer.get_json()


def test_a_window_is_made_read_changed_and_deleted(quiet: Service) -> None:
    made = window(quiet, project="shop", service_name="web", environment="staging", comment="new disks",
                  starts_at=later(-1))  # fmt: skip
    assert MaintenanceWindowSchema().validate(made) == {}
    assert (made["project"], made["is_active"], made["created_by"]) == ("shop", True, "anonymous")
    assert quiet.get(f"/alerts/maintenance-windows/{made['id']}") == made
    other = window(quiet, starts_at=later(1), ends_at=later(2))
    whole = quiet.get("/alerts/maintenance-windows")
    assert MaintenanceWindowListSchema().validate(whole) == {}
    assert [one["id"] for one in whole["maintenance_windows"]] == [other["id"], made["id"]]
    for query in ({"active": "true"}, {"project": "shop"}, {"offset": 1}):
        found = quiet.get("/alerts/maintenance-windows", **query)["maintenance_windows"]
        assert [one["id"] for one in found] == [made["id"]], query
    changed = quiet.client.patch(f"{PLACE}/{made['id']}", json={"comment": "old disks", "service_name": None})
    assert (data_of(changed)["comment"], data_of(changed)["service_name"]) == ("old disks", None)
    assert quiet.client.delete(f"{PLACE}/{made['id']}").status_code == 204
    for method in ("get", "delete"):
        answer = getattr(quiet.client, method)(f"{PLACE}/{made['id']}")
        assert error_of(answer, "RESOURCE_NOT_FOUND")["resource_type"] == "maintenance_window"
    told = quiet.get("/audit-logs", resource_id=made["id"])["audit_logs"]
    assert [one["action"].split(".")[1] for one in told] == ["deleted", "updated", "created"]


@pytest.mark.parametrize(
    "body",
    [{}, {"ends_at": "x"}, {"ends_at": None}, {"ends_at": "2020-01-01"}, {"ends_at": "2999-01-01"},
     {"ends_at": "2026-01-02", "starts_at": "2026-01-03"}, {"ends_at": "2999-01-01", "project": "no slug"},
     {"ends_at": "2999-01-01", "service_name": ""}, {"ends_at": "2999-01-01", "who": "me"}],
)  # fmt: skip
def test_windows_that_do_not_fit_are_refused(idle: Service, body: dict[str, Any]) -> None:
    assert idle.client.post(PLACE, json=body).status_code == 422


def test_a_change_must_change_and_fit(idle: Service) -> None:
    made = window(idle)
    for body in ({}, {"ends_at": "2020-01-01"}, {"starts_at": None}, {"project": "shop"}):
        assert idle.client.patch(f"{PLACE}/{made['id']}", json=body).status_code == 422
    assert idle.client.post(PLACE, json={"project": "nobody", "ends_at": later(1)}).status_code == 404


def test_who_is_bound_to_projects_keeps_to_them(idle: Service) -> None:
    for slug in ("shop", "pay"):
        idle.client.post("/api/v1/projects", json={"slug": slug, "name": slug})
    made, whole = window(idle, project="pay"), window(idle)
    bound = make_key(idle, "developer", name="bound", projects=["shop"])
    idle.client.environ_base["HTTP_AUTHORIZATION"] = bound["Authorization"]
    try:
        assert idle.client.post(PLACE, json={"ends_at": later(1)}).status_code == 422
        assert idle.client.post(PLACE, json={"ends_at": later(1), "project": "pay"}).status_code == 404
        own = window(idle, project="shop")
        for one in (made, whole):
            assert idle.client.get(f"{PLACE}/{one['id']}").status_code == 404
            assert idle.client.delete(f"{PLACE}/{one['id']}").status_code == 404
        listed = idle.get("/alerts/maintenance-windows")
        assert [one["id"] for one in listed["maintenance_windows"]] == [own["id"]]
    finally:
        del idle.client.environ_base["HTTP_AUTHORIZATION"]


def test_what_comes_within_is_recorded_and_marked(quiet: Service) -> None:
    window(quiet, project="shop")
    alert = post(quiet)
    assert (alert["in_maintenance"], alert["status"]) == (True, "pending")
    assert created(quiet) == [True]
    other = post(quiet, "b1", project="pay")
    assert other["in_maintenance"] is False
    found = quiet.get("/alerts", in_maintenance="true")
    assert AlertListSchema().validate(found) == {}
    assert [one["id"] for one in found["alerts"]] == [alert["id"]]
    assert [one["id"] for one in quiet.get("/alerts", in_maintenance="false")["alerts"]] == [other["id"]]


@pytest.mark.parametrize(
    ("narrowed", "is_within"),
    [({}, True), ({"service_name": "web"}, True), ({"service_name": "pay"}, False),
     ({"environment": "production"}, True), ({"environment": "staging"}, False),
     ({"starts_at": "2026-01-01", "ends_at": "2026-01-02"}, False)],
)  # fmt: skip
def test_a_window_is_for_what_it_names(idle: Service, narrowed: dict[str, str], is_within: bool) -> None:
    window(idle, **narrowed)
    alert = post(idle, service_name="web", environment="production")
    assert alert["in_maintenance"] is is_within


def test_what_occurs_again_afterwards_is_announced(quiet: Service) -> None:
    made = window(quiet)
    alert = post(quiet, "a1")
    post(quiet, "a2")
    end(quiet, made["id"])
    again = post(quiet, "a3")
    assert (again["id"], again["in_maintenance"]) == (alert["id"], False)
    assert again["history"][-1]["action"] == "left_maintenance"
    post(quiet, "a4")
    assert created(quiet) == [True, False]


def test_what_is_told_again_afterwards_is_announced(quiet: Service) -> None:
    made = window(quiet)
    when = later(-1)
    alert = post(quiet, timestamp=when)
    assert quiet.client.delete(f"{PLACE}/{made['id']}").status_code == 204
    again = post(quiet, timestamp=when)
    assert (again["occurrence_count"], again["in_maintenance"]) == (1, False)
    assert (again["id"], created(quiet)) == (alert["id"], [True, False])


def test_what_still_goes_on_is_announced_though_nobody_tells_again(quiet: Service) -> None:
    made = window(quiet)
    alert, over = post(quiet, "a1"), post(quiet, "b1", group_id="h")
    ended = {"alert_id": "b1", "alert_type": "error.resolved", "group_id": "h", "project": "shop"}
    quiet.client.post(ALERTS, json=ended)
    assert maintenance.announce_what_goes_on(quiet.runtime.db) == 0
    end(quiet, made["id"])
    assert maintenance.announce_what_goes_on(quiet.runtime.db) == 1
    assert maintenance.announce_what_goes_on(quiet.runtime.db) == 0
    assert created(quiet) == [True, True, False]
    assert quiet.get(f"/alerts/{alert['id']}")["in_maintenance"] is False
    assert quiet.get(f"/alerts/{over['id']}")["in_maintenance"] is True
