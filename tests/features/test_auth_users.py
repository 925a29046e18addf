"""Users as admins keep them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api.features.auth.user_schemas import UserListSchema, UserSchema
from tests.access import make_key, make_user, required_service, session_of  # noqa: F401 - fixture
from tests.answers import data_of, error_of

if TYPE_CHECKING:
    from tests.features.conftest import Service

USERS = "/api/v1/auth/users"
NOBODY = "01a1feeb-5e08-7042-8dde-7e4556de83f6"
PASSWORD = "correct horse battery"
ME = "/api/v1/findings"


@pytest.fixture
def service(required_service: Service) -> Service:  # noqa: F811 - that fixture
    """A service that asks for credentials."""
    return required_service


@pytest.fixture
def admin(service: Service) -> dict[str, str]:
    """The headers of an admin."""
    return make_key(service, "admin", name="root")


def made(
    service: Service, as_: dict[str, str], email: str = "ada@example.com", **more: Any
) -> dict[str, Any]:
    answer = service.client.post(USERS, json={"email": email, **more}, headers=as_)
    assert answer.status_code == 201, answer.get_json()
    told: dict[str, Any] = data_of(answer)
    assert answer.headers["Location"] == f"{USERS}/{told['id']}"
    return told


def test_a_user_is_made_and_shown_without_what_is_secret(service: Service, admin: dict[str, str]) -> None:
    wanted = {"name": "Ada", "role": "operator", "projects": ["shop"], "tier": "enterprise"}
    told = made(service, admin, " ADA@Example.com".strip(), password=PASSWORD, **wanted)
    assert UserSchema().validate(told) == {}
    assert {name: told[name] for name in wanted} == wanted
    assert (told["email"], told["has_password"], told["is_active"]) == ("ada@example.com", True, True)
    shown = service.client.get(f"{USERS}/{told['id']}", headers=admin)
    assert data_of(shown) == told
    assert "argon2" not in shown.get_data(as_text=True)


def test_who_is_made_without_saying_more_may_read(service: Service, admin: dict[str, str]) -> None:
    told = made(service, admin)
    assert (told["role"], told["projects"], told["tier"]) == ("viewer", None, "pro")
    assert (told["has_password"], told["name"]) == (False, "ada@example.com")


def test_an_address_is_taken_once(service: Service, admin: dict[str, str]) -> None:
    made(service, admin)
    other = made(service, admin, "bob@example.com")
    answer = service.client.post(USERS, json={"email": "Ada@EXAMPLE.com"}, headers=admin)
    error_of(answer, "CONFLICT")
    changed = service.client.patch(f"{USERS}/{other['id']}", json={"email": "ada@example.com"}, headers=admin)
    assert changed.status_code == 409
    same = service.client.patch(f"{USERS}/{other['id']}", json={"email": "BOB@example.com"}, headers=admin)
    assert data_of(same)["email"] == "bob@example.com"


WRONG: list[dict[str, Any]] = [
    {},
    {"email": "nobody"},
    {"email": "a b@example.com"},
    {"email": "a@b@example.com"},
    {"email": "x@example.com\r\nBcc: y@example.com"},
    {"email": "\u202ex@example.com"},
    {"email": "x" * 65 + "@example.com"},
    {"email": 5},
    {"email": "x@example.com", "role": "boss"},
    {"email": "x@example.com", "password": "short"},
    {"email": "x@example.com", "password": "passwordpassword"},
    {"email": "someone.long@example.com", "password": "someone.long"},
    {"email": "x@example.com", "projects": ["no slug"]},
]


def test_what_cannot_be_a_user_is_said(service: Service, admin: dict[str, str]) -> None:
    for wanted in WRONG:
        answer = service.client.post(USERS, json=wanted, headers=admin)
        assert answer.status_code == 422, wanted
        assert error_of(answer, "VALIDATION_ERROR")["errors"]


def test_the_list_comes_in_pages_and_by_role(service: Service, admin: dict[str, str]) -> None:
    for name in "abc":
        made(service, admin, f"{name}@example.com", role="developer" if name == "b" else "viewer")
    first = data_of(service.client.get(f"{USERS}?limit=2", headers=admin))
    assert UserListSchema().validate(first) == {}
    assert [user["email"][0] for user in first["users"]] == ["a", "b"]
    cursor = first["pagination"]["next_cursor"]
    rest = data_of(service.client.get(f"{USERS}?limit=2&cursor={cursor}", headers=admin))
    assert [user["email"][0] for user in rest["users"]] == ["c"]
    developers = data_of(service.client.get(f"{USERS}?role=developer&is_active=true", headers=admin))
    assert (developers["total_count"], developers["users"][0]["email"]) == (1, "b@example.com")


def test_what_a_user_may_counts_at_once(service: Service, admin: dict[str, str]) -> None:
    user = make_user(service, role="viewer")
    session = session_of(service, user)
    place = f"{USERS}/{user.id}"
    project = {"slug": "shop"}
    assert service.client.post("/api/v1/projects", json=project, headers=session).status_code == 403
    service.client.patch(place, json={"role": "operator"}, headers=admin)
    assert service.client.post("/api/v1/projects", json=project, headers=session).status_code == 201
    service.client.patch(place, json={"projects": ["bank"]}, headers=admin)
    assert service.client.get("/api/v1/projects/shop", headers=session).status_code == 404


@pytest.mark.parametrize("change", [{"is_active": False}, {"password": "another good one"}])
def test_what_was_given_out_ends_and_does_not_come_back(
    service: Service, admin: dict[str, str], change: dict[str, Any]
) -> None:
    user = make_user(service, role="developer")
    session = session_of(service, user)
    assert service.client.get(ME, headers=session).status_code == 200
    service.client.patch(f"{USERS}/{user.id}", json=change, headers=admin)
    assert service.client.get(ME, headers=session).status_code == 401
    service.client.patch(f"{USERS}/{user.id}", json={"is_active": True}, headers=admin)
    assert service.client.get(ME, headers=session).status_code == 401


def test_a_deleted_user_is_gone(service: Service, admin: dict[str, str]) -> None:
    user = make_user(service, role="developer")
    session = session_of(service, user)
    assert service.client.delete(f"{USERS}/{user.id}", headers=admin).status_code == 204
    assert service.client.get(ME, headers=session).status_code == 401
    for answer in (
        service.client.get(f"{USERS}/{user.id}", headers=admin),
        service.client.patch(f"{USERS}/{user.id}", json={"name": "x"}, headers=admin),
        service.client.delete(f"{USERS}/{user.id}", headers=admin),
        service.client.get(f"{USERS}/{NOBODY}", headers=admin),
    ):
        assert answer.status_code == 404


def test_changing_holds_to_what_was_read(service: Service, admin: dict[str, str]) -> None:
    place = f"{USERS}/{made(service, admin)['id']}"
    tag = service.client.get(place, headers=admin).headers["ETag"]
    service.client.patch(place, json={"name": "other"}, headers=admin)
    late = {**admin, "If-Match": tag}
    assert service.client.patch(place, json={"name": "x"}, headers=late).status_code == 412
    assert service.client.delete(place, headers=late).status_code == 412


def test_the_last_admin_stays(service: Service) -> None:
    user = make_user(service, role="admin")
    session = session_of(service, user)
    place = f"{USERS}/{user.id}"
    for change in ({"role": "operator"}, {"is_active": False}, {"projects": ["shop"]}):
        answer = service.client.patch(place, json=change, headers=session)
        assert error_of(answer, "CONFLICT")["reason"] == "last_admin", change
    assert service.client.delete(place, headers=session).status_code == 409
    made(service, session, "second@example.com", role="admin")
    assert service.client.delete(place, headers=session).status_code == 204


def test_users_are_kept_by_admins_of_the_whole_alone(service: Service, admin: dict[str, str]) -> None:
    user = made(service, admin)
    callers: list[tuple[dict[str, str], int]] = [
        ({}, 401),
        (make_key(service, "operator"), 403),
        (make_key(service, "admin", projects=["shop"]), 403),
    ]
    for headers, status in callers:
        for method, place, body in (
            ("GET", USERS, None),
            ("POST", USERS, {"email": "x@example.com", "role": "admin"}),
            ("GET", f"{USERS}/{user['id']}", None),
            ("PATCH", f"{USERS}/{user['id']}", {"role": "admin"}),
            ("DELETE", f"{USERS}/{user['id']}", None),
        ):
            answer = service.client.open(place, method=method, json=body, headers=headers)
            assert answer.status_code == status, (method, place)
