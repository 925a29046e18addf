"""Configuring sources: their secrets are kept, obeyed, and never shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from hefesto_api.adapters import logs
from hefesto_api.adapters.secrets import Vault
from hefesto_api.features.intake.schemas import SourceListSchema, SourceSchema
from hefesto_api.formats.alerts import SOURCES
from hefesto_api.storage import alert_sources
from tests.answers import data_of, error_of
from tests.formats.alerts import samples

if TYPE_CHECKING:
    from tests.features.conftest import Service
    from werkzeug.test import TestResponse

PLACE = "/api/v1/iris/sources"
NOBODY = "01a1feeb-5e08-7042-8dde-7e4556de83f6"
SECRET = "not-to-be-seen-by-anybody-0123"


def made(service: Service, source: str = "rollbar", **fields: Any) -> dict[str, Any]:
    answer = service.client.post(PLACE, json={"source": source, "secret": SECRET, **fields})
    assert answer.status_code == 201, answer.get_json()
    told: dict[str, Any] = data_of(answer)
    assert answer.headers["Location"] == f"{PLACE}/{told['id']}"
    return told


def send(service: Service, token: str) -> TestResponse:
    return service.client.post(f"/api/v1/iris/webhook/rollbar?token={token}", json=samples.rollbar())


@pytest.mark.parametrize("source", sorted(SOURCES))
def test_a_source_says_where_to_send_and_what_to_enter(idle: Service, source: str) -> None:
    told = made(idle, source, project="shop")
    assert SourceSchema().validate(told) == {}
    assert (told["source"], told["project"], told["credential"]) == (source, "shop", "secret")
    assert told["url"] == f"/api/v1/iris/webhook/{source}"
    assert told["setup"] == SOURCES[source].setup
    assert idle.get(f"/iris/sources/{told['id']}") == told


def test_a_secret_is_shown_in_no_answer(idle: Service) -> None:
    source = made(idle)
    answers = [
        idle.client.get(PLACE),
        idle.client.get(f"{PLACE}/{source['id']}"),
        idle.client.patch(f"{PLACE}/{source['id']}", json={"token": SECRET + "2"}),
        idle.client.post(PLACE, json={"source": "rollbar", "secret": SECRET}),
        idle.client.post(PLACE, json={"source": "no", "secret": SECRET}),
        send(idle, SECRET),
    ]
    assert all(SECRET not in answer.get_data(as_text=True) for answer in answers)


def test_without_a_project_it_is_the_default_one(idle: Service) -> None:
    assert made(idle)["project"] == "default"


def test_a_project_has_one_of_a_kind(idle: Service) -> None:
    made(idle, project="shop")
    made(idle, project="pay")
    made(idle, "sentry", project="shop")
    answer = idle.client.post(PLACE, json={"source": "rollbar", "secret": SECRET, "project": "shop"})
    assert answer.status_code == 409
    error_of(answer, "CONFLICT")


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"source": "nagios", "secret": SECRET}, "source"),
        ({"secret": SECRET}, "source"),
        ({"source": "sentry"}, "secret"),
        ({"source": "sentry", "secret": "short"}, "secret"),
        ({"source": "sentry", "secret": SECRET, "token": SECRET}, "token"),
        ({"source": "sentry", "secret": SECRET, "project": "no slug"}, "project"),
    ],
)
def test_what_does_not_fit_is_refused(idle: Service, wanted: dict[str, Any], field: str) -> None:
    answer = idle.client.post(PLACE, json=wanted)
    assert [error["field"] for error in error_of(answer, "VALIDATION_ERROR")["errors"]] == [field]


def test_a_changed_secret_counts_from_then_on(idle: Service) -> None:
    source = made(idle)
    assert send(idle, SECRET).status_code == 202
    told = data_of(idle.client.patch(f"{PLACE}/{source['id']}", json={"token": "another-" + SECRET}))
    assert (told["credential"], told["created_at"]) == ("token", source["created_at"])
    assert send(idle, SECRET).status_code == 401
    assert send(idle, "another-" + SECRET).status_code == 202


def test_a_source_can_be_given_to_another_project(idle: Service) -> None:
    source = made(idle, project="shop")
    assert data_of(idle.client.patch(f"{PLACE}/{source['id']}", json={"project": "pay"}))["project"] == "pay"
    made(idle, project="shop")
    answer = idle.client.patch(f"{PLACE}/{source['id']}", json={"project": "shop"})
    assert answer.status_code == 409


def test_a_change_holds_to_what_was_read(idle: Service) -> None:
    source = made(idle)
    tag = idle.client.get(f"{PLACE}/{source['id']}").headers["ETag"]
    assert idle.client.patch(f"{PLACE}/{source['id']}", json={"project": "pay"}).status_code == 200
    for method in ("patch", "delete"):
        answer = idle.client.open(
            f"{PLACE}/{source['id']}", method=method, json={}, headers={"If-Match": tag}
        )
        assert answer.status_code == 412


def test_a_deleted_source_is_gone_and_nobody_needs_its_secret(idle: Service) -> None:
    source = made(idle)
    assert send(idle, "wrong").status_code == 401
    assert idle.client.delete(f"{PLACE}/{source['id']}").status_code == 204
    assert send(idle, "wrong").status_code == 202
    assert idle.client.get(f"{PLACE}/{source['id']}").status_code == 404


@pytest.mark.parametrize("method", ["get", "patch", "delete"])
def test_an_unknown_source_is_not_found(idle: Service, method: str) -> None:
    answer = idle.client.open(f"{PLACE}/{NOBODY}", method=method, json={})
    assert error_of(answer, "RESOURCE_NOT_FOUND")["resource_type"] == "alert_source"


def test_sources_are_listed_and_paged(idle: Service) -> None:
    names = ["sentry", "grafana", "rollbar"]
    for name in names:
        made(idle, name, project="shop" if name == "grafana" else "pay")
    page = idle.get("/iris/sources", limit=2)
    assert SourceListSchema().validate(page) == {}
    assert ([one["source"] for one in page["sources"]], page["total_count"]) == (names[:2], 3)
    rest = idle.get("/iris/sources", limit=2, cursor=page["pagination"]["next_cursor"])
    assert [one["source"] for one in rest["sources"]] == names[2:]
    assert idle.get("/iris/sources", project="shop")["total_count"] == 1
    assert idle.get("/iris/sources", source="sentry", project="shop")["total_count"] == 0


@pytest.mark.parametrize("name", ["token", "%74oken", "TOKEN"])
def test_the_token_of_an_address_is_masked_in_the_access_log(
    idle: Service, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    settings = idle.runtime.settings
    logs.configure(settings)
    made(idle)
    idle.client.post(f"/api/v1/iris/webhook/rollbar?{name}={SECRET}", json=samples.rollbar())
    said = "".join(capsys.readouterr())
    assert "/api/v1/iris/webhook/rollbar" in said
    assert SECRET not in said
    assert json.dumps(SECRET)[1:-1] not in said


def stored(service: Service) -> bytes:
    """Return all that is in the database's files."""
    path = Path(str(service.runtime.db.url.database))
    return b"".join(
        each.read_bytes() for each in (path, path.with_name(f"{path.name}-wal")) if each.is_file()
    )


def test_a_secret_is_nowhere_in_the_database(idle: Service) -> None:
    source = made(idle)
    idle.client.patch(f"{PLACE}/{source['id']}", json={"token": SECRET + "2"})
    made(idle, "pagerduty")
    event = samples.pagerduty() | {"routing_key": SECRET}
    assert idle.client.post("/api/v1/iris/webhook/pagerduty", json=event).status_code == 202
    assert SECRET.encode() not in stored(idle)


def test_a_secret_of_an_earlier_version_still_counts(idle: Service) -> None:
    source = made(idle)
    with idle.runtime.db.write() as session:
        statement = sa.text("UPDATE alert_sources SET secret = :secret WHERE id = :id")
        session.execute(statement, {"secret": "as it was stored before", "id": source["id"]})
    assert send(idle, "as it was stored before").status_code == 202
    assert send(idle, SECRET).status_code == 401


def test_a_secret_whose_key_is_gone_has_the_sender_try_again(idle: Service) -> None:
    source = made(idle)
    sealed = Vault(["another key that is gone for good by now"]).encrypt(
        b"x", purpose="alert source", row="x"
    )
    with idle.runtime.db.write() as session:
        alert_sources.change(session, source["id"], secret=sealed)
    answer = send(idle, SECRET)
    assert answer.status_code == 503
    assert "Retry-After" in answer.headers
    assert "another key" not in answer.get_data(as_text=True)
    made(idle, project="pay")
    assert send(idle, SECRET).status_code == 202
