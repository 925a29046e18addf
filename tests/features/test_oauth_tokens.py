"""Tokens of OAuth clients: for what they are given, what they are good for, and how they end."""

from __future__ import annotations

import threading
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
import sqlalchemy as sa
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from hefesto_api.domain import clock
from hefesto_api.features.auth.oauth.client_schemas import OAuthGrantsSchema
from hefesto_api.storage import users
from hefesto_api.storage.oauth_grants import oauth_codes, oauth_grants, oauth_refresh_tokens
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from tests.access import SECRET_KEY, bearer, make_key, make_user
from tests.answers import data_of
from tests.features.oauth import (  # noqa: F401 - one is a fixture
    ANN,
    BACK,
    CLIENTS,
    PASSWORD,
    Browser,
    ask,
    basic,
    made,
    oauth_service,
    own_token,
    password_hash,
    pkce,
    redeem,
    session_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.features.conftest import Service
    from werkzeug.test import TestResponse

FINDINGS = "/api/v1/findings"
GRANTS = "/api/v1/auth/oauth-grants"


@pytest.fixture
def service(oauth_service: Service) -> Service:  # noqa: F811 - that fixture
    """A service with a user."""
    return oauth_service


@pytest.fixture
def either(make_service: Callable[..., Service], db_url: str) -> Service:
    """The same on each database in turn."""
    settings = {"HEFESTO_AUTH": "required", "HEFESTO_SECRET_KEY": SECRET_KEY, "HEFESTO_RATE_LIMITS": "off"}
    made_here = make_service(db_url, **settings)
    make_user(made_here, ANN, "developer", password_hash=password_hash(made_here))
    return made_here


def code_for(service: Service, client: dict[str, Any], **change: Any) -> tuple[str, str]:
    """Have Ann allow what an application asks for; return the code and its verifier."""
    verifier, challenge = pkce()
    browser = Browser(service)
    question = browser.signed_in(client, ANN, challenge=challenge, **change)
    location = browser.send(question, act="allow").headers["Location"]
    return parse_qs(urlsplit(location).query)["code"][0], verifier


def tokens_for(service: Service, client: dict[str, Any], **change: Any) -> dict[str, Any]:
    """Return what an application gets in Ann's name."""
    answer = redeem(service, client, *code_for(service, client, **change))
    assert answer.status_code == 200, answer.get_json()
    told: dict[str, Any] = answer.get_json()
    return told


def refresh(service: Service, client: dict[str, Any], token: str, **form: str) -> TestResponse:
    """Trade a refresh token."""
    asked = {"grant_type": "refresh_token", "refresh_token": token, **form}
    return ask(service, "/oauth/token", asked, basic(client))


def counts(service: Service, token: str) -> bool:
    """Tell whether routes let a token in; asked once for each, since the answer is kept for a moment."""
    answer = service.client.get(FINDINGS, headers=bearer(token))
    assert answer.status_code in {200, 401}
    return answer.status_code == 200


def error_of(answer: TestResponse, status: int = 400) -> str:
    """Return an error in the form of the RFCs."""
    assert answer.status_code == status, answer.get_json()
    told = answer.get_json()
    assert set(told) <= {"error", "error_description"}
    return str(told["error"])


def test_a_client_calls_for_itself(service: Service) -> None:
    client = made(service, projects=["shop"])
    token = own_token(service, client)
    assert set(token) == {"access_token", "token_type", "expires_in", "scope"}
    assert (token["token_type"], token["expires_in"]) == ("Bearer", 1800)
    assert token["scope"] == "read:alerts read:findings"
    headers = bearer(token["access_token"])
    assert service.client.get(FINDINGS, headers=headers).status_code == 200
    assert service.client.get("/api/v1/config", headers=headers).status_code == 403
    me = data_of(service.client.get("/api/v1/auth/me", headers=headers))
    assert (me["kind"], me["name"], me["projects"]) == ("client", "Grafana", ["shop"])
    form = {
        "client_id": client["id"],
        "client_secret": client["client_secret"],
        "grant_type": "client_credentials",
    }
    posted = ask(service, "/oauth/token", {**form, "scope": "read:findings"})
    assert posted.get_json()["scope"] == "read:findings"
    assert (
        service.client.get("/api/v1/alerts", headers=bearer(posted.get_json()["access_token"])).status_code
        == 403
    )


def test_scopes_that_are_not_the_clients_are_refused(service: Service) -> None:
    client = made(service)
    for scope in ("admin", "write:findings", "read:findings write:findings", "nonsense", '"\\'):
        form = {"grant_type": "client_credentials", "scope": scope}
        assert error_of(ask(service, "/oauth/token", form, basic(client))) == "invalid_scope"


def test_who_does_not_show_who_he_is_gets_one_answer(service: Service) -> None:
    client, public = made(service), made(service, confidential=False, redirect_uris=[BACK])
    switched_off = made(service)
    service.client.patch(
        f"{CLIENTS}/{switched_off['id']}", json={"is_active": False}, headers=make_key(service, "admin")
    )
    form = {"grant_type": "client_credentials"}
    shown: list[tuple[dict[str, str], dict[str, str]]] = [
        ({}, {}),
        ({}, basic(client, "hefs_wrong")),
        ({}, basic({"id": "01a1feeb-5e08-7042-8dde-7e4556de83f6"}, "x")),
        ({}, basic({"id": "nobody\0"}, "x")),
        ({}, basic(switched_off)),
        ({}, {"Authorization": "Basic !!!"}),
        ({}, {"Authorization": "Basic " + b64encode(b"\xff\xfe:\xff").decode()}),
        ({}, {"Authorization": "Basic " + b64encode(b"no colon").decode()}),
        ({}, {"Authorization": "Basic"}),
        ({}, {"Authorization": "Bearer " + client["client_secret"]}),
        ({"client_id": client["id"]}, {}),
        ({"client_id": client["id"], "client_secret": "wrong"}, {}),
        ({"client_id": public["id"]}, {}),
    ]
    answers = [ask(service, "/oauth/token", {**form, **more}, headers) for more, headers in shown]
    assert {error_of(answer, 401) for answer in answers} == {"invalid_client"}
    assert len({answer.get_data() for answer in answers}) == 1
    assert all(answer.headers["WWW-Authenticate"].startswith("Basic") for answer in answers)
    both = {**form, "client_id": client["id"], "client_secret": client["client_secret"]}
    assert error_of(ask(service, "/oauth/token", both, basic(client))) == "invalid_request"


def test_requests_that_are_none_are_told_in_the_form_of_the_rfc(service: Service) -> None:
    client = made(service)
    headers = basic(client)
    for form, error in (
        ({}, "invalid_request"),
        ({"grant_type": ""}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": 'x"\\\u00e9'}, "unsupported_grant_type"),
        ({"grant_type": ["client_credentials", "client_credentials"]}, "invalid_request"),
        ({"grant_type": "client_credentials", "scope": "a\0b"}, "invalid_request"),
        ({"grant_type": "client_credentials", **{f"x{n}": "y" for n in range(200)}}, "invalid_request"),
        ({"grant_type": "authorization_code"}, "unauthorized_client"),
        ({"grant_type": "refresh_token"}, "unauthorized_client"),
    ):
        assert error_of(ask(service, "/oauth/token", form, headers)) == error, form
    bodies: list[tuple[dict[str, Any], int]] = [
        ({"json": {"grant_type": "client_credentials"}}, 415),
        ({"data": b"x=" + b"y" * 70_000, "content_type": "application/x-www-form-urlencoded"}, 413),
        ({"data": b"grant_type=%ff", "content_type": "application/x-www-form-urlencoded"}, 400),
    ]
    for path in ("/oauth/token", "/oauth/revoke", "/oauth/introspect"):
        for body, status in bodies:
            answer = service.client.post(path, headers=headers, **body)
            assert error_of(answer, status) == "invalid_request"
            assert answer.headers["Cache-Control"] == "no-store"


def test_a_person_stands_behind_a_token(either: Service) -> None:
    client = made(either, redirect_uris=[BACK], projects=["shop"])
    tokens = tokens_for(either, client)
    me = data_of(either.client.get("/api/v1/auth/me", headers=bearer(tokens["access_token"])))
    with either.runtime.db.read() as session:
        ann = users.by_email(session, ANN)
    assert ann is not None
    assert (me["id"], me["name"], me["projects"]) == (ann.id, ANN, ["shop"])
    renewed = refresh(either, client, tokens["refresh_token"]).get_json()
    assert counts(either, renewed["access_token"])
    later = refresh(either, client, renewed["refresh_token"], scope="read:findings").get_json()
    assert later["scope"] == "read:findings"
    assert ask(either, "/oauth/revoke", {"token": later["refresh_token"]}, basic(client)).status_code == 200
    assert not counts(either, later["access_token"])
    assert error_of(refresh(either, client, later["refresh_token"])) == "invalid_grant"


def test_a_token_of_a_client_is_no_login(service: Service) -> None:
    client = made(service, redirect_uris=[BACK], scopes=["admin"])
    headers = bearer(tokens_for(service, client)["access_token"])
    for method, path, body in (
        ("POST", "password", {"current_password": "x", "new_password": "y" * 20}),
        ("GET", "sessions", None),
        ("POST", "mfa/setup", {}),
        ("POST", "oidc/link", {}),
        ("POST", "oauth-clients", {"name": "More", "scopes": ["read:findings"]}),
        ("POST", "api-keys", {"name": "More", "role": "viewer"}),
    ):
        answer = service.client.open(f"/api/v1/auth/{path}", method=method, json=body, headers=headers)
        assert answer.status_code == 403, (path, answer.get_json())


def test_a_code_is_good_for_who_asked_alone(service: Service) -> None:
    client, other = (made(service, redirect_uris=[BACK]) for _ in range(2))
    code, verifier = code_for(service, client)
    for wrong in (
        {"code_verifier": pkce()[0]},
        {"code_verifier": ""},
        {"code_verifier": "short"},
        {"code_verifier": verifier + "\u00e9"},
        {"redirect_uri": BACK + "2"},
        {"redirect_uri": ""},
        {"code": code[:-1]},
        {"code": ""},
    ):
        form = {"code": code, "code_verifier": verifier, **wrong}
        refused = redeem(service, client, form.pop("code"), form.pop("code_verifier"), **form)
        assert error_of(refused) in {"invalid_grant", "invalid_request"}, wrong
    assert error_of(redeem(service, other, code, verifier)) == "invalid_grant"
    assert redeem(service, client, code, verifier).status_code == 200


def test_a_code_that_comes_again_takes_down_what_it_gave(service: Service) -> None:
    client = made(service, redirect_uris=[BACK])
    code, verifier = code_for(service, client)
    tokens = redeem(service, client, code, verifier).get_json()
    assert error_of(redeem(service, client, code, verifier)) == "invalid_grant"
    assert not counts(service, tokens["access_token"])
    assert error_of(refresh(service, client, tokens["refresh_token"])) == "invalid_grant"


def test_a_code_is_good_for_a_minute(service: Service) -> None:
    client = made(service, redirect_uris=[BACK])
    code, verifier = code_for(service, client)
    with service.runtime.db.write() as session:
        row = session.execute(sa.select(oauth_codes.c.created_at, oauth_codes.c.expires_at)).one()
        assert row.expires_at - row.created_at == timedelta(seconds=60)
        session.execute(sa.update(oauth_codes).values(expires_at=clock.now()))
    assert error_of(redeem(service, client, code, verifier)) == "invalid_grant"


def test_of_many_who_show_one_code_at_most_one_is_served(either: Service) -> None:
    client = made(either, redirect_uris=[BACK])
    code, verifier = code_for(either, client)
    many = 8
    start = threading.Barrier(many)

    def show(_: int) -> int:
        start.wait()
        caller = either.client.application.test_client()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": BACK,
            "code_verifier": verifier,
        }
        return caller.post("/oauth/token", data=form, headers=basic(client)).status_code

    with ThreadPoolExecutor(many) as pool:
        statuses = sorted(pool.map(show, range(many)))
    assert statuses == [200, *[400] * (many - 1)]
    with either.runtime.db.read() as session:
        assert session.execute(sa.select(sa.func.count()).select_from(oauth_refresh_tokens)).scalar_one() == 1
        assert session.execute(sa.select(oauth_grants.c.revoked_at.is_not(None))).scalars().all() == [True]


def test_of_many_who_show_one_refresh_token_all_get_one_successor(either: Service) -> None:
    client = made(either, redirect_uris=[BACK])
    token = tokens_for(either, client)["refresh_token"]
    many = 8
    start = threading.Barrier(many)

    def show(_: int) -> str:
        start.wait()
        caller = either.client.application.test_client()
        form = {"grant_type": "refresh_token", "refresh_token": token}
        return str(caller.post("/oauth/token", data=form, headers=basic(client)).get_json()["refresh_token"])

    with ThreadPoolExecutor(many) as pool:
        assert len(set(pool.map(show, range(many)))) == 1


def test_a_refresh_token_that_comes_again_too_late_ends_the_grant(service: Service) -> None:
    client = made(service, redirect_uris=[BACK])
    first = tokens_for(service, client)["refresh_token"]
    renewed = refresh(service, client, first).get_json()
    assert refresh(service, client, first).get_json()["refresh_token"] == renewed["refresh_token"]
    with service.runtime.db.write() as session:
        used = oauth_refresh_tokens.c.used_at
        session.execute(
            sa.update(oauth_refresh_tokens)
            .where(used.is_not(None))
            .values(used_at=clock.now() - timedelta(seconds=11))
        )
    assert error_of(refresh(service, client, first)) == "invalid_grant"
    assert not counts(service, renewed["access_token"])
    assert error_of(refresh(service, client, renewed["refresh_token"])) == "invalid_grant"


def test_a_refresh_token_whose_successor_was_used_ends_the_grant(service: Service) -> None:
    client = made(service, redirect_uris=[BACK])
    first = tokens_for(service, client)["refresh_token"]
    second = refresh(service, client, first).get_json()["refresh_token"]
    third = refresh(service, client, second).get_json()
    assert error_of(refresh(service, client, first)) == "invalid_grant"
    assert not counts(service, third["access_token"])


def test_a_refresh_token_is_good_for_its_client_and_no_more_than_it_was(service: Service) -> None:
    client, other = (made(service, redirect_uris=[BACK]) for _ in range(2))
    token = tokens_for(service, client, scope="read:findings")["refresh_token"]
    assert error_of(refresh(service, other, token)) == "invalid_grant"
    assert error_of(refresh(service, client, token, scope="read:alerts")) == "invalid_scope"
    assert error_of(refresh(service, client, token + "x")) == "invalid_grant"
    assert error_of(refresh(service, client, "")) == "invalid_request"
    assert refresh(service, client, token).status_code == 200


def test_a_client_without_that_grant_gets_no_refresh_token(service: Service) -> None:
    client = made(service, redirect_uris=[BACK], grant_types=["authorization_code"])
    assert "refresh_token" not in tokens_for(service, client)


def test_a_public_client_needs_no_secret_and_has_none(service: Service) -> None:
    client = made(service, confidential=False, redirect_uris=[BACK])
    tokens = tokens_for(service, client)
    form = {
        "grant_type": "refresh_token",
        "refresh_token": tokens["refresh_token"],
        "client_id": client["id"],
    }
    renewed = ask(service, "/oauth/token", form).get_json()
    own = {"client_id": client["id"], "token": renewed["access_token"]}
    assert error_of(ask(service, "/oauth/introspect", own), 401) == "invalid_client"
    assert ask(service, "/oauth/revoke", own).status_code == 200
    assert not counts(service, renewed["access_token"])


def test_people_see_what_they_allowed_and_take_it_back(service: Service) -> None:
    client = made(service, name="Board", redirect_uris=[BACK])
    first, second = tokens_for(service, client), tokens_for(service, client, scope="read:findings")
    with service.runtime.db.read() as session:
        ann = users.by_email(session, ANN)
    assert ann is not None
    headers, others = session_of(service, ann), session_of(service, make_user(service, "ben@example.com"))
    listed = data_of(service.client.get(GRANTS, headers=headers))
    assert OAuthGrantsSchema().validate(listed) == {}
    shown = [(one["client"], one["scopes"]) for one in listed["oauth_grants"]]
    assert shown == [("Board", ["read:findings"]), ("Board", ["read:alerts", "read:findings"])]
    place = f"{GRANTS}/{listed['oauth_grants'][0]['id']}"
    assert data_of(service.client.get(GRANTS, headers=others)) == {"oauth_grants": []}
    assert service.client.delete(place, headers=others).status_code == 404
    assert service.client.delete(place, headers=bearer(first["access_token"])).status_code == 403
    assert service.client.get(GRANTS).status_code == 401
    statuses = [service.client.delete(place, headers=headers).status_code for _ in range(2)]
    assert statuses == [204, 404]
    assert not counts(service, second["access_token"])
    assert counts(service, refresh(service, client, first["refresh_token"]).get_json()["access_token"])
    assert len(data_of(service.client.get(GRANTS, headers=headers))["oauth_grants"]) == 1


def end_by_switching_off(service: Service, client: dict[str, Any]) -> None:
    service.client.patch(
        f"{CLIENTS}/{client['id']}", json={"is_active": False}, headers=make_key(service, "admin")
    )


def end_by_deleting(service: Service, client: dict[str, Any]) -> None:
    service.client.delete(f"{CLIENTS}/{client['id']}", headers=make_key(service, "admin"))


def end_by_revoking_ann(service: Service, _: dict[str, Any]) -> None:
    with service.runtime.db.write() as session:
        ann = users.by_email(session, ANN)
        assert ann is not None
        users.revoke_tokens(session, ann.id)


def end_by_disabling_ann(service: Service, _: dict[str, Any]) -> None:
    with service.runtime.db.write() as session:
        ann = users.by_email(session, ANN)
        assert ann is not None
        users.change(session, ann.id, is_active=False)


@pytest.mark.parametrize(
    "end", [end_by_switching_off, end_by_deleting, end_by_revoking_ann, end_by_disabling_ann]
)
def test_what_a_client_was_given_ends(service: Service, end: Callable[..., None]) -> None:
    client = made(service, redirect_uris=[BACK])
    tokens = tokens_for(service, client)
    code, verifier = code_for(service, client)
    end(service, client)
    assert not counts(service, tokens["access_token"])
    assert refresh(service, client, tokens["refresh_token"]).status_code in {400, 401}
    assert redeem(service, client, code, verifier).status_code in {400, 401}
    service.client.patch(
        f"{CLIENTS}/{client['id']}", json={"is_active": True}, headers=make_key(service, "admin")
    )
    assert refresh(service, client, tokens["refresh_token"]).status_code in {400, 401}


CHANGES: dict[str, dict[str, Any]] = {
    "password": {"password": "another horse battery staple"},
    "disabled": {"is_active": False},
    "role": {"role": "viewer"},
    "projects": {"projects": ["shop"]},
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_changes_about_a_user_ends_what_was_allowed_in_his_name(service: Service, what: str) -> None:
    client = made(service, redirect_uris=[BACK])
    tokens = tokens_for(service, client)
    code, verifier = code_for(service, client)
    admin = make_key(service, "admin", name="root")
    with service.runtime.db.read() as session:
        ann = users.by_email(session, ANN)
    assert ann is not None
    place = f"/api/v1/auth/users/{ann.id}"
    service.client.patch(place, json={"name": "Ann Example", "tier": "free"}, headers=admin)
    told = refresh(service, client, tokens["refresh_token"]).get_json()
    assert service.client.patch(place, json=CHANGES[what], headers=admin).status_code == 200
    service.client.patch(place, json={"is_active": True}, headers=admin)
    assert not counts(service, told["access_token"])
    assert error_of(refresh(service, client, told["refresh_token"])) == "invalid_grant"
    assert error_of(redeem(service, client, code, verifier)) == "invalid_grant"


def test_another_password_of_ones_own_ends_what_one_allowed(service: Service) -> None:
    client = made(service, redirect_uris=[BACK])
    tokens = tokens_for(service, client)
    login = {"email": ANN, "password": PASSWORD}
    ann = bearer(data_of(service.client.post("/api/v1/auth/login", json=login))["access_token"])
    wanted = {"current_password": PASSWORD, "new_password": "another horse battery staple"}
    assert service.client.post("/api/v1/auth/password", json=wanted, headers=ann).status_code == 204
    assert data_of(service.client.get(GRANTS, headers=ann)) == {"oauth_grants": []}
    assert not counts(service, tokens["access_token"])
    assert error_of(refresh(service, client, tokens["refresh_token"])) == "invalid_grant"
    log = service.client.get(
        "/api/v1/audit-logs?action=oauth_grant.revoked", headers=make_key(service, "admin")
    )
    (entry,) = data_of(log)["audit_logs"]
    assert entry["changes"] == {"grants": 1, "reason": "the password was changed"}


def test_what_is_not_there_is_told_in_the_form_of_the_protocol(service: Service) -> None:
    for method, path, status in (("GET", "/oauth/token", 405), ("POST", "/oauth/device", 404)):
        answer = service.client.open(path, method=method)
        assert error_of(answer, status) == "invalid_request"
        assert set(answer.get_json()) == {"error", "error_description"}
        assert answer.headers["Content-Type"] == "application/json"
        assert ("Allow" in answer.headers) == (status == 405)
    assert service.client.get("/api/v1/nothing").get_json()["error"]["code"] == "RESOURCE_NOT_FOUND"


def test_a_client_ends_with_its_owner_and_may_no_more_than_he(service: Service) -> None:
    dora = make_user(service, "dora@example.com", "developer", projects=["shop"])
    client = made(service, session_of(service, dora), scopes=["write:findings", "read:findings"])
    assert own_token(service, client)["scope"] == "read:findings write:findings"
    with service.runtime.db.write() as session:
        users.change(session, dora.id, role="viewer", projects=["mill"])
    token = own_token(service, client)
    assert token["scope"] == "read:findings"
    me = data_of(service.client.get("/api/v1/auth/me", headers=bearer(token["access_token"])))
    assert (me["scopes"], me["projects"]) == (["read:findings"], [])
    other = own_token(service, client)
    with service.runtime.db.write() as session:
        users.change(session, dora.id, is_active=False)
    assert not counts(service, other["access_token"])
    answer = ask(service, "/oauth/token", {"grant_type": "client_credentials"}, basic(client))
    assert error_of(answer, 401) == "invalid_client"


def test_a_change_narrows_what_was_given(service: Service) -> None:
    client = made(service)
    token = own_token(service, client)["access_token"]
    service.client.patch(
        f"{CLIENTS}/{client['id']}", json={"scopes": ["read:alerts"]}, headers=make_key(service, "admin")
    )
    assert service.client.get(FINDINGS, headers=bearer(token)).status_code == 403


def test_taking_back_tells_nothing_of_what_is_not_ones_own(service: Service) -> None:
    client, other = made(service), made(service)
    token = own_token(service, client)["access_token"]
    for unknown in ("nonsense", "hefo_nothing", token[:-4] + "AAAA", "\u00e9"):
        assert ask(service, "/oauth/revoke", {"token": unknown}, basic(client)).status_code == 200
    assert error_of(ask(service, "/oauth/revoke", {"token": token}, basic(other))) == "invalid_grant"
    assert error_of(ask(service, "/oauth/revoke", {}, basic(client))) == "invalid_request"
    assert error_of(ask(service, "/oauth/revoke", {"token": token}), 401) == "invalid_client"
    hinted = {"token": token, "token_type_hint": "refresh_token"}
    assert ask(service, "/oauth/revoke", hinted, basic(client)).status_code == 200
    assert ask(service, "/oauth/introspect", {"token": token}, basic(client)).get_json() == {"active": False}


def test_a_client_is_told_of_its_own_tokens(service: Service) -> None:
    client, other = made(service, redirect_uris=[BACK]), made(service)
    tokens = tokens_for(service, client)

    def told(token: str, by: dict[str, Any]) -> Any:
        answer = ask(service, "/oauth/introspect", {"token": token}, basic(by))
        assert answer.status_code == 200
        return answer.get_json()

    access = told(tokens["access_token"], client)
    assert (access["active"], access["client_id"], access["username"]) == (True, client["id"], ANN)
    assert (access["scope"], access["exp"] - access["iat"]) == ("read:alerts read:findings", 1800)
    renewing = told(tokens["refresh_token"], client)
    assert (renewing["active"], renewing["token_type"]) == (True, "refresh_token")
    nothing = {"active": False}
    assert told(tokens["access_token"], other) == nothing
    assert told(tokens["refresh_token"], other) == nothing
    for unknown in ("nonsense", "hefo_x", "a.b.c", "x" * 5000, "\u00e9"):
        assert told(unknown, client) == nothing
    refresh(service, client, tokens["refresh_token"])
    assert told(tokens["refresh_token"], client) == nothing


def test_an_admins_client_is_told_of_all_tokens(service: Service) -> None:
    bound = made(service, scopes=["admin"], projects=["shop"])
    admin, client = made(service, scopes=["admin"]), made(service)
    with service.runtime.db.read() as session:
        ann = users.by_email(session, ANN)
    assert ann is not None
    shown = session_of(service, ann)["Authorization"].removeprefix("Bearer ")
    for token, subject in ((shown, ann.id), (own_token(service, client)["access_token"], client["id"])):
        told = ask(service, "/oauth/introspect", {"token": token}, basic(admin)).get_json()
        assert (told["active"], told["sub"]) == (True, subject)
        assert not ask(service, "/oauth/introspect", {"token": token}, basic(bound)).get_json()["active"]
    assert not ask(service, "/oauth/introspect", {"token": shown}, basic(client)).get_json()["active"]


def test_what_there_is_is_published(make_service: Callable[..., Service], sqlite_url: str) -> None:
    settings = {"HEFESTO_AUTH": "open", "HEFESTO_PUBLIC_URL": "https://hefesto.example/quality/"}
    service = make_service(sqlite_url, **settings)
    told = service.client.get("/.well-known/oauth-authorization-server").get_json()
    AuthorizationServerMetadata(told).validate()
    assert told["issuer"] == "https://hefesto.example/quality"
    assert told["code_challenge_methods_supported"] == ["S256"]
    assert told["authorization_response_iss_parameter_supported"] is True
    for name in ("authorization", "token", "revocation", "introspection"):
        path = told[f"{name}_endpoint"].removeprefix(told["issuer"])
        answer = service.client.open(path, method="GET" if name == "authorization" else "POST")
        assert answer.status_code in {400, 401}, path


def test_others_can_check_our_tokens_by_our_keys(
    make_service: Callable[..., Service], sqlite_url: str
) -> None:
    service = make_service(sqlite_url, HEFESTO_AUTH="open", HEFESTO_PUBLIC_URL="https://hefesto.example")
    token = own_token(service, made(service))["access_token"]
    published = service.client.get("/.well-known/jwks.json").get_json()
    keys = {key.key_id: key.key for key in jwt.PyJWKSet.from_dict(published).keys}
    assert all("d" not in key for key in published["keys"])
    key = keys[jwt.get_unverified_header(token)["kid"]]
    issuer = service.client.get("/.well-known/oauth-authorization-server").get_json()["issuer"]
    claims = jwt.decode(token, key, algorithms=["EdDSA"], audience="urn:hefesto:api", issuer=issuer)
    assert claims["scope"] == "read:alerts read:findings"


HOSTILE = st.text(max_size=40) | st.sampled_from(
    ["client_credentials", "authorization_code", "refresh_token", "code", "S256", BACK]
)
NAMES = ("grant_type", "client_id", "client_secret", "code", "code_verifier", "redirect_uri", "refresh_token",
         "scope", "state", "token", "token_type_hint", "response_type", "code_challenge",
         "code_challenge_method", "act", "proof", "email", "password", "totp")  # fmt: skip


@examples(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(form=st.dictionaries(st.sampled_from(NAMES), HOSTILE), shown=st.text(max_size=30))
def test_nothing_that_is_sent_makes_it_fail(service: Service, form: dict[str, str], shown: str) -> None:
    if not hasattr(service, "known"):
        service.known = made(service, redirect_uris=[BACK])  # type: ignore[attr-defined]
    client: dict[str, Any] = service.known  # type: ignore[attr-defined]
    form = {name: value.encode("utf-8", "replace").decode() for name, value in form.items()}
    headers = {
        "Authorization": "Basic " + b64encode(f"{client['id']}:{shown}".encode("utf-8", "replace")).decode()
    }
    for path in ("/oauth/token", "/oauth/revoke", "/oauth/introspect"):
        for by in (headers, basic(client), {}):
            assert service.client.post(path, data=form, headers=by).status_code < 500
    for more in ({}, {"client_id": client["id"], "redirect_uri": BACK}):
        answer = service.client.get("/oauth/authorize", query_string={**form, **more})
        assert answer.status_code < 500
        assert answer.headers.get("Location", BACK).startswith(BACK)
        assert (
            service.client.post("/oauth/authorize", query_string={**form, **more}, data=form).status_code
            < 500
        )
