"""What an operator does when a second factor, or a key that signs, is lost: without a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from hefesto_api.cli import main
from tests.features.conftest import Service, make_service, sqlite_url  # noqa: F401 - fixtures
from tests.logins import EMAIL, OPEN, Hands, Person, newcomer

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

KEY = "the key of every service that tests make"


@pytest.fixture
def service(make_service: Callable[..., Service], sqlite_url: str) -> Service:  # noqa: F811 - those fixtures
    """A service beside the command."""
    return make_service(sqlite_url, **OPEN)


@pytest.fixture
def run(service: Service, sqlite_url: str) -> Callable[[str], Result]:  # noqa: F811 - that fixture
    """Run the command on the service's database."""
    environ = {"HEFESTO_DATABASE_URL": sqlite_url, "HEFESTO_SECRET_KEY": KEY, **OPEN}
    return lambda line: CliRunner().invoke(main, line.split(), env=environ)


def test_a_lost_second_factor_is_taken_away(service: Service, run: Callable[[str], Result]) -> None:
    newcomer(service).set_up_codes()
    assert Person(service).log_in().status_code == 401
    assert run(f"users reset-mfa {EMAIL}").exit_code == 0
    assert Person(service).log_in().status_code == 200
    again = run(f"users reset-mfa {EMAIL}")
    assert again.exit_code != 0
    assert "No second factor" in again.output
    assert run("users reset-mfa nobody@example.com").exit_code != 0


def test_who_was_locked_out_is_heard_again(service: Service, run: Callable[[str], Result]) -> None:
    newcomer(service)
    guesses = [Person(service).log_in("a wrong password").status_code for _ in range(11)]
    assert guesses[-1] == 429
    assert "is heard from everywhere again" in run(f"users unlock {EMAIL}").output
    assert Person(service).log_in().status_code == 200
    assert "was not locked out" in run(f"users unlock {EMAIL}").output
    assert run("users unlock nobody@example.com").exit_code != 0


def test_withdrawn_tokens_are_refused_and_sessions_go_on(
    service: Service, run: Callable[[str], Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    hands = Hands(monkeypatch)
    person = newcomer(service)
    assert person.get("/me").status_code == 200
    withdrawn = run("keys withdraw-tokens")
    assert withdrawn.exit_code == 0, withdrawn.output
    service.runtime.tokens.forget()
    hands.move(seconds=1)
    assert person.get("/me").status_code == 401
    assert person.refresh().status_code == 200
    assert person.get("/me").status_code == 200
