"""Signing in with an OpenID provider: who is let in as whom, and what nobody is believed."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from hefesto_api import settings as all_settings
from hefesto_api.app import create_app
from hefesto_api.domain import clock
from hefesto_api.domain.errors import UsageError
from hefesto_api.storage import identities, second_factors, users
from hefesto_api.storage.identities import IdentityRecord
from tests.access import SECRET_KEY, bearer, make_key, make_user
from tests.answers import data_of, error_of
from tests.features.oauth import BACK, Browser, made, pkce, session_of
from tests.features.provider import CLIENT_ID, CLIENT_SECRET, Provider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hefesto_api.storage.users import UserRecord
    from tests.features.conftest import Service
    from werkzeug.test import TestResponse

PLACE = "/api/v1/auth/oidc"
HASH = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$aGFzaA"


@pytest.fixture
def provider() -> Iterator[Provider]:
    """A provider."""
    made_here = Provider()
    yield made_here
    made_here.close()


@pytest.fixture
def make(make_service: Callable[..., Service], sqlite_url: str, provider: Provider) -> Callable[..., Service]:
    """Make a service whose people sign in with the provider."""

    def make_one(**settings: str) -> Service:
        return make_service(
            sqlite_url,
            **{
                "HEFESTO_AUTH": "required",
                "HEFESTO_RATE_LIMITS": "off",
                "HEFESTO_SECRET_KEY": SECRET_KEY,
                "HEFESTO_OIDC_ISSUER": provider.issuer,
                "HEFESTO_OIDC_CLIENT_ID": CLIENT_ID,
                "HEFESTO_OIDC_CLIENT_SECRET": CLIENT_SECRET,
                **settings,
            },
        )

    return make_one


def sign_in(service: Service, provider: Provider, **query: str) -> TestResponse:
    """Go to the provider and come back."""
    gone = service.client.get(f"{PLACE}/login", query_string=query)
    assert gone.status_code == 302, gone.get_json()
    assert gone.headers["Cache-Control"] == "no-store"
    return service.client.get(provider.agree(gone.headers["Location"]))


def user_of(service: Service, answer: TestResponse) -> dict[str, Any]:
    """Return who a session is of, by the access token that was given."""
    issued = data_of(answer)
    assert answer.headers["Cache-Control"] == "no-store"
    me: dict[str, Any] = data_of(
        service.client.get("/api/v1/auth/me", headers=bearer(issued["access_token"]))
    )
    return me


def kept(service: Service, email: str) -> UserRecord | None:
    with service.runtime.db.read() as session:
        return users.by_email(session, email)


def refused(service: Service, provider: Provider) -> str:
    answer = sign_in(service, provider)
    error_of(answer, "AUTHENTICATION_REQUIRED")
    assert answer.status_code == 401
    return str(answer.get_json()["error"]["message"])


def test_a_new_user_gets_the_role_that_the_settings_name(
    make: Callable[..., Service], provider: Provider
) -> None:
    service = make(HEFESTO_OIDC_ROLE="developer")
    provider.person["name"] = "Ann Example"
    answer = sign_in(service, provider)
    me = user_of(service, answer)
    assert (me["email"], me["role"], me["kind"], me["projects"]) == (
        "ann@example.com",
        "developer",
        "user",
        None,
    )
    issued = data_of(answer)
    again = service.client.post("/api/v1/auth/refresh", json={"refresh_token": issued["refresh_token"]})
    assert again.status_code == 200
    provider.person["email"] = "renamed@example.com"
    assert user_of(service, sign_in(service, provider))["id"] == me["id"]


def test_nobody_new_is_let_in_where_nothing_says_so(make: Callable[..., Service], provider: Provider) -> None:
    service = make()
    answer = sign_in(service, provider)
    error_of(answer, "INSUFFICIENT_PERMISSIONS")
    assert kept(service, "ann@example.com") is None


def test_where_anybody_registers_a_new_user_sees_nothing_yet(
    make: Callable[..., Service], provider: Provider
) -> None:
    service = make(HEFESTO_REGISTRATION="open")
    me = user_of(service, sign_in(service, provider))
    assert (me["role"], me["projects"]) == ("viewer", [])


def test_a_verified_address_links_to_the_user_who_has_it(
    make: Callable[..., Service], provider: Provider
) -> None:
    service = make()
    ann = make_user(service, "ann@example.com", "operator", password_hash=HASH)
    provider.person["email"] = "ANN@example.com"
    assert user_of(service, sign_in(service, provider))["id"] == ann.id


def test_an_address_that_is_not_surely_theirs_links_to_nobody(
    make: Callable[..., Service], provider: Provider
) -> None:
    service = make(HEFESTO_OIDC_ROLE="admin")
    make_user(service, "ann@example.com", "admin")
    for said in (False, "false", 1, "yes", [True]):
        provider.person["email_verified"] = said
        assert "does not say that your email" in refused(service, provider), said
    del provider.person["email_verified"]
    assert "does not say that your email" in refused(service, provider)
    for email in ("", "ann", "ann@example.com\n", 5, None, "ann@example.com,eve@example.com"):
        provider.person |= {"email": email, "email_verified": True}
        assert "does not say that your email" in refused(service, provider), email


def test_addresses_may_be_trusted_where_the_provider_says_nothing(
    make: Callable[..., Service], provider: Provider
) -> None:
    service = make(HEFESTO_OIDC_TRUST_EMAIL="true")
    ann = make_user(service, "ann@example.com")
    provider.person["email_verified"] = False
    refused(service, provider)
    del provider.person["email_verified"]
    assert user_of(service, sign_in(service, provider))["id"] == ann.id


def test_what_the_token_leaves_out_is_asked_for(make: Callable[..., Service], provider: Provider) -> None:
    service = make()
    ann = make_user(service, "ann@example.com")
    provider.userinfo = {**provider.person}
    provider.left_out = {"email", "email_verified"}
    provider.userinfo["sub"] = "2"
    refused(service, provider)
    provider.userinfo["sub"] = "1"
    assert user_of(service, sign_in(service, provider))["id"] == ann.id


def test_an_account_that_a_stranger_may_have_made_is_not_linked_by_its_address(
    make: Callable[..., Service], provider: Provider
) -> None:
    service = make(HEFESTO_REGISTRATION="open")
    ann = make_user(service, "ann@example.com", password_hash=HASH)
    assert error_of(sign_in(service, provider), "CONFLICT")["reason"] == "link_first"
    headers = session_of(service, ann)
    address = data_of(service.client.post(f"{PLACE}/link", json={}, headers=headers))["authorization_url"]
    assert user_of(service, service.client.get(provider.agree(address)))["id"] == ann.id
    assert user_of(service, sign_in(service, provider))["id"] == ann.id


def test_an_account_with_a_second_factor_is_not_linked_by_its_address(
    make: Callable[..., Service], provider: Provider
) -> None:
    service = make()
    ann = make_user(service, "ann@example.com", password_hash=HASH)
    with service.runtime.db.write() as session:
        second_factors.prepare(session, ann.id, SEALED, b"salt", now=clock.now())
        session.execute(second_factors.second_factors.update().values(confirmed_at=clock.now()))
    error_of(sign_in(service, provider), "CONFLICT")


SEALED = "hv1.0123456789abcdef.AAAA"


def test_one_account_of_the_provider_is_one_user(make: Callable[..., Service], provider: Provider) -> None:
    service = make()
    make_user(service, "ann@example.com")
    user_of(service, sign_in(service, provider))
    headers = session_of(service, make_user(service, "ben@example.com"))
    address = data_of(service.client.post(f"{PLACE}/link", json={}, headers=headers))["authorization_url"]
    error_of(service.client.get(provider.agree(address)), "CONFLICT")


def test_who_has_a_password_is_unlinked_from_the_provider(
    make: Callable[..., Service], provider: Provider
) -> None:
    service = make(HEFESTO_REGISTRATION="open")
    ann = make_user(service, "ann@example.com", password_hash=HASH)
    headers = session_of(service, ann)
    address = data_of(service.client.post(f"{PLACE}/link", json={}, headers=headers))["authorization_url"]
    user_of(service, service.client.get(provider.agree(address)))
    (linked,) = data_of(service.client.get(f"{PLACE}/identities", headers=headers))["identities"]
    assert (linked["issuer"], linked["email"]) == (provider.issuer, "ann@example.com")
    place = f"{PLACE}/identities/{linked['id']}"
    other = session_of(service, make_user(service, "ben@example.com", password_hash=HASH))
    assert service.client.delete(place, headers=other).status_code == 404
    assert service.client.delete(place, headers=headers).status_code == 204
    assert service.client.delete(place, headers=headers).status_code == 404
    assert data_of(service.client.get(f"{PLACE}/identities", headers=headers)) == {"identities": []}
    error_of(sign_in(service, provider), "CONFLICT")
    admin = make_key(service, "admin")
    log = data_of(service.client.get("/api/v1/audit-logs?action=identity.unlinked", headers=admin))
    assert [entry["resource_id"] for entry in log["audit_logs"]] == [ann.id]


def test_nobody_takes_his_last_way_in_away(make: Callable[..., Service], provider: Provider) -> None:
    service = make()
    ann = make_user(service, "ann@example.com")
    user_of(service, sign_in(service, provider))
    former = IdentityRecord("https://former.example", "ann", ann.id, None, clock.now())
    with service.runtime.db.write() as session:
        identities.add(session, former)
    headers = session_of(service, ann)
    found = data_of(service.client.get(f"{PLACE}/identities", headers=headers))["identities"]
    of = {one["issuer"]: f"{PLACE}/identities/{one['id']}" for one in found}
    answer = service.client.delete(of[provider.issuer], headers=headers)
    assert error_of(answer, "CONFLICT")["reason"] == "last_way_in"
    assert service.client.delete(of[former.issuer], headers=headers).status_code == 204
    assert user_of(service, sign_in(service, provider))["id"] == ann.id


def test_a_disabled_user_is_not_let_in(make: Callable[..., Service], provider: Provider) -> None:
    service = make()
    ann = make_user(service, "ann@example.com")
    user_of(service, sign_in(service, provider))
    with service.runtime.db.write() as session:
        users.change(session, ann.id, is_active=False)
    assert "switched off" in refused(service, provider)


def test_groups_decide_the_role_at_every_sign_in(make: Callable[..., Service], provider: Provider) -> None:
    service = make(
        HEFESTO_OIDC_ROLE_CLAIM="realm.roles", HEFESTO_OIDC_ROLE_MAPPING="ops=operator,dev=developer"
    )
    roles = []
    for groups in (["x", "dev", "ops"], ["dev"], "dev"):
        provider.claims["realm"] = {"roles": groups}
        roles.append(user_of(service, sign_in(service, provider))["role"])
    assert roles == ["operator", "developer", "developer"]
    nothings: list[Any] = [{"roles": ["x"]}, {"roles": {"dev": 1}}, {}, [], None, {"roles": [["dev"]]}]
    for nothing in nothings:
        provider.claims["realm"] = nothing
        error_of(sign_in(service, provider), "INSUFFICIENT_PERMISSIONS")


def test_the_last_admin_stays_one(make: Callable[..., Service], provider: Provider) -> None:
    service = make(HEFESTO_OIDC_ROLE_CLAIM="groups", HEFESTO_OIDC_ROLE_MAPPING="dev=developer")
    make_user(service, "ann@example.com", "admin")
    provider.claims["groups"] = ["dev"]
    assert user_of(service, sign_in(service, provider))["role"] == "admin"


def test_tokens_that_do_not_hold_are_not_believed(make: Callable[..., Service], provider: Provider) -> None:
    service = make(HEFESTO_OIDC_ROLE="viewer")
    now = int(time.time())
    for wrong in (
        {"iss": "https://other.example"},
        {"iss": provider.issuer + "/"},
        {"aud": "other"},
        {"aud": ["other"]},
        {"aud": [CLIENT_ID, "other"]},
        {"azp": "other"},
        {"exp": now - 120},
        {"exp": "soon"},
        {"exp": True},
        {"exp": 10**30},
        {"iat": now - 3600},
        {"iat": now + 3600},
        {"nbf": now + 3600},
        {"nonce": "other"},
        {"nonce": None},
        {"nonce": "\ud800"},
        {"sub": ""},
        {"sub": 5},
        {"sub": "x" * 256},
    ):
        provider.claims = wrong
        refused(service, provider)
    provider.claims = {}
    for name in ("iss", "aud", "exp", "iat", "nonce", "sub"):
        provider.left_out = {name}
        refused(service, provider)
    provider.left_out = set()
    assert sign_in(service, provider).status_code == 200


def test_signatures_that_do_not_hold_are_not_believed(
    make: Callable[..., Service], provider: Provider
) -> None:
    service = make(HEFESTO_OIDC_ROLE="viewer")
    stranger = generate_private_key(SECP256R1())
    public = json.dumps(provider.jwk())
    kid = {"kid": provider.key_id}

    def flipped(claims: dict[str, Any]) -> str:
        head, body, signature = provider.sign(claims).split(".")
        return f"{head}.{body}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"

    def swapped(claims: dict[str, Any]) -> str:
        head, _, signature = provider.sign(claims).split(".")
        return f"{head}.{provider.sign({**claims, 'sub': '2'}).split('.')[1]}.{signature}"

    forged: list[Callable[[dict[str, Any]], str]] = [
        lambda claims: jwt.encode(claims, "", algorithm="none", headers=kid),
        lambda claims: jwt.encode(claims, public * 2, algorithm="HS256", headers=kid),
        lambda claims: jwt.encode(claims, stranger, algorithm="ES256", headers=kid),
        lambda claims: jwt.encode(claims, stranger, algorithm="ES256", headers={"jwk": provider.jwk()}),
        lambda claims: jwt.encode(claims, provider.key, algorithm="ES256", headers={**kid, "crit": ["exp"]}),
        lambda claims: jwt.encode(
            {**claims, "x": "y" * 20_000}, provider.key, algorithm="ES256", headers=kid
        ),
        flipped,
        swapped,
        lambda claims: "",
        lambda claims: "a.b.c",
        lambda claims: "\u00e9.\u00e9.\u00e9",
        lambda claims: "." * 1000,
    ]
    for forge in forged:
        provider.signed = forge
        refused(service, provider)
    provider.signed = provider.sign
    assert sign_in(service, provider).status_code == 200


def test_the_way_back_is_only_good_for_who_went(make: Callable[..., Service], provider: Provider) -> None:
    service = make(HEFESTO_OIDC_ROLE="viewer")
    gone = service.client.get(f"{PLACE}/login")
    back = provider.agree(gone.headers["Location"])
    told = gone.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Lax", f"Path={PLACE}"} <= {part.strip() for part in told.split(";")}
    cookie = service.client.get_cookie("hefesto_oidc", path=PLACE)
    assert cookie is not None
    state = back.partition("state=")[2].partition("&")[0]
    assert state not in told
    for wrong in (
        back.replace(f"state={state}", "state=other"),
        back.replace(f"state={state}", ""),
        back.replace("code=", "kode="),
        f"{PLACE}/callback?state={state}&error=access_denied",
        f"{PLACE}/callback?state={state}&error=%3Cscript%3E",
        f"{PLACE}/callback",
        back + "&iss=https%3A%2F%2Fother.example",
    ):
        assert service.client.get(wrong).status_code == 401
    service.client.delete_cookie("hefesto_oidc", path=PLACE)
    assert service.client.get(back).status_code == 401
    service.client.set_cookie("hefesto_oidc", cookie.value[:-3] + "AAA", path=PLACE)
    assert service.client.get(back).status_code == 401
    service.client.set_cookie("hefesto_oidc", cookie.value, path=PLACE)
    assert service.client.get(back).status_code == 200
    assert service.client.get(back).status_code == 401


def test_a_provider_that_names_itself_on_the_way_back_must(
    make: Callable[..., Service], provider: Provider
) -> None:
    service = make(HEFESTO_OIDC_ROLE="viewer")
    provider.about = {"authorization_response_iss_parameter_supported": True}
    refused(service, provider)
    gone = service.client.get(f"{PLACE}/login")
    back = provider.agree(gone.headers["Location"])
    assert service.client.get(f"{back}&iss={provider.issuer}").status_code == 200


def test_keys_may_change_but_nobody_makes_us_ask_for_them(
    make: Callable[..., Service], provider: Provider
) -> None:
    service = make(HEFESTO_OIDC_ROLE="viewer")
    assert sign_in(service, provider).status_code == 200
    provider.rotate("two")
    assert sign_in(service, provider).status_code == 200
    asked = provider.asked.count("/keys")
    assert asked == 2
    for name in ("three", "four", "five"):
        provider.signed = lambda claims, name=name: jwt.encode(  # type: ignore[misc]
            claims, provider.key, algorithm="ES256", headers={"kid": name}
        )
        refused(service, provider)
    assert provider.asked.count("/keys") == asked


def test_a_provider_that_does_not_answer_as_it_should_is_told_of(
    make: Callable[..., Service], provider: Provider
) -> None:
    service = make(HEFESTO_OIDC_ROLE="viewer")
    configuration = "/.well-known/openid-configuration"
    good = {"authorization_endpoint": f"{provider.issuer}/authorize"}
    for answer in (
        (500, b"{}"),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b"\xff"),
        (302, b"{}"),
        (200, b"[" * 50_000),
        (200, b" " * 300_000),
        (200, json.dumps({**good, "issuer": "https://other.example"}).encode()),
        (200, json.dumps({"issuer": provider.issuer}).encode()),
        (
            200,
            json.dumps(
                {**good, "issuer": provider.issuer, "token_endpoint": "ftp://x/", "jwks_uri": 5}
            ).encode(),
        ),
    ):
        provider.answers[configuration] = answer
        gone = service.client.get(f"{PLACE}/login")
        assert gone.status_code == 503, answer
        assert error_of(gone, "SERVICE_UNAVAILABLE")["service"] == "openid"
    provider.answers[configuration] = (302, b"{}")
    provider.headers = {"Location": f"{provider.issuer}/elsewhere"}
    assert service.client.get(f"{PLACE}/login").status_code == 503
    assert "/elsewhere" not in provider.asked
    provider.answers, provider.headers = {}, {}
    assert sign_in(service, provider).status_code == 200
    for answer, status in (
        ((400, b'{"error": "invalid_grant"}'), 401),
        ((200, b"{}"), 401),
        ((500, b"{}"), 503),
    ):
        provider.answers["/token"] = answer
        assert sign_in(service, provider).status_code == status


def test_a_provider_that_is_not_there_is_told_of(make: Callable[..., Service], provider: Provider) -> None:
    service = make()
    provider.close()
    error_of(service.client.get(f"{PLACE}/login"), "SERVICE_UNAVAILABLE")


def test_an_applications_question_goes_on_after_the_provider(
    make: Callable[..., Service], provider: Provider
) -> None:
    service = make(HEFESTO_OIDC_ROLE="developer", HEFESTO_OIDC_NAME="Corp <SSO>")
    browser, app = Browser(service), made(service, redirect_uris=[BACK])
    question = browser.question(app, pkce()[1], state="s")
    page = browser.open(question).get_data(as_text=True)
    assert "Sign in with <bdi>Corp &lt;SSO&gt;</bdi>" in page
    back = sign_in(service, provider, next=question)
    assert back.status_code == 303
    assert back.headers["Location"] == f"http://localhost{question}"
    assert "wants access" in browser.open(question).get_data(as_text=True)
    assert browser.send(question, act="allow").headers["Location"].startswith(BACK)


def test_the_dashboard_is_handed_the_session_once(make: Callable[..., Service], provider: Provider) -> None:
    service = make(HEFESTO_OIDC_ROLE="developer", HEFESTO_OIDC_NAME="Corp")
    told = data_of(service.client.get("/api/v1/auth/methods"))
    assert told == {"required": True, "oidc": {"name": "Corp", "login_url": f"{PLACE}/login"}}
    back = sign_in(service, provider, next="/dashboard/findings?q=a")
    assert (back.status_code, back.headers["Location"]) == (
        303,
        "http://localhost/dashboard/findings?q=a#signed-in",
    )
    cookie = next(one for one in back.headers.getlist("Set-Cookie") if one.startswith("hefesto_handover="))
    assert {"HttpOnly", "SameSite=Strict", f"Path={PLACE}/session"} <= set(cookie.split("; "))
    assert user_of(service, service.client.post(f"{PLACE}/session"))["role"] == "developer"
    error_of(service.client.post(f"{PLACE}/session"), "AUTHENTICATION_REQUIRED")


def test_the_dashboard_is_told_why_somebody_is_not_let_in(
    make: Callable[..., Service], provider: Provider
) -> None:
    service = make()  # where nobody new is let in
    assert sign_in(service, provider, next="/dashboard").headers["Location"].endswith("/dashboard#signed-in")
    answer = service.client.post(f"{PLACE}/session")
    assert (answer.status_code, "ask an admin" in answer.get_json()["error"]["message"]) == (401, True)


def test_a_session_waits_for_the_dashboard_for_a_minute(
    make: Callable[..., Service], provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make(HEFESTO_OIDC_ROLE="viewer")
    sign_in(service, provider, next="/dashboard")
    later = clock.now() + timedelta(seconds=61)
    monkeypatch.setattr(clock, "now", lambda: later)
    error_of(service.client.post(f"{PLACE}/session"), "AUTHENTICATION_REQUIRED")


def test_the_way_back_leads_nowhere_else(make: Callable[..., Service], provider: Provider) -> None:
    service = make(HEFESTO_OIDC_ROLE="viewer")
    for elsewhere in (
        "https://evil.example",
        "//evil.example",
        "/oauth/authorizeX?",
        "/docs",
        "\\\\e",
        "/dashboardX",
        "/dashboard#x",
        "/dashboard/\r\nX: y",
    ):
        answer = sign_in(service, provider, next=elsewhere)
        assert (answer.status_code, "Location" in answer.headers) == (200, False), elsewhere


def test_without_a_provider_there_is_no_such_login(idle: Service) -> None:
    for method, path in (("GET", "login"), ("GET", "callback"), ("GET", "callback?code=a&state=b")):
        error_of(idle.client.open(f"{PLACE}/{path}", method=method), "RESOURCE_NOT_FOUND")


@pytest.mark.parametrize(
    "environ",
    [
        {"HEFESTO_OIDC_ISSUER": "https://id.example"},
        {"HEFESTO_OIDC_ROLE_CLAIM": "groups"},
        {"HEFESTO_OIDC_ROLE_MAPPING": "a=viewer"},
        {"HEFESTO_OIDC_ROLE_MAPPING": "a=boss", "HEFESTO_OIDC_ROLE_CLAIM": "groups"},
        {"HEFESTO_OIDC_ISSUER": "id.example", "HEFESTO_OIDC_CLIENT_ID": "x"},
        {"HEFESTO_OIDC_ISSUER": "https://id.example/?a=b", "HEFESTO_OIDC_CLIENT_ID": "x"},
        {"HEFESTO_PUBLIC_URL": "https://user@hefesto.example"},
    ],
)
def test_settings_with_which_nobody_could_sign_in_are_refused(
    environ: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="HEFESTO_"):
        create_app(all_settings.load(environ, tmp_path))
