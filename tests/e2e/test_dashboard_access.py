"""Who is let into the dashboard and what he finds there, over a service that asks for credentials."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from tests.access import SECRET_KEY
from tests.e2e.looking import MARKS, look
from tests.e2e.test_service import Served
from tests.features.provider import CLIENT_ID, CLIENT_SECRET, Provider

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = MARKS
PASSWORD = "correct horse battery staple"
PEOPLE = {"admin": "ada@example.org", "person": "per@example.org", "viewer": "vera@example.org"}


class Agreeing(Provider):
    """A provider that sends every browser back at once."""

    def _told(self, path: str, headers: Any) -> tuple[int, bytes]:
        if not path.startswith("/authorize?"):
            return super()._told(path, headers)
        self.headers = {"Location": self.agree(f"{self.issuer}{path}")}
        return 302, b""


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    """Somebody who vouches for ann@example.com."""
    made = Agreeing()
    yield made
    made.close()


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> Iterator[Served]:
    """A service that knows three people, a provider and one project, and asks who calls."""
    folder = tmp_path_factory.mktemp("closed")
    made = Served(
        folder,
        HEFESTO_AUTH="required",
        HEFESTO_SECRET_KEY=SECRET_KEY,
        HEFESTO_RATE_LIMITS="off",
        HEFESTO_PASSWORD_MEMORY_MB="8",
        HEFESTO_OIDC_ISSUER=provider.issuer,
        HEFESTO_OIDC_CLIENT_ID=CLIENT_ID,
        HEFESTO_OIDC_CLIENT_SECRET=CLIENT_SECRET,
        HEFESTO_OIDC_NAME="Corp",
        HEFESTO_OIDC_ROLE="developer",
    )
    argv = ["users", "create", PEOPLE["admin"], "--role", "admin", "--password-stdin"]
    subprocess.run(
        [sys.executable, "-m", "hefesto_api", *argv],
        cwd=folder, env=made.environ, input=PASSWORD, text=True, check=True, capture_output=True,
    )  # fmt: skip
    made.start()
    looked(made, "world")
    yield made
    made.end(signal.SIGKILL)


def looked(served: Served, *checks: str) -> None:
    """Run checks of the page; they may find nothing."""
    look(served, ",".join(checks), "access", **PEOPLE, password=PASSWORD, somebody="ann@example.com")


def test_people_log_in_stay_in_and_leave(closed: Served) -> None:
    looked(closed, "login", "provider")


def test_nobody_notices_that_tokens_are_renewed(closed: Served) -> None:
    looked(closed, "renewal")


def test_an_ended_session_loses_nothing_that_was_typed(closed: Served) -> None:
    looked(closed, "expiry")


def test_the_second_factor_is_enrolled_used_and_removed_and_the_account_kept(closed: Served) -> None:
    looked(closed, "factor", "account")


def test_keys_people_projects_and_the_log_are_looked_after(closed: Served) -> None:
    looked(closed, "keys", "run")


def test_what_somebody_may_not_do_is_explained(closed: Served) -> None:
    looked(closed, "viewer")


def test_the_service_shows_how_it_does(closed: Served) -> None:
    looked(closed, "system")


def test_nothing_sticks_out_and_nothing_stands_in_the_way(closed: Served) -> None:
    looked(closed, "pages")
