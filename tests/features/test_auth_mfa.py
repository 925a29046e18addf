"""The second factor: in force once it is verified, each code good once, backup codes for when it is lost."""

from __future__ import annotations

import base64
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api.adapters.passwords import Passwords
from hefesto_api.features.auth.session_schemas import BackupCodesSchema, FactorSchema
from hefesto_api.storage import upkeep
from tests.access import make_user
from tests.answers import data_of, error_of
from tests.logins import AWAY, OPEN, PASSWORD, Hands, Person, newcomer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.features.conftest import Service
    from werkzeug.test import TestResponse


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Hands:
    """A clock that stands still."""
    return Hands(monkeypatch)


@pytest.fixture
def service(make_service: Callable[..., Service], sqlite_url: str) -> Service:
    """A service on SQLite that anybody may call from anywhere."""
    return make_service(sqlite_url, **OPEN)


@pytest.fixture
def each_service(make_service: Callable[..., Service], db_url: str) -> Service:
    """A service that anybody may call from anywhere, on each database in turn."""
    return make_service(db_url, **OPEN)


def wanted(answer: TestResponse) -> bool:
    """Tell whether a login was refused for want of a (good) code."""
    assert answer.status_code == 401, answer.get_json()
    return bool(error_of(answer, "AUTHENTICATION_REQUIRED").get("mfa_required"))


def at_once(many: int, deed: Callable[[], TestResponse]) -> list[int]:
    barrier = threading.Barrier(many)

    def do(_number: int) -> int:
        barrier.wait()
        return deed().status_code

    with ThreadPoolExecutor(many) as pool:
        return sorted(pool.map(do, range(many)))


def test_a_second_factor_is_in_force_once_it_is_verified(each_service: Service, hands: Hands) -> None:
    person = newcomer(each_service)
    told = data_of(person.post("/mfa/setup"))
    assert FactorSchema().validate(told) == {}
    assert f"secret={told['secret']}" in told["otpauth_uri"]
    assert person.log_in().status_code == 200
    person.secret = told["secret"]
    verified = data_of(person.post("/mfa/verify", totp=person.code()))
    assert BackupCodesSchema().validate(verified) == {}
    assert len(set(verified["backup_codes"])) == 10
    me = data_of(person.get("/me"))
    assert (me["mfa_enabled"], me["backup_codes_left"]) == (True, 10)
    hands.move(seconds=30)
    assert wanted(Person(each_service).log_in())
    assert not wanted(Person(each_service).log_in("a wrong password", totp=person.code()))
    assert wanted(Person(each_service).log_in(totp="000000"))
    assert Person(each_service).log_in(totp=person.code()).status_code == 200


def test_a_wrong_code_puts_nothing_in_force(service: Service, hands: Hands) -> None:
    person = newcomer(service)
    person.secret = data_of(person.post("/mfa/setup"))["secret"]
    for wrong in (person.code(5), "", "abcdef", "12345", "１２３４５６", "1" * 64):
        assert person.post("/mfa/verify", totp=wrong).status_code == 401
    assert data_of(person.get("/me"))["mfa_enabled"] is False
    assert person.log_in().status_code == 200


def test_a_setup_that_is_begun_anew_replaces_the_former(service: Service, hands: Hands) -> None:
    person = newcomer(service)
    person.secret = data_of(person.post("/mfa/setup"))["secret"]
    former = person.code()
    person.secret = data_of(person.post("/mfa/setup"))["secret"]
    assert person.post("/mfa/verify", totp=former).status_code == 401
    assert person.post("/mfa/verify", code=person.code()).status_code == 200
    error_of(person.post("/mfa/setup"), "CONFLICT")
    error_of(person.post("/mfa/verify", totp=person.code()), "CONFLICT")


@pytest.mark.parametrize(("drift", "status"), [(-2, 401), (-1, 200), (0, 200), (1, 200), (2, 401)])
def test_clocks_may_be_one_step_apart(service: Service, hands: Hands, drift: int, status: int) -> None:
    person = newcomer(service)
    person.set_up_codes()
    hands.move(minutes=5)
    assert Person(service).log_in(totp=person.code(drift)).status_code == status


def test_a_code_is_good_once_and_those_before_it_no_more(service: Service, hands: Hands) -> None:
    person = newcomer(service)
    person.set_up_codes()
    assert wanted(Person(service).log_in(totp=person.code()))  # it has put the factor in force
    hands.move(minutes=1)
    assert Person(service).log_in(totp=person.code(1)).status_code == 200
    for drift in (1, 0, -1):
        assert wanted(Person(service).log_in(totp=person.code(drift)))
    hands.move(minutes=1)
    spaced = f"{person.code()[:3]} {person.code()[3:]}"
    assert Person(service).log_in(totp=spaced).status_code == 200


def test_of_all_who_show_a_code_at_once_one_is_let_in(each_service: Service, hands: Hands) -> None:
    many = Passwords(memory_kib=64, passes=1, turns=5)  # or they would wait for each other, as in one process
    vars(each_service.runtime)["passwords"] = many
    person = newcomer(each_service)
    codes = person.set_up_codes()
    hands.move(minutes=1)
    for code in (person.code(), codes[0]):
        answers = at_once(5, lambda code=code: Person(each_service).log_in(totp=code))  # type: ignore[misc]
        assert answers == [200, 401, 401, 401, 401]


def test_a_backup_code_is_good_once(each_service: Service, hands: Hands) -> None:
    person = newcomer(each_service)
    codes = person.set_up_codes()
    assert Person(each_service).log_in(totp=codes[3]).status_code == 200
    assert wanted(Person(each_service).log_in(totp=codes[3]))
    assert Person(each_service).log_in(totp=codes[4].upper().replace("-", " ")).status_code == 200
    assert data_of(person.get("/me"))["backup_codes_left"] == 8


def test_new_backup_codes_replace_the_former(service: Service, hands: Hands) -> None:
    person = newcomer(service)
    former = person.set_up_codes()
    assert person.post("/mfa/backup-codes", totp="000000").status_code == 401
    renewed = data_of(person.post("/mfa/backup-codes", totp=former[0]))["backup_codes"]
    assert set(renewed).isdisjoint(former)
    assert wanted(Person(service).log_in(totp=former[1]))
    assert Person(service).log_in(totp=renewed[1]).status_code == 200


def test_a_factor_is_disabled_by_who_has_it(service: Service, hands: Hands) -> None:
    person = newcomer(service)
    codes = person.set_up_codes()
    hands.move(minutes=1)
    assert person.post("/mfa/disable", totp="000000").status_code == 401
    assert person.post("/mfa/disable", totp=person.code()).status_code == 204
    assert Person(service).log_in().status_code == 200
    for path in ("/mfa/disable", "/mfa/backup-codes"):
        error_of(person.post(path, totp=codes[0]), "CONFLICT")
    person.set_up_codes()
    assert wanted(Person(service).log_in(totp=codes[0]))


@pytest.mark.parametrize("path", ["/mfa/setup", "/mfa/disable", "/mfa/backup-codes"])
def test_long_after_the_login_the_password_is_wanted_too(service: Service, hands: Hands, path: str) -> None:
    person = newcomer(service)
    body = {} if path == "/mfa/setup" else {"totp": person.set_up_codes()[0]}
    hands.move(minutes=20)
    details = error_of(person.post(path, **body), "AUTHENTICATION_REQUIRED")
    assert details["password_required"] is True
    assert person.post(path, **body, password="a wrong password").status_code == 401
    assert person.post(path, **body, password=PASSWORD).status_code in {200, 204}


def test_guessing_codes_ends_like_guessing_passwords(service: Service, hands: Hands) -> None:
    person = newcomer(service)
    person.set_up_codes()
    hands.move(minutes=1)
    thief = Person(service, address=AWAY)
    assert [thief.log_in(totp=person.code(5)).status_code for _ in range(10)] == [401] * 10
    assert thief.log_in(totp=person.code()).status_code == 429
    assert Person(service).log_in(totp=person.code()).status_code == 200
    guesses = [person.post("/mfa/disable", totp=person.code(5)).status_code for _ in range(11)]
    assert guesses == [401] * 10 + [429]


def test_the_seed_is_sealed_and_the_codes_are_hashed(service: Service, hands: Hands) -> None:
    person = newcomer(service)
    codes = person.set_up_codes()
    with service.runtime.db.read() as session:
        kept = str([
            session.exec_driver_sql(f"SELECT * FROM {name}").all()  # noqa: S608
            for name in ("second_factors", "backup_codes")
        ])  # fmt: skip
    seed = base64.b32decode(person.secret)
    secrets: list[Any] = [
        person.secret,
        seed.hex(),
        str(seed),
        *codes,
        *(code.replace("-", "") for code in codes),
    ]
    assert not [secret for secret in secrets if secret in kept]


def test_what_is_never_verified_is_forgotten(service: Service, hands: Hands) -> None:
    person = newcomer(service)
    person.secret = data_of(person.post("/mfa/setup"))["secret"]
    hands.move(days=2)
    upkeep.run(service.runtime.db)
    person.log_in()
    error_of(person.post("/mfa/verify", totp=person.code()), "CONFLICT")


def test_an_admin_takes_a_lost_factor_away(service: Service, hands: Hands) -> None:
    person = newcomer(service)
    person.set_up_codes()
    user_id = data_of(person.get("/me"))["id"]
    place = f"/api/v1/auth/users/{user_id}/mfa"
    error_of(person.client.delete(place, headers={"Authorization": f"Bearer {person.access}"}),
             "INSUFFICIENT_PERMISSIONS")  # fmt: skip
    assert service.client.delete(place).status_code == 204
    assert Person(service).log_in().status_code == 200
    error_of(service.client.delete(place), "CONFLICT")
    nobody = make_user(service, "nobody@example.com").id[:-4] + "0000"
    error_of(service.client.delete(f"/api/v1/auth/users/{nobody}/mfa"), "RESOURCE_NOT_FOUND")
