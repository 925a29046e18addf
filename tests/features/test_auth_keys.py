"""API keys over HTTP: made, shown once, changed, rotated and revoked, by nobody beyond his own rights."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from hefesto_api.domain import clock
from hefesto_api.domain.access import ROLES
from hefesto_api.features.auth.key_schemas import (
    ApiKeyListSchema,
    ApiKeySchema,
    KeyUsageSchema,
    NewSecretSchema,
    RotatedKeySchema,
)
from hefesto_api.storage import api_keys, users
from hefesto_api.storage.tables import metadata
from tests.access import bearer, make_key, make_user, required_service, session_of  # noqa: F401 - fixture
from tests.answers import data_of, error_of
from tests.features import oauth
from tests.features.oauth import oauth_service  # noqa: F401 - fixture
from tests.features.test_oauth_tokens import tokens_for

if TYPE_CHECKING:
    from tests.features.conftest import Service

KEYS = "/api/v1/auth/api-keys"
NOWHERE = "01a1feeb-5e08-7042-8dde-7e4556de83f6"


@pytest.fixture
def service(required_service: Service) -> Service:  # noqa: F811 - that fixture
    """A service that asks for credentials."""
    return required_service


@pytest.fixture
def admin(service: Service) -> dict[str, str]:
    """The headers of an admin."""
    return make_key(service, "admin", name="root")


def made(service: Service, as_: dict[str, str], **wanted: Any) -> dict[str, Any]:
    answer = service.client.post(KEYS, json={"name": "ci", "role": "developer", **wanted}, headers=as_)
    assert answer.status_code == 201, answer.get_json()
    told: dict[str, Any] = data_of(answer)
    return told


def status(service: Service, key: str) -> int:
    """Return what a key is answered."""
    return service.client.get("/api/v1/findings", headers=bearer(key)).status_code


def test_a_key_is_made_and_shown_this_once(service: Service, admin: dict[str, str]) -> None:
    answer = service.client.post(
        KEYS, json={"name": "ci", "role": "developer", "projects": ["shop"], "tier": "free"}, headers=admin
    )
    told = data_of(answer)
    assert NewSecretSchema().validate(told) == {}
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Location"] == f"{KEYS}/{told['id']}"
    assert told["key"].startswith("hef_")
    assert told["key"].startswith(told["hint"])
    assert len(told["key"]) - len(told["hint"]) >= 43
    assert set(told["scopes"]) == ROLES["developer"]
    assert (told["projects"], told["tier"], told["created_by"]) == (["shop"], "free", "root")
    assert status(service, told["key"]) == 200
    shown = service.client.get(f"{KEYS}/{told['id']}", headers=admin)
    assert ApiKeySchema().validate(data_of(shown)) == {}
    assert told["key"] not in shown.get_data(as_text=True)


def test_only_a_hash_is_kept(service: Service, admin: dict[str, str]) -> None:
    key = made(service, admin)["key"]
    with service.runtime.db.read() as session:
        everything = [
            str(row) for table in metadata.sorted_tables for row in session.execute(sa.select(table))
        ]
    assert not [row for row in everything if key in row or key[12:] in row]


def test_the_list_shows_what_one_may_see(service: Service, admin: dict[str, str]) -> None:
    ours, theirs = (made(service, admin, name=name, projects=[name]) for name in ("shop", "bank"))
    answer = service.client.get(KEYS, headers=admin)
    assert ApiKeyListSchema().validate(data_of(answer)) == {}
    assert [key["name"] for key in data_of(answer)["api_keys"]] == ["root", "shop", "bank"]
    assert "hash" not in answer.get_data(as_text=True)
    own = data_of(service.client.get(KEYS, headers=bearer(ours["key"])))
    assert [key["id"] for key in own["api_keys"]] == [ours["id"]]
    bound = make_key(service, "admin", projects=["shop"], name="of the shop")
    seen = data_of(service.client.get(KEYS, headers=bound))["api_keys"]
    assert [key["name"] for key in seen] == ["shop", "of the shop"]
    for unseen in (theirs["id"], NOWHERE):
        answer = service.client.get(f"{KEYS}/{unseen}", headers=bound)
        assert answer.status_code == 404
        assert error_of(answer, "RESOURCE_NOT_FOUND") == {"resource_type": "api_key", "resource_id": unseen}


def test_the_list_comes_in_pages(service: Service, admin: dict[str, str]) -> None:
    for number in range(4):
        made(service, admin, name=str(number))
    first = data_of(service.client.get(f"{KEYS}?limit=3", headers=admin))
    assert (first["total_count"], len(first["api_keys"])) == (5, 3)
    following = first["pagination"]["next_cursor"]
    rest = data_of(service.client.get(f"{KEYS}?limit=3&cursor={following}", headers=admin))
    assert [key["name"] for key in rest["api_keys"]] == ["2", "3"]
    assert rest["pagination"]["has_more"] is False
    offset = data_of(service.client.get(f"{KEYS}?limit=2&offset=4&fields=name", headers=admin))
    assert offset["api_keys"] == [{"name": "3"}]
    assert service.client.get(f"{KEYS}?cursor=WzFd", headers=admin).status_code == 422


WRONG: list[dict[str, Any]] = [
    {},
    {"role": None, "scopes": []},
    {"role": "boss"},
    {"scopes": ["read:everything"]},
    {"role": "viewer", "name": ""},
    {"role": "viewer", "tier": "gold"},
    {"role": "viewer", "projects": ["no slug"]},
    {"role": "viewer", "expires_at": "2001-01-01"},
    {"role": "viewer", "expires_at": "soon"},
    {"role": "viewer", "user_id": NOWHERE},
    {"role": "viewer", "require_signature": "yes"},
]


def test_what_cannot_be_a_key_is_said(service: Service, admin: dict[str, str]) -> None:
    for wanted in WRONG:
        answer = service.client.post(KEYS, json={"name": "ci", **wanted}, headers=admin)
        assert answer.status_code == 422, wanted
        assert error_of(answer, "VALIDATION_ERROR")["errors"]


def test_users_make_keys_of_their_own_within_their_rights(service: Service) -> None:
    user = make_user(service, role="developer", projects=["shop"])
    session = session_of(service, user)
    own = made(service, session)
    assert (own["user_id"], own["projects"], own["tier"]) == (user.id, ["shop"], "pro")
    for more in (
        {"role": "operator"},
        {"scopes": ["admin"]},
        {"projects": ["bank"]},
        {"projects": ["shop", "bank"]},
        {"tier": "enterprise"},
    ):
        answer = service.client.post(KEYS, json={"name": "x", "role": "viewer", **more}, headers=session)
        assert answer.status_code == 403, more
        changed = service.client.patch(f"{KEYS}/{own['id']}", json=more, headers=session)
        assert changed.status_code == 403, more
    other = make_user(service, "other@example.com", "developer")
    assert service.client.get(f"{KEYS}/{own['id']}", headers=session_of(service, other)).status_code == 404


def test_a_program_in_a_users_name_was_not_given_his_keys(oauth_service: Service) -> None:  # noqa: F811 - that fixture
    with oauth_service.runtime.db.read() as session:
        ann = users.by_email(session, oauth.ANN)
    assert ann is not None
    key = made(oauth_service, session_of(oauth_service, ann))
    client = oauth.made(oauth_service, redirect_uris=[oauth.BACK], scopes=["read:findings"])
    program = bearer(tokens_for(oauth_service, client)["access_token"])
    assert data_of(oauth_service.client.get(KEYS, headers=program))["total_count"] == 0
    for method, place in (("GET", ""), ("DELETE", ""), ("POST", "/rotate"), ("GET", "/usage")):
        answer = oauth_service.client.open(f"{KEYS}/{key['id']}{place}", method=method, headers=program)
        assert answer.status_code == 404, (method, place)


def test_a_key_does_not_prolong_itself(service: Service, admin: dict[str, str]) -> None:
    soon = clock.rfc3339(clock.now() + timedelta(hours=1))
    key = made(service, admin, role="operator", expires_at=soon)
    as_itself = bearer(key["key"])
    assert (
        service.client.post(KEYS, json={"name": "x", "role": "viewer"}, headers=as_itself).status_code == 403
    )
    changed = service.client.patch(f"{KEYS}/{key['id']}", json={"expires_at": None}, headers=as_itself)
    assert changed.status_code == 403
    rotated = data_of(service.client.post(f"{KEYS}/{key['id']}/rotate", headers=as_itself))
    assert rotated["expires_at"] == soon


def test_a_key_ends_with_its_user(service: Service, admin: dict[str, str]) -> None:
    user = make_user(service, role="developer")
    key = made(service, admin, user_id=user.id, role="admin")["key"]
    assert status(service, key) == 200
    assert service.client.get("/api/v1/system/info", headers=bearer(key)).status_code == 403
    place = f"/api/v1/auth/users/{user.id}"
    service.client.patch(place, json={"is_active": False}, headers=admin)
    assert status(service, key) == 401
    service.client.patch(place, json={"is_active": True}, headers=admin)
    assert status(service, key) == 200
    assert service.client.delete(place, headers=admin).status_code == 204
    assert status(service, key) == 401


def test_a_rotated_key_has_another_secret(service: Service, admin: dict[str, str]) -> None:
    key = made(service, admin)
    answer = service.client.post(f"{KEYS}/{key['id']}/rotate", headers=admin)
    rotated = data_of(answer)
    assert RotatedKeySchema().validate(rotated) == {}
    assert answer.headers["Cache-Control"] == "no-store"
    assert rotated["former_valid_until"] is None
    assert (status(service, key["key"]), status(service, rotated["key"])) == (401, 200)
    assert rotated["hint"] == rotated["key"][:8]


def test_the_former_secret_may_count_for_a_while(
    service: Service, admin: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = made(service, admin)
    place = f"{KEYS}/{key['id']}/rotate"
    second = data_of(service.client.post(place, json={"grace_seconds": 600}, headers=admin))
    assert (status(service, key["key"]), status(service, second["key"])) == (200, 200)
    third = data_of(service.client.post(place, json={"grace_seconds": 60}, headers=admin))
    assert [status(service, one["key"]) for one in (key, second, third)] == [200, 200, 200]
    later = clock.now() + timedelta(seconds=61)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert [status(service, one["key"]) for one in (key, second, third)] == [401, 401, 200]


def test_rotating_at_once_ends_former_secrets_that_were_in_grace(
    service: Service, admin: dict[str, str]
) -> None:
    key = made(service, admin)
    place = f"{KEYS}/{key['id']}/rotate"
    second = data_of(service.client.post(place, json={"grace_seconds": 600}, headers=admin))
    third = data_of(service.client.post(place, json={}, headers=admin))
    assert [status(service, one["key"]) for one in (key, second, third)] == [401, 401, 200]


def test_nobody_rotates_a_key_that_may_more_than_he(service: Service, admin: dict[str, str]) -> None:
    """It would be handed to him."""
    key = made(service, admin, projects=["shop"], tier="enterprise")
    of_shop = make_key(service, "admin", projects=["shop"], tier="free")
    assert service.client.get(f"{KEYS}/{key['id']}", headers=of_shop).status_code == 200
    assert service.client.post(f"{KEYS}/{key['id']}/rotate", headers=of_shop).status_code == 403


def test_a_disabled_key_is_refused_until_it_is_enabled(service: Service, admin: dict[str, str]) -> None:
    key = made(service, admin)
    for is_active, expected in ((False, 401), (True, 200)):
        told = data_of(
            service.client.patch(f"{KEYS}/{key['id']}", json={"is_active": is_active}, headers=admin)
        )
        assert told["is_active"] is is_active
        assert status(service, key["key"]) == expected
    listed = data_of(service.client.get(f"{KEYS}?is_active=false", headers=admin))
    assert listed["total_count"] == 0


def test_what_a_key_may_is_changed_as_a_whole(service: Service, admin: dict[str, str]) -> None:
    key = made(service, admin, role="admin", projects=["shop"])
    place = f"{KEYS}/{key['id']}"
    told = data_of(service.client.patch(place, json={"scopes": ["read:alerts"]}, headers=admin))
    assert (told["role"], told["scopes"], told["projects"]) == (None, ["read:alerts"], ["shop"])
    told = data_of(service.client.patch(place, json={"projects": None, "name": "y"}, headers=admin))
    assert (told["scopes"], told["projects"], told["name"]) == (["read:alerts"], None, "y")
    assert status(service, key["key"]) == 403


def test_changing_holds_to_what_was_read(service: Service, admin: dict[str, str]) -> None:
    key = made(service, admin)
    place = f"{KEYS}/{key['id']}"
    tag = service.client.get(place, headers=admin).headers["ETag"]
    service.client.patch(place, json={"name": "other"}, headers=admin)
    late = {**admin, "If-Match": tag}
    assert service.client.patch(place, json={"name": "x"}, headers=late).status_code == 412
    assert service.client.delete(place, headers=late).status_code == 412


def test_a_revoked_key_is_gone(service: Service, admin: dict[str, str]) -> None:
    key = made(service, admin)
    assert status(service, key["key"]) == 200
    assert service.client.delete(f"{KEYS}/{key['id']}", headers=admin).status_code == 204
    assert status(service, key["key"]) == 401
    for answer in (
        service.client.get(f"{KEYS}/{key['id']}", headers=admin),
        service.client.delete(f"{KEYS}/{key['id']}", headers=admin),
        service.client.get(f"{KEYS}/{key['id']}/usage", headers=admin),
        service.client.post(f"{KEYS}/{key['id']}/rotate", headers=admin),
    ):
        assert answer.status_code == 404


def test_a_key_may_revoke_itself(service: Service, admin: dict[str, str]) -> None:
    key = made(service, admin, role="viewer")
    assert service.client.delete(f"{KEYS}/{key['id']}", headers=bearer(key["key"])).status_code == 204
    assert status(service, key["key"]) == 401


def test_the_last_admin_stays(service: Service, admin: dict[str, str]) -> None:
    root = data_of(service.client.get(KEYS, headers=admin))["api_keys"][0]["id"]
    soon = clock.rfc3339(clock.now() + timedelta(hours=1))
    bound = made(service, admin, role="admin", projects=["shop"])
    for answer in (
        service.client.delete(f"{KEYS}/{root}", headers=admin),
        service.client.patch(f"{KEYS}/{root}", json={"is_active": False}, headers=admin),
        service.client.patch(f"{KEYS}/{root}", json={"role": "operator"}, headers=admin),
        service.client.patch(f"{KEYS}/{root}", json={"projects": ["shop"]}, headers=admin),
    ):
        assert answer.status_code == 409
        assert error_of(answer, "CONFLICT")["reason"] == "last_admin"
    assert service.client.patch(f"{KEYS}/{root}", json={"name": "x"}, headers=admin).status_code == 200
    assert service.client.delete(f"{KEYS}/{bound['id']}", headers=admin).status_code == 204
    made(service, admin, role="admin", expires_at=soon)
    assert service.client.delete(f"{KEYS}/{root}", headers=admin).status_code == 204


def test_usage_is_told_by_day_and_route(
    service: Service, admin: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = made(service, admin)
    seen = bearer(key["key"])
    today = clock.now()
    service.client.get("/api/v1/findings", headers=seen)
    service.client.get(f"/api/v1/findings/{NOWHERE}", headers=seen)
    monkeypatch.setattr(clock, "now", lambda: today + timedelta(days=1))
    service.client.get("/api/v1/findings", headers=seen)
    told = data_of(service.client.get(f"{KEYS}/{key['id']}/usage?days=2", headers=admin))
    assert KeyUsageSchema().validate(told) == {}
    assert (told["requests"], told["errors"]) == (3, 1)
    assert [(day["requests"], day["errors"]) for day in told["by_day"]] == [(2, 1), (1, 0)]
    assert told["by_route"][0] == {"route": "GET /api/v1/findings", "requests": 2, "errors": 0}
    latest = data_of(service.client.get(f"{KEYS}/{key['id']}/usage?days=1", headers=admin))
    assert latest["requests"] == 1


def test_usage_outlives_the_process_that_counted_it(service: Service) -> None:
    viewer = make_key(service, "viewer")
    service.client.get("/api/v1/findings", headers=viewer)
    service.runtime.usage.close()
    with service.runtime.db.read() as session:
        used = api_keys.matching(session)[0].last_used_at
    assert used is not None
    assert (used.second, used.microsecond) == (0, 0)


def test_usage_of_a_key_that_is_gone_holds_nothing_up(service: Service, admin: dict[str, str]) -> None:
    gone, stays = made(service, admin), made(service, admin)
    for key in (gone, stays):
        service.client.get("/api/v1/findings", headers=bearer(key["key"]))
    service.client.delete(f"{KEYS}/{gone['id']}", headers=admin)
    told = data_of(service.client.get(f"{KEYS}/{stays['id']}/usage", headers=admin))
    assert told["requests"] == 1


def test_in_open_mode_keys_are_kept_by_anybody(idle: Service) -> None:
    key = data_of(idle.client.post(KEYS, json={"name": "first", "scopes": ["admin"]}))
    assert (key["role"], key["user_id"]) == ("admin", None)
    assert idle.client.delete(f"{KEYS}/{key['id']}").status_code == 204


def test_strangers_keep_no_keys(service: Service) -> None:
    for answer in (
        service.client.get(KEYS),
        service.client.post(KEYS, json={"name": "x", "role": "admin"}),
        service.client.delete(f"{KEYS}/{NOWHERE}"),
    ):
        assert answer.status_code == 401


def test_alerts_of_a_key_belong_to_its_project_whatever_they_name(
    service: Service, admin: dict[str, str]
) -> None:
    """The message is read later, when nobody is at hand who may be asked."""
    hook = "/api/v1/iris/webhook"
    sent = {
        "alert_id": "a1",
        "alert_type": "error",
        "timestamp": clock.rfc3339(clock.now()),
        "project": "bank",
        "payload": {"message": "boom", "project": "bank"},
    }
    of_shop = make_key(service, "developer", projects=["shop"])
    kept = service.client.post(hook, json=sent, headers=of_shop)
    assert kept.status_code == 202
    of_bank = make_key(service, "developer", projects=["bank"])
    other = service.client.post(hook, json=sent, headers=of_bank)
    places = [f"{hook}/{data_of(answer)['webhook_id']}" for answer in (kept, other)]
    assert places[0] != places[1]  # the same from two senders is no repetition
    told = data_of(service.client.get(places[0], headers=admin))
    assert told["project"] == "shop"
    assert service.client.get(places[0], headers=of_bank).status_code == 404
    of_both = make_key(service, "developer", projects=["shop", "bank"])
    assert service.client.post(hook, json=sent, headers=of_both).status_code == 403
    assert service.client.post(hook, json=sent, headers=make_key(service, "viewer")).status_code == 403
    assert service.client.post(hook, json=sent).status_code == 401
