"""The page on which people decide: who is asked, what they read, and that nobody decides for them."""

from __future__ import annotations

import html
import re
from base64 import b32decode
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hefesto_api.adapters import one_time_codes
from hefesto_api.domain import clock
from hefesto_api.storage import users
from tests.answers import data_of
from tests.features.oauth import (  # noqa: F401 - one is a fixture
    ANN,
    BACK,
    PASSWORD,
    Browser,
    basic,
    made,
    oauth_service,
    own_token,
    pkce,
    redeem,
    session_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.features.conftest import Service
    from werkzeug.test import TestResponse

ROOT = "http://localhost"


@pytest.fixture
def service(oauth_service: Service) -> Service:  # noqa: F811 - that fixture
    """A service with a user."""
    return oauth_service


@pytest.fixture
def app_(service: Service) -> dict[str, Any]:
    """An application that asks people."""
    return made(service, name="Board & Co", redirect_uris=[BACK])


@pytest.fixture
def browser(service: Service) -> Browser:
    """Somebody's browser."""
    return Browser(service)


def answer_of(response: TestResponse) -> dict[str, str]:
    """Return what an application was answered, having checked where."""
    assert response.status_code == 303, response.get_data(as_text=True)
    location = response.headers["Location"]
    assert location.startswith(BACK + "&")
    answer = dict(parse_qsl(urlsplit(location).query, strict_parsing=True))
    assert answer.pop("tenant") == "1"
    assert answer.pop("iss") == ROOT
    return answer


def test_a_code_comes_back_and_is_worth_tokens(
    service: Service, app_: dict[str, Any], browser: Browser
) -> None:
    verifier, challenge = pkce()
    question = browser.question(app_, challenge, state="x y")
    assert "Sign in" in browser.open(question).get_data(as_text=True)
    assert browser.sign_in(question, ANN).status_code == 303
    page = browser.open(question).get_data(as_text=True)
    assert "<bdi>Board &amp; Co</bdi> wants access" in page
    assert "See findings" in page
    answer = answer_of(browser.send(question, act="allow"))
    assert answer.pop("state") == "x y"
    tokens = redeem(service, app_, answer.pop("code"), verifier).get_json()
    assert answer == {}
    assert (tokens["token_type"], tokens["scope"]) == ("Bearer", "read:alerts read:findings")
    me = service.client.get("/api/v1/findings", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert me.status_code == 200


def test_denying_works(app_: dict[str, Any], browser: Browser) -> None:
    question = browser.signed_in(app_, ANN, state="s")
    answer = answer_of(browser.send(question, act="deny"))
    assert (answer["error"], answer["state"]) == ("access_denied", "s")


def test_somebody_else_may_sign_in(app_: dict[str, Any], browser: Browser) -> None:
    question = browser.signed_in(app_, ANN)
    before = browser.cookie()
    assert browser.send(question, act="leave").status_code == 303
    assert browser.cookie() != before
    assert "Sign in" in browser.open(question).get_data(as_text=True)
    browser.service.client.set_cookie("hefesto_authorize", before, path="/oauth/authorize")
    assert "Sign in" in browser.open(question).get_data(as_text=True)


def test_a_wrong_password_is_told_and_counted(app_: dict[str, Any], browser: Browser) -> None:
    question = browser.question(app_)
    for _ in range(10):
        answer = browser.sign_in(question, ANN, "wrong")
        assert answer.status_code == 401
        assert "is wrong" in answer.get_data(as_text=True)
    closed = browser.sign_in(question, ANN)
    assert closed.status_code == 429
    assert int(closed.headers["Retry-After"]) > 0


def test_the_page_cannot_be_framed_scripted_or_sent_elsewhere(app_: dict[str, Any], browser: Browser) -> None:
    question = browser.signed_in(app_, ANN)
    answer = browser.open(question)
    policy = dict(
        part.strip().partition(" ")[::2] for part in answer.headers["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["base-uri"] == "'none'"
    assert policy["form-action"] == "'self' https://app.example"
    assert re.fullmatch(r"'sha256-[A-Za-z0-9+/=]+'", policy["style-src"])
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Cache-Control"] == "no-store"
    page = answer.get_data(as_text=True)
    assert "<script" not in page
    assert not re.search(r"\s(on\w+|style)=", page)
    assert not re.search(r"(src|href)=", page)


def test_the_cookie_goes_nowhere_else(service: Service, app_: dict[str, Any], browser: Browser) -> None:
    browser.signed_in(app_, ANN)
    told = browser.last.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Lax", "Path=/oauth/authorize"} <= {part.strip() for part in told.split(";")}
    assert "ann" not in told
    assert service.client.get("/api/v1/auth/me").status_code == 401


def test_over_https_the_cookie_insists_on_it(make_service: Callable[..., Service], sqlite_url: str) -> None:
    settings = {"HEFESTO_AUTH": "open", "HEFESTO_PUBLIC_URL": "https://hefesto.example/quality"}
    service = make_service(sqlite_url, **settings)
    app_ = made(service, redirect_uris=[BACK])
    answer = Browser(service).open(Browser(service).question(app_))
    told = answer.headers["Set-Cookie"]
    assert told.startswith("__Secure-")
    assert {"Secure", "Path=/quality/oauth/authorize"} <= {part.strip() for part in told.split(";")}


HOSTILE = [
    "<script>alert(1)</script>",
    "\u202egnp.exe",
    '"><img src=x onerror=alert(1)>',
    "{{ 7*7 }}",
    "\x1b[31m",
]


def test_hostile_names_are_shown_as_text(service: Service, browser: Browser) -> None:
    questions = {name: browser.question(made(service, name=name, redirect_uris=[BACK])) for name in HOSTILE}
    for around in (r"go on to <bdi>(.*?)</bdi>", r"<bdi>(.*?)</bdi> wants access"):
        for name, question in questions.items():
            page = browser.open(question).get_data(as_text=True)
            assert not any(evil in page for evil in ("<script", "<img", "\u202e", "\x1b"))
            shown = re.search(around, page)
            assert shown is not None
            assert html.unescape(shown[1]) == name.replace("\u202e", "\ufffd").replace("\x1b", "\ufffd")
        browser.sign_in(question, ANN)


def test_a_form_that_is_not_of_this_page_decides_nothing(app_: dict[str, Any], browser: Browser) -> None:
    question = browser.signed_in(app_, ANN)
    proof = browser.proof(question)
    other = browser.question(app_, state="another")
    attempts: list[tuple[str, dict[str, str], dict[str, str]]] = [
        (question, {}, {}),
        (question, {"proof": ""}, {}),
        (question, {"proof": proof[:-4] + "AAAA"}, {}),
        (other, {"proof": proof}, {}),
        (question, {"proof": proof}, {"Origin": "https://evil.example"}),
        (question, {"proof": proof}, {"Origin": "null"}),
        (question, {"proof": proof}, {"Origin": "http://[evil"}),
        (question, {"proof": proof}, {"Sec-Fetch-Site": "cross-site"}),
        (question, {"proof": proof}, {"Sec-Fetch-Site": "same-site"}),
    ]
    for where, form, headers in attempts:
        answer = browser.post(where, {"act": "allow", **form}, headers)
        assert answer.status_code == 400, (form, headers)
        assert "Location" not in answer.headers
    assert answer_of(browser.post(question, {"act": "allow", "proof": proof}, {}))["code"]


def test_nobody_is_signed_in_as_another_by_a_foreign_form(
    service: Service, app_: dict[str, Any], browser: Browser
) -> None:
    question = browser.question(app_)
    proof = browser.proof(question)
    service.client.delete_cookie("hefesto_authorize", path="/oauth/authorize")
    form = {"act": "sign-in", "email": ANN, "password": PASSWORD, "proof": proof}
    assert browser.post(question, form, {}).status_code == 400
    assert "Sign in" in browser.open(question).get_data(as_text=True)


def test_an_address_of_nobody_is_never_gone_to(app_: dict[str, Any], browser: Browser) -> None:
    changes: list[dict[str, Any]] = [
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": BACK + "&more=1"},
        {"redirect_uri": BACK.upper()},
        {"redirect_uri": "https://app.example/back"},
        {"redirect_uri": "//evil.example"},
        {"redirect_uri": 'https://evil.example/"\\\u202e'},
        {"redirect_uri": ""},
        {"redirect_uri": [BACK, "https://evil.example/"]},
        {"client_id": "01a1feeb-5e08-7042-8dde-7e4556de83f6"},
        {"client_id": "x" * 5000},
        {"client_id": ""},
        {"client_id": [app_["id"], app_["id"]]},
    ]
    wrongs: list[dict[str, Any]] = [{}, {"response_type": "token"}, {"scope": "nonsense"}]
    for change in changes:
        for wrong in wrongs:
            answer = browser.open(browser.question(app_, **{**change, **wrong}))
            assert answer.status_code == 400, change
            assert "Location" not in answer.headers
            assert "cannot be answered" in answer.get_data(as_text=True)


def test_what_is_wrong_is_told_to_the_application(app_: dict[str, Any], browser: Browser) -> None:
    _, challenge = pkce()
    for change, error in (
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": 'c"o\\d\u00e9'}, "unsupported_response_type"),
        ({"response_type": ""}, "invalid_request"),
        ({"scope": "read:everything"}, "invalid_scope"),
        ({"scope": "admin"}, "invalid_scope"),
        ({"scope": "read:findings write:findings"}, "invalid_scope"),
        ({"scope": ["read:findings", "read:alerts"]}, "invalid_request"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge_method": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": "s256"}, "invalid_request"),
        ({"code_challenge": challenge[:-1]}, "invalid_request"),
        ({"code_challenge": challenge + "="}, "invalid_request"),
        ({"code_challenge": challenge + "\n"}, "invalid_request"),
    ):
        answer = answer_of(browser.open(browser.question(app_, state='"<\u00e9>', **change)))
        assert (answer["error"], answer["state"]) == (error, '"<\u00e9>'), change


def test_a_client_that_calls_for_itself_asks_nobody(service: Service, browser: Browser) -> None:
    app_ = made(service, redirect_uris=[BACK], grant_types=["client_credentials"])
    assert answer_of(browser.open(browser.question(app_)))["error"] == "unauthorized_client"
    assert own_token(service, app_)


def test_a_user_allows_no_more_than_he_may(service: Service, browser: Browser) -> None:
    app_ = made(service, redirect_uris=[BACK], scopes=["read:findings", "manage:projects"])
    verifier, challenge = pkce()
    question = browser.signed_in(app_, ANN, challenge=challenge)
    page = browser.open(question).get_data(as_text=True)
    assert "See findings" in page
    assert "Manage projects" not in page
    answer = answer_of(browser.send(question, act="allow"))
    assert redeem(service, app_, answer["code"], verifier).get_json()["scope"] == "read:findings"


def test_a_user_who_may_nothing_of_it_can_only_refuse(service: Service, browser: Browser) -> None:
    app_ = made(service, redirect_uris=[BACK], scopes=["manage:projects"])
    question = browser.signed_in(app_, ANN)
    assert "may do none of" in browser.open(question).get_data(as_text=True)
    for act in ("allow", "deny"):
        assert answer_of(browser.send(question, act=act))["error"] == "access_denied"


def test_a_disabled_user_sits_there_no_longer(
    service: Service, app_: dict[str, Any], browser: Browser
) -> None:
    question = browser.signed_in(app_, ANN)
    proof = browser.proof(question)
    with service.runtime.db.write() as session:
        user = users.by_email(session, ANN)
        assert user is not None
        users.change(session, user.id, is_active=False)
    answer = browser.post(question, {"act": "allow", "proof": proof}, {})
    assert (answer.status_code, "Location" in answer.headers) == (200, False)


def test_a_second_factor_is_asked_for(service: Service, app_: dict[str, Any], browser: Browser) -> None:
    with service.runtime.db.read() as session:
        ann = users.by_email(session, ANN)
    assert ann is not None
    headers = session_of(service, ann)
    secret = data_of(service.client.post("/api/v1/auth/mfa/setup", json={}, headers=headers))["secret"]
    seed = b32decode(secret.replace(" ", "").upper() + "=" * (-len(secret.replace(" ", "")) % 8))
    step = int(clock.now().timestamp()) // 30
    confirmed = {"code": one_time_codes.code_at(seed, step)}
    codes = data_of(service.client.post("/api/v1/auth/mfa/verify", json=confirmed, headers=headers))
    question = browser.question(app_)
    wanted = browser.sign_in(question, ANN)
    assert wanted.status_code == 401
    assert "authenticator app shows" in wanted.get_data(as_text=True)
    form = {"act": "sign-in", "email": ANN, "password": PASSWORD}
    assert browser.send(question, **form, totp="000000").status_code == 401
    assert browser.send(question, **form, totp=codes["backup_codes"][0]).status_code == 303
    assert "wants access" in browser.open(question).get_data(as_text=True)


def test_no_secret_is_kept_or_logged(
    service: Service, app_: dict[str, Any], browser: Browser, capsys: pytest.CaptureFixture[str]
) -> None:
    verifier, challenge = pkce()
    question = browser.signed_in(app_, ANN, challenge=challenge)
    code = answer_of(browser.send(question, act="allow"))["code"]
    tokens = redeem(service, app_, code, verifier).get_json()
    shown = [PASSWORD, browser.cookie(), code, verifier, app_["client_secret"], *basic(app_).values()]
    shown += [tokens["access_token"], tokens["refresh_token"]]
    kept = b"".join(path.read_bytes() for path in service.root.parent.glob("one.db*"))
    logged = "".join(capsys.readouterr())
    assert "/oauth/token" in logged
    assert app_["id"].encode() in kept
    for secret in shown:
        assert secret.encode() not in kept
        assert secret not in logged


def test_too_many_questions_are_told_on_the_page(
    make_service: Callable[..., Service], sqlite_url: str
) -> None:
    service = make_service(sqlite_url, HEFESTO_AUTH="open", HEFESTO_RATE_LIMITS="on")
    answers = [service.client.get("/oauth/authorize?x=y") for _ in range(101)]
    assert [answer.status_code for answer in answers] == [400] * 100 + [429]
    assert answers[-1].mimetype == "text/html"
    assert int(answers[-1].headers["Retry-After"]) > 0
    told = [service.client.post("/oauth/token") for _ in range(101)][-1]
    assert (told.status_code, told.get_json()["error"]) == (429, "temporarily_unavailable")
