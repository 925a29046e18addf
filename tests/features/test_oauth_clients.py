"""Managing OAuth clients: whose they are, what they may, and that their secrets are shown once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from hefesto_api.features.auth.oauth.client_schemas import (
    MadeOAuthClientSchema,
    OAuthClientListSchema,
    OAuthClientSchema,
)
from hefesto_api.storage.audit import audit_logs
from tests.access import make_key, make_user
from tests.answers import data_of, error_of
from tests.features.oauth import (  # noqa: F401 - one is a fixture
    BACK,
    CLIENTS,
    ask,
    basic,
    made,
    oauth_service,
    own_token,
    session_of,
)

if TYPE_CHECKING:
    from tests.features.conftest import Service

NOBODY = "01a1feeb-5e08-7042-8dde-7e4556de83f6"


@pytest.fixture
def service(oauth_service: Service) -> Service:  # noqa: F811 - that fixture
    """A service that asks for credentials."""
    return oauth_service


def test_a_client_is_kept_as_it_was_wanted(service: Service) -> None:
    told = made(service, redirect_uris=[BACK], projects=["shop"], tier="free")
    assert MadeOAuthClientSchema().validate(told) == {}
    assert told.pop("client_secret").startswith("hefs_")
    assert (told["confidential"], told["tier"], told["projects"]) == (True, "free", ["shop"])
    assert told["grant_types"] == ["authorization_code", "refresh_token"]
    headers = make_key(service, "admin")
    shown = data_of(service.client.get(f"{CLIENTS}/{told['id']}", headers=headers))
    assert OAuthClientSchema().validate(shown) == {}
    assert shown == told
    listed = data_of(service.client.get(CLIENTS, headers=headers))
    assert OAuthClientListSchema().validate(listed) == {}
    assert listed["oauth_clients"] == [told]


def test_a_client_without_a_place_to_go_back_to_calls_for_itself(service: Service) -> None:
    assert made(service)["grant_types"] == ["client_credentials"]


def test_a_public_client_has_no_secret(service: Service) -> None:
    client = made(service, confidential=False, redirect_uris=["http://127.0.0.1:8765/back"])
    assert client["client_secret"] is None
    answer = service.client.post(f"{CLIENTS}/{client['id']}/rotate", headers=make_key(service, "admin"))
    error_of(answer, "CONFLICT")


def test_a_secret_is_kept_nowhere_and_told_once(service: Service) -> None:
    client = made(service, redirect_uris=[BACK])
    headers = make_key(service, "admin")
    place = f"{CLIENTS}/{client['id']}"
    answers = [
        service.client.get(CLIENTS, headers=headers),
        service.client.get(place, headers=headers),
        service.client.patch(place, json={"name": "Other"}, headers=headers),
        service.client.get("/api/v1/audit-logs", headers=headers),
    ]
    secret = client["client_secret"]
    assert all(secret not in answer.get_data(as_text=True) for answer in answers)
    kept = b"".join(path.read_bytes() for path in service.root.parent.glob("one.db*"))
    assert client["id"].encode() in kept
    assert secret.encode() not in kept


def test_a_new_secret_replaces_the_old_one_at_once(service: Service) -> None:
    client = made(service)
    answer = service.client.post(f"{CLIENTS}/{client['id']}/rotate", headers=make_key(service, "admin"))
    assert answer.headers["Cache-Control"] == "no-store"
    renewed = data_of(answer)
    assert own_token(service, renewed)
    refused = ask(service, "/oauth/token", {"grant_type": "client_credentials"}, basic(client))
    assert (refused.status_code, refused.get_json()["error"]) == (401, "invalid_client")


MISFITS: list[tuple[dict[str, Any], str]] = [
    ({"redirect_uris": ["http://app.example/back"]}, "redirect_uris.0"),
    ({"redirect_uris": ["https://app.example/#part"]}, "redirect_uris.0"),
    ({"redirect_uris": ["https://user@app.example/"]}, "redirect_uris.0"),
    ({"redirect_uris": ["https://app.example\\@evil.example/"]}, "redirect_uris.0"),
    ({"redirect_uris": ["https:///back"]}, "redirect_uris.0"),
    ({"redirect_uris": ["https://app.example:99999/"]}, "redirect_uris.0"),
    ({"redirect_uris": ["https://app.example/%zz"]}, "redirect_uris.0"),
    ({"redirect_uris": ["https://app.example/ "]}, "redirect_uris.0"),
    ({"redirect_uris": ["https://app.example/\n"]}, "redirect_uris.0"),
    ({"redirect_uris": ["https://äpp.example/"]}, "redirect_uris.0"),
    ({"redirect_uris": ["http://127.0.0.1.evil.example/"]}, "redirect_uris.0"),
    ({"redirect_uris": ["javascript:alert(1)"]}, "redirect_uris.0"),
    ({"redirect_uris": ["com.example.app:/back"]}, "redirect_uris.0"),
    ({"redirect_uris": ["//app.example/"]}, "redirect_uris.0"),
    ({"redirect_uris": ["https://app.example/" + "x" * 2000]}, "redirect_uris.0"),
    ({"redirect_uris": [f"https://app.example/{n}" for n in range(21)]}, "redirect_uris"),
    ({"scopes": []}, "scopes"),
    ({"scopes": ["read:everything"]}, "scopes.0"),
    ({"name": ""}, "name"),
    ({"grant_types": ["password"]}, "grant_types.0"),
    ({"grant_types": ["refresh_token"]}, "grant_types"),
    ({"grant_types": ["authorization_code"]}, "redirect_uris"),
    ({"confidential": False}, "grant_types"),
    ({"confidential": "yes"}, "confidential"),
    ({"projects": ["a/b"]}, "projects.0"),
]
GOOD_URIS = [
    "http://127.0.0.1/x",
    "http://localhost:9/x",
    "http://[::1]:8000/x",
    "https://app.example",
    "https://a.b/c?d=e",
]


def test_what_does_not_fit_is_named(service: Service) -> None:
    headers = make_key(service, "admin")
    for fields, named in MISFITS:
        wanted = {"name": "Grafana", "scopes": ["read:findings"], **fields}
        answer = service.client.post(CLIENTS, json=wanted, headers=headers)
        assert answer.status_code == 422, fields
        assert named in [error["field"] for error in error_of(answer, "VALIDATION_ERROR")["errors"]], fields


def test_answers_go_by_https_or_stay_on_the_machine(service: Service) -> None:
    assert made(service, redirect_uris=GOOD_URIS)["redirect_uris"] == GOOD_URIS


def test_nobody_gives_a_client_more_than_he_has(service: Service) -> None:
    user = make_user(service, "dora@example.com", "developer", projects=["shop"], tier="free")
    headers = session_of(service, user)
    for excess in (
        {"scopes": ["admin"]},
        {"scopes": ["manage:projects"]},
        {"projects": ["mill"]},
        {"tier": "pro"},
    ):
        wanted = {"name": "Tool", "scopes": ["read:findings"], **excess}
        answer = service.client.post(CLIENTS, json=wanted, headers=headers)
        assert answer.status_code == 403, excess
    mine = made(service, headers)
    assert (mine["projects"], mine["tier"], mine["user_id"]) == (["shop"], "free", user.id)
    place = f"{CLIENTS}/{mine['id']}"
    for change in ({"scopes": ["admin"]}, {"projects": ["shop", "mill"]}, {"tier": "enterprise"}):
        assert service.client.patch(place, json=change, headers=headers).status_code == 403
    assert data_of(service.client.patch(place, json={"projects": None}, headers=headers))["projects"] == [
        "shop"
    ]


def test_clients_of_others_are_not_there(service: Service) -> None:
    mine, theirs = (make_user(service, f"{name}@example.com", "operator") for name in ("cleo", "ben"))
    client = made(service, session_of(service, mine))
    headers = session_of(service, theirs)
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/rotate")):
        for client_id in (client["id"], NOBODY):
            answer = service.client.open(
                f"{CLIENTS}/{client_id}{path}", method=method, json={}, headers=headers
            )
            assert error_of(answer, "RESOURCE_NOT_FOUND")["resource_type"] == "oauth_client"
    assert data_of(service.client.get(CLIENTS, headers=headers))["oauth_clients"] == []
    assert len(data_of(service.client.get(CLIENTS, headers=make_key(service, "admin")))["oauth_clients"]) == 1


def test_without_credentials_there_are_no_clients(service: Service) -> None:
    assert service.client.get(CLIENTS).status_code == 401
    assert service.client.post(CLIENTS, json={}).status_code == 401


def test_a_change_of_what_changed_since_is_refused(service: Service) -> None:
    headers = make_key(service, "admin")
    place = f"{CLIENTS}/{made(service)['id']}"
    tag = {"If-Match": service.client.get(place, headers=headers).headers["ETag"]} | headers
    assert service.client.patch(place, json={"name": "A"}, headers=tag).status_code == 200
    assert service.client.patch(place, json={"name": "B"}, headers=tag).status_code == 412
    assert service.client.delete(place, headers=tag).status_code == 412


def test_the_list_is_paged_by_cursor(service: Service) -> None:
    names = [made(service, name=f"Tool {number}")["name"] for number in range(5)]
    headers, seen, cursor = make_key(service, "admin"), [], None
    for _ in range(3):
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = data_of(service.client.get(CLIENTS, query_string=query, headers=headers))
        seen += [one["name"] for one in page["oauth_clients"]]
        cursor = page["pagination"]["next_cursor"]
    assert seen == names


def test_what_is_done_to_clients_stands_in_the_audit_log(service: Service) -> None:
    headers = make_key(service, "admin")
    client = made(service, headers)
    place = f"{CLIENTS}/{client['id']}"
    service.client.patch(place, json={"name": "Other"}, headers=headers)
    service.client.post(f"{place}/rotate", headers=headers)
    service.client.delete(place, headers=headers)
    with service.runtime.db.read() as session:
        told = set(session.execute(sa.select(audit_logs.c.action)).scalars())
    assert {f"oauth_client.{deed}" for deed in ("created", "updated", "rotated", "deleted")} <= told
