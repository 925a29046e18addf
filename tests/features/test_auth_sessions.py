"""Accounts and sessions: who may come in, for how long, and what ends that."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api.adapters.passwords import Passwords
from hefesto_api.app import BEARERS
from hefesto_api.features.auth.session_schemas import IssuedSchema, MeSchema, SessionsSchema
from hefesto_api.features.auth.user_schemas import UserSchema
from hefesto_api.storage import upkeep, users
from hefesto_api.web import tickets
from hefesto_api.web.errors import InvalidCredentials
from tests.access import make_key, make_user, required_service  # noqa: F401 - a fixture
from tests.answers import data_of, error_of
from tests.logins import AWAY, EMAIL, HOME, OPEN, PASSWORD, Hands, Person, newcomer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.features.conftest import Service
    from werkzeug.test import TestResponse


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Hands:
    """A clock that stands still."""
    return Hands(monkeypatch)


@pytest.fixture
def each_service(make_service: Callable[..., Service], db_url: str) -> Service:
    """A service that anybody may call from anywhere, on each database in turn."""
    return make_service(db_url, **OPEN)


@pytest.fixture
def service(make_service: Callable[..., Service], sqlite_url: str) -> Service:
    """A service on SQLite that anybody may call from anywhere."""
    return make_service(sqlite_url, **OPEN)


def refused(answer: TestResponse) -> dict[str, Any]:
    assert answer.status_code == 401, answer.get_json()
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    details: dict[str, Any] = error_of(answer, "AUTHENTICATION_REQUIRED")
    return details


def all_at_once(many: int, deed: Callable[[int], TestResponse]) -> list[TestResponse]:
    """Have some threads do the same at one moment."""
    barrier = threading.Barrier(many)

    def do(number: int) -> TestResponse:
        barrier.wait()
        return deed(number)

    with ThreadPoolExecutor(many) as pool:
        return list(pool.map(do, range(many)))


# Accounts


def test_who_registers_can_log_in_and_sees_no_project_yet(each_service: Service) -> None:
    person = Person(each_service)
    answer = person.register()
    assert answer.status_code == 201
    assert UserSchema().validate(data_of(answer)) == {}
    logged_in = person.log_in()
    assert IssuedSchema().validate(data_of(logged_in)) == {}
    assert data_of(logged_in)["expires_in"] == 1800
    assert logged_in.headers["Cache-Control"] == "no-store"
    me = data_of(person.get("/me"))
    assert MeSchema().validate(me) == {}
    assert (me["email"], me["kind"], me["role"], me["projects"]) == (EMAIL, "user", "viewer", [])


@pytest.mark.parametrize(
    ("environ", "status"),
    [
        ({"HEFESTO_AUTH": "required"}, 403),
        ({"HEFESTO_AUTH": "required", "HEFESTO_REGISTRATION": "open"}, 201),
        ({"HEFESTO_AUTH": "open"}, 201),
        ({"HEFESTO_AUTH": "open", "HEFESTO_REGISTRATION": "closed"}, 403),
    ],
)
def test_registration_is_open_where_the_operator_wants_it(
    make_service: Callable[..., Service], sqlite_url: str, environ: dict[str, str], status: int
) -> None:
    assert Person(make_service(sqlite_url, **environ)).register().status_code == status


def test_an_address_is_registered_once_in_whatever_case(service: Service) -> None:
    assert Person(service).register().status_code == 201
    assert Person(service, EMAIL.upper()).register().status_code == 409
    assert Person(service, EMAIL.upper()).log_in().status_code == 200


@pytest.mark.parametrize(
    ("password", "kind"),
    [
        ("eleven char", "too_short"),
        ("x" * 300, "invalid"),
        ("é" * 200, "too_long"),
        ("Password1234", "too_common"),
        ("QWERTYUIOP123", "too_common"),
        ("abcabcabcabca", "too_common"),
        (EMAIL, "too_common"),
        ("ﬁﬁﬁﬁﬁﬁﬁﬁﬁﬁﬁﬁ", "too_common"),
    ],
)
def test_passwords_that_are_guessed_first_are_refused(service: Service, password: str, kind: str) -> None:
    answer = Person(service).register(password)
    assert [error["type"] for error in error_of(answer, "VALIDATION_ERROR")["errors"]] == [kind]


@pytest.mark.parametrize("password", ["aaaaaaaaaaab", "            1", "пароль из слов", "a" * 200 + "b"])
def test_any_other_password_will_do(service: Service, password: str) -> None:
    person = Person(service)
    assert person.register(password).status_code == 201
    assert person.log_in(password).status_code == 200


def test_a_password_is_the_same_from_whichever_keyboard(service: Service) -> None:
    person = Person(service)
    assert person.register("caf\u00e9 au lait, \u2126 5").status_code == 201
    assert person.log_in("cafe\u0301 au lait, \u03a9 5").status_code == 200


def test_who_is_not_let_in_is_told_the_same_whatever_the_reason(
    service: Service,
) -> None:
    hasher = service.runtime.passwords
    make_user(service, "known@example.com", password_hash=hasher.hash(PASSWORD))
    make_user(service, "bare@example.com")
    disabled = make_user(service, "disabled@example.com", password_hash=hasher.hash(PASSWORD))
    with service.runtime.db.write() as session:
        users.change(session, disabled.id, is_active=False)
    answers = [
        Person(service, "known@example.com").log_in("another password"),
        Person(service, "known@example.com").log_in("x" * 1000),
        Person(service, "known@example.com").log_in(""),
        Person(service, "bare@example.com").log_in(),
        Person(service, "disabled@example.com").log_in(),
        Person(service, "nobody@example.com").log_in(),
        Person(service, "no address").log_in(),
    ]
    assert len({str(refused(answer)) + answer.get_json()["error"]["message"] for answer in answers}) == 1
    assert len({str(sorted(answer.headers.keys())) for answer in answers}) == 1


def test_a_hash_of_another_cost_is_made_anew_at_the_next_login(service: Service) -> None:
    user = make_user(service, EMAIL, password_hash=Passwords(memory_kib=64, passes=1).hash(PASSWORD))
    assert Person(service).log_in().status_code == 200
    with service.runtime.db.read() as session:
        stored = users.get(session, user.id).password_hash
    assert stored is not None
    assert stored != user.password_hash
    assert not service.runtime.passwords.is_outdated(stored)
    assert Person(service).log_in().status_code == 200


def test_logins_that_make_a_hash_anew_do_not_shut_each_other_out(service: Service) -> None:
    vars(service.runtime)["passwords"] = Passwords(memory_kib=64, passes=1, turns=5)
    make_user(service, EMAIL, password_hash=Passwords(memory_kib=32, passes=1).hash(PASSWORD))
    answers = all_at_once(5, lambda _: Person(service).log_in())
    assert [answer.status_code for answer in answers] == [200] * 5


def test_a_changed_password_ends_the_other_sessions(service: Service) -> None:
    here, elsewhere = newcomer(service), Person(service, address=AWAY)
    elsewhere.log_in()
    body = {"current_password": "not that one at all", "new_password": "another horse battery"}
    refused(here.post("/password", **body))
    assert here.post("/password", **{**body, "current_password": PASSWORD}).status_code == 204
    assert here.get("/me").status_code == 200
    assert here.refresh().status_code == 200
    refused(elsewhere.get("/me"))
    refused(elsewhere.refresh())
    refused(Person(service).log_in())
    assert Person(service).log_in("another horse battery").status_code == 200


@pytest.mark.parametrize("password", [PASSWORD, EMAIL, "password1234"])
def test_a_new_password_must_be_a_new_and_good_one(service: Service, password: str) -> None:
    answer = newcomer(service).post("/password", current_password=PASSWORD, new_password=password)
    assert [error["field"] for error in error_of(answer, "VALIDATION_ERROR")["errors"]] == ["new_password"]


# Refreshing


def test_each_refresh_token_is_good_once(each_service: Service, hands: Hands) -> None:
    person = newcomer(each_service)
    seen = [person.refresh_token]
    for _ in range(3):
        assert person.refresh().status_code == 200
        assert person.get("/me").status_code == 200
        seen.append(person.refresh_token)
        hands.move(minutes=20)
    assert len(set(seen)) == 4


def test_a_lost_answer_may_be_asked_for_again(service: Service, hands: Hands) -> None:
    person = newcomer(service)
    first = person.refresh_token
    successor = data_of(person.refresh(first))["refresh_token"]
    hands.move(seconds=10)
    again = data_of(person.refresh(first))
    assert again["refresh_token"] == successor
    assert person.get("/me").status_code == 200
    assert person.refresh(successor).status_code == 200


@pytest.mark.parametrize("back", [0, 1, 2])
def test_a_refresh_token_that_comes_again_later_ends_the_session(
    each_service: Service, hands: Hands, back: int
) -> None:
    person, other = newcomer(each_service), Person(each_service)
    other.log_in()
    used = [person.refresh_token]
    for _ in range(2):
        person.refresh()
        used.append(person.refresh_token)
    hands.move(seconds=11)
    person.refresh()
    hands.move(seconds=11)
    refused(person.refresh(used[back]))
    refused(person.get("/me"))
    refused(person.refresh(person.refresh_token))
    assert other.get("/me").status_code == 200
    assert other.refresh().status_code == 200


def test_all_who_refresh_at_once_get_one_successor(each_service: Service, hands: Hands) -> None:
    person = newcomer(each_service)
    for _ in range(3):
        shown = person.refresh_token
        answers = all_at_once(8, lambda _, shown=shown: Person(each_service).refresh(shown))  # type: ignore[misc]
        assert {answer.status_code for answer in answers} == {200}
        assert len({data_of(answer)["refresh_token"] for answer in answers}) == 1
        person.refresh_token = data_of(answers[0])["refresh_token"]
        hands.move(seconds=11)


def test_a_session_that_rests_for_thirty_days_is_over(service: Service, hands: Hands) -> None:
    person, lazy = newcomer(service), Person(service)
    lazy.log_in()
    hands.move(days=29)
    assert person.refresh().status_code == 200
    hands.move(days=2)
    refused(lazy.refresh())
    assert person.refresh().status_code == 200


def test_a_session_lasts_for_ninety_days_however_it_is_used(service: Service, hands: Hands) -> None:
    person = newcomer(service)
    for _ in range(4):
        hands.move(days=22)
        assert person.refresh().status_code == 200
    hands.move(days=3)
    refused(person.refresh())


def test_an_access_token_is_good_for_half_an_hour(service: Service, hands: Hands) -> None:
    person = newcomer(service)
    hands.move(minutes=29, seconds=59)
    assert person.get("/me").status_code == 200
    hands.move(seconds=1)
    refused(person.get("/me"))


@pytest.mark.parametrize("shown", ["", "hefr_", "hefr_" + "A" * 43, "\u00e9" * 20, "heft_" + "A" * 43])
def test_what_was_never_given_out_refreshes_nothing(service: Service, shown: str) -> None:
    person = newcomer(service)
    refused(person.refresh(shown))
    assert person.get("/me").status_code == 200


def test_tokens_do_not_stand_in_for_each_other(service: Service) -> None:
    person = newcomer(service)
    ticket = data_of(person.post("/ws-ticket"))["ticket"]
    for shown in (person.refresh_token, ticket):
        refused(person.call("GET", "/me", access=shown))
    access = person.access
    assert person.refresh(access).status_code in {401, 422}
    refused(person.refresh(ticket))


# Ending


def test_a_logout_ends_the_session_at_once(service: Service) -> None:
    person, other = newcomer(service), Person(service)
    other.log_in()
    assert person.post("/logout").status_code == 204
    refused(person.get("/me"))
    refused(person.refresh())
    assert other.get("/me").status_code == 200


def test_a_refresh_token_is_enough_to_log_out(service: Service, hands: Hands) -> None:
    person = newcomer(service)
    hands.move(hours=1)
    body = {"refresh_token": person.refresh_token}
    assert person.call("POST", "/logout", body, access="").status_code == 204
    refused(person.refresh())
    assert person.call("POST", "/logout", body, access="").status_code == 204
    refused(person.call("POST", "/logout", access=""))


def test_people_see_and_end_their_own_sessions(service: Service) -> None:
    here, away = newcomer(service), Person(service, address=AWAY)
    away.log_in()
    stranger = newcomer(service, "eve@example.com")
    told = data_of(here.get("/sessions"))
    assert SessionsSchema().validate(told) == {}
    assert [(one["ip_address"], one["is_current"]) for one in told["sessions"]] == [
        (AWAY, False),
        (HOME, True),
    ]
    theirs = told["sessions"][0]["id"]
    assert stranger.call("DELETE", f"/sessions/{theirs}").status_code == 404
    assert here.call("DELETE", f"/sessions/{theirs}").status_code == 204
    assert here.call("DELETE", f"/sessions/{theirs}").status_code == 404
    refused(away.get("/me"))
    refused(away.refresh())
    assert here.get("/me").status_code == 200


def test_all_other_sessions_are_ended_in_one_go(service: Service) -> None:
    here, others = newcomer(service), [Person(service), Person(service)]
    for other in others:
        other.log_in()
    assert data_of(here.call("DELETE", "/sessions")) == {"ended": 2}
    assert len(data_of(here.get("/sessions"))["sessions"]) == 1
    for other in others:
        refused(other.get("/me"))


def test_a_hundred_sessions_are_enough(service: Service, hands: Hands) -> None:
    person, last = newcomer(service), Person(service)
    for _ in range(100):
        hands.move(seconds=1)
        last.log_in()
    refused(person.get("/me"))
    assert len(data_of(last.get("/sessions"))["sessions"]) == 100


@pytest.mark.parametrize("change", [{"is_active": False}, {"password": "another horse battery"}])
def test_what_an_admin_does_to_a_user_counts_for_what_was_given_out(
    service: Service, change: dict[str, Any]
) -> None:
    person = newcomer(service)
    user_id = data_of(person.get("/me"))["id"]
    assert service.client.patch(f"/api/v1/auth/users/{user_id}", json=change).status_code == 200
    refused(person.get("/me"))
    refused(person.refresh())


def test_a_role_that_is_given_counts_for_tokens_that_are_out(service: Service) -> None:
    person = newcomer(service)
    user_id = data_of(person.get("/me"))["id"]
    service.client.patch(f"/api/v1/auth/users/{user_id}", json={"role": "operator", "projects": ["shop"]})
    me = data_of(person.get("/me"))
    assert ("manage:webhooks" in me["scopes"], me["projects"]) == (True, ["shop"])


def test_keys_have_no_sessions(required_service: Service) -> None:  # noqa: F811 - that fixture
    key = make_key(required_service, "developer")
    client = required_service.client
    me = data_of(client.get("/api/v1/auth/me", headers=key))
    assert MeSchema().validate(me) == {}
    assert (me["kind"], me["email"], me["session_id"]) == ("key", None, None)
    for method, path in (("get", "/sessions"), ("delete", "/sessions"), ("post", "/mfa/setup")):
        answer = client.open(f"/api/v1/auth{path}", method=method, headers=key)
        error_of(answer, "INSUFFICIENT_PERMISSIONS")
    for answer in (client.get("/api/v1/auth/me"), client.post("/api/v1/auth/ws-ticket")):
        refused(answer)


def test_what_is_over_is_forgotten_after_a_while(service: Service, hands: Hands) -> None:
    newcomer(service)
    Person(service).log_in("a wrong password")
    hands.move(days=31)
    upkeep.run(service.runtime.db)
    assert _rows(service) == {"sessions": 1, "refresh_tokens": 0, "throttles": 0}
    hands.move(days=90)
    upkeep.run(service.runtime.db)
    assert _rows(service) == {"sessions": 0, "refresh_tokens": 0, "throttles": 0}


def _rows(service: Service) -> dict[str, int]:
    with service.runtime.db.read() as session:
        return {
            name: session.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one()  # noqa: S608
            for name in ("sessions", "refresh_tokens", "throttles")
        }


def test_logins_and_their_ends_stand_in_the_audit_log(service: Service, hands: Hands) -> None:
    person = newcomer(service)
    first = person.refresh_token
    person.refresh()
    hands.move(seconds=11)
    refused(person.refresh(first))
    entries = data_of(service.client.get("/api/v1/audit-logs"))["audit_logs"]
    told = {entry["action"]: entry for entry in entries}
    started, revoked = told["session.started"], told["session.revoked"]
    assert (started["user_id"], started["ip_address"]) == (only_user(service), HOME)
    assert started["request_id"]
    assert revoked["resource_id"] == started["resource_id"]
    assert "user.created" in told
    assert not [secret for secret in (PASSWORD, first, person.refresh_token) if secret in str(entries)]


def only_user(service: Service) -> str:
    """Return the id of the one who is registered."""
    with service.runtime.db.read() as session:
        (user,) = users.every(session)
    return user.id


# Guessing


def test_guessing_ends_after_ten_failures_from_one_place(each_service: Service, hands: Hands) -> None:
    newcomer(each_service)
    guesser = Person(each_service, address=AWAY)
    for _ in range(10):
        refused(guesser.log_in("a wrong password"))
    answer = guesser.log_in()
    assert answer.status_code == 429
    assert error_of(answer, "RATE_LIMIT_EXCEEDED")["retry_after"] == int(answer.headers["Retry-After"]) == 901
    assert Person(each_service, address=HOME).log_in().status_code == 200
    hands.move(minutes=15)
    assert guesser.log_in().status_code == 200


def test_accounts_that_do_not_exist_are_closed_like_others(service: Service) -> None:
    guesser = Person(service, "nobody@example.com")
    answers = [guesser.log_in("a wrong password").status_code for _ in range(12)]
    assert answers == [401] * 10 + [429] * 2


def test_a_success_makes_up_for_failures(service: Service) -> None:
    person = newcomer(service)
    for _ in range(3):
        for _ in range(9):
            refused(person.log_in("a wrong password"))
        assert person.log_in().status_code == 200


def test_strangers_everywhere_do_not_lock_an_owner_out(service: Service, hands: Hands) -> None:
    owner = newcomer(service)
    for number in range(100):
        refused(Person(service, address=f"203.0.113.{number}").log_in("a wrong password"))
    assert Person(service, address="203.0.113.200").log_in().status_code == 429
    assert owner.get("/me").status_code == 200
    assert owner.refresh().status_code == 200
    assert Person(service, address=HOME).log_in().status_code == 200
    hands.move(hours=1)
    assert Person(service, address="203.0.113.200").log_in().status_code == 200


def test_an_admin_has_an_account_heard_again_everywhere(each_service: Service, hands: Hands) -> None:
    owner, other = newcomer(each_service), Person(each_service, "ben@example.com", AWAY)
    user_id = data_of(owner.get("/me"))["id"]
    places = [Person(each_service, address=address) for address in (HOME, AWAY)]
    for _ in range(10):
        for person in (*places, other):
            refused(person.log_in("a wrong password"))
    admin = Person(each_service, "root@example.com")
    admin.access = make_key(each_service, "admin")["Authorization"].partition(" ")[2]
    assert owner.post(f"/users/{user_id}/unlock").status_code == 403
    assert [person.log_in().status_code for person in places] == [429, 429]
    for _ in range(2):
        assert admin.post(f"/users/{user_id}/unlock").status_code == 204
    assert [person.log_in().status_code for person in places] == [200, 200]
    assert other.log_in().status_code == 429
    log = each_service.client.get(
        "/api/v1/audit-logs?action=user.unlocked", headers=make_key(each_service, "admin")
    )
    assert [entry["changes"]["counters"] for entry in data_of(log)["audit_logs"]] == [3]


def test_whoever_has_an_ipv6_network_is_one_place(service: Service) -> None:
    newcomer(service)
    guesses = [
        Person(service, address=f"2001:db8::{number:x}").log_in("a wrong password").status_code
        for number in range(11)
    ]
    assert guesses == [401] * 10 + [429]


def test_guessing_the_present_password_of_an_open_session_ends_too(service: Service) -> None:
    person = newcomer(service)
    body = {"current_password": "a wrong password", "new_password": "another horse battery"}
    answers = [person.post("/password", **body).status_code for _ in range(11)]
    assert answers == [401] * 10 + [429]


# Tickets


def test_a_ticket_is_good_once_and_for_thirty_seconds(each_service: Service, hands: Hands) -> None:
    person, held = newcomer(each_service), each_service.runtime
    first, second = (data_of(person.post("/ws-ticket"))["ticket"] for _ in range(2))
    holder = tickets.redeem(held, BEARERS, first)
    assert holder.principal.name == EMAIL
    with pytest.raises(InvalidCredentials):
        tickets.redeem(held, BEARERS, first)
    hands.move(seconds=30)
    with pytest.raises(InvalidCredentials):
        tickets.redeem(held, BEARERS, second)


def test_who_holds_a_socket_loses_it_with_the_session(service: Service) -> None:
    person, held = newcomer(service), service.runtime
    tickets_of = [data_of(person.post("/ws-ticket"))["ticket"] for _ in range(2)]
    holder = tickets.redeem(held, BEARERS, tickets_of[0])
    assert tickets.standing(held, BEARERS, holder) is not None
    person.post("/logout")
    assert tickets.standing(held, BEARERS, holder) is None
    with pytest.raises(InvalidCredentials):
        tickets.redeem(held, BEARERS, tickets_of[1])


def test_keys_and_open_services_have_tickets_too(
    make_service: Callable[..., Service], sqlite_url: str
) -> None:
    service = make_service(sqlite_url, **OPEN)
    key = make_key(service, "viewer")
    for headers, kind in ((key, "key"), ({}, "anonymous")):
        ticket = data_of(service.client.post("/api/v1/auth/ws-ticket", headers=headers))["ticket"]
        assert tickets.redeem(service.runtime, BEARERS, ticket).principal.kind == kind


def test_what_is_kept_of_credentials_does_not_tell_them(service: Service) -> None:
    person = newcomer(service)
    ticket = data_of(person.post("/ws-ticket"))["ticket"]
    with service.runtime.db.read() as session:
        kept = str([
            session.exec_driver_sql(f"SELECT * FROM {name}").all()  # noqa: S608
            for name in ("users", "sessions", "refresh_tokens", "tickets", "throttles", "signing_keys")
        ])  # fmt: skip
    assert not [
        secret for secret in (PASSWORD, person.refresh_token[5:], ticket[5:], person.access) if secret in kept
    ]
