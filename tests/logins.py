"""People who log in over HTTP, and a clock that tests set."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from hefesto_api.adapters import one_time_codes
from hefesto_api.domain import clock
from tests.answers import data_of

if TYPE_CHECKING:
    import pytest
    from tests.features.conftest import Service
    from werkzeug.test import TestResponse

OPEN = {"HEFESTO_AUTH": "open", "HEFESTO_RATE_LIMITS": "off"}
PLACE = "/api/v1/auth"
EMAIL = "ada@example.com"
PASSWORD = "correct horse battery"
HOME, AWAY = "192.0.2.10", "198.51.100.7"


class Hands:
    """The hands of the clock: time stands still until a test moves it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.time = datetime(2026, 3, 1, 12, tzinfo=UTC)
        monkeypatch.setattr(clock, "now", lambda: self.time)

    def move(self, **by: float) -> None:
        """Let time pass."""
        self.time += timedelta(**by)

    @property
    def step(self) -> int:
        """The present step of one-time codes."""
        return int(self.time.timestamp()) // one_time_codes.STEP_SECONDS


class Person:
    """Somebody who calls the service from an address, with what a login gave."""

    def __init__(self, service: Service, email: str = EMAIL, address: str = HOME) -> None:
        self.service = service
        self.client = service.client.application.test_client()  # threads do not share one
        self.email = email
        self.address = address
        self.access = ""
        self.refresh_token = ""
        self.secret = ""

    def call(self, method: str, path: str, body: Any = None, *, access: str | None = None) -> TestResponse:
        """Call a route of access control with the access token, if there is one."""
        shown = self.access if access is None else access
        return self.client.open(
            f"{PLACE}{path}",
            method=method,
            json=body,
            headers={"Authorization": f"Bearer {shown}"} if shown else {},
            environ_overrides={"REMOTE_ADDR": self.address},
        )

    def post(self, path: str, **body: Any) -> TestResponse:
        """Send a body."""
        return self.call("POST", path, body)

    def get(self, path: str) -> TestResponse:
        """Read."""
        return self.call("GET", path)

    def register(self, password: str = PASSWORD) -> TestResponse:
        """Make an account."""
        return self.call("POST", "/register", {"email": self.email, "password": password}, access="")

    def log_in(self, password: str = PASSWORD, **more: str) -> TestResponse:
        """Log in, and keep what that gives."""
        body = {"email": self.email, "password": password, **more}
        return self._kept(self.call("POST", "/login", body, access=""))

    def refresh(self, shown: str | None = None) -> TestResponse:
        """Refresh with the latest refresh token or another, and keep what that gives."""
        body = {"refresh_token": self.refresh_token if shown is None else shown}
        return self._kept(self.call("POST", "/refresh", body, access=""))

    def set_up_codes(self) -> list[str]:
        """Put a second factor in force, and return the backup codes."""
        self.secret = data_of(self.post("/mfa/setup"))["secret"]
        codes: list[str] = data_of(self.post("/mfa/verify", totp=self.code()))["backup_codes"]
        return codes

    def code(self, drift: int = 0) -> str:
        """Return the code that the app shows, or one some steps away."""
        step = int(clock.now().timestamp()) // one_time_codes.STEP_SECONDS
        return one_time_codes.code_at(base64.b32decode(self.secret), step + drift)

    def _kept(self, answer: TestResponse) -> TestResponse:
        if answer.status_code == 200:
            told = data_of(answer)
            self.access, self.refresh_token = told["access_token"], told["refresh_token"]
        return answer


def newcomer(service: Service, email: str = EMAIL, address: str = HOME) -> Person:
    """Return somebody who has just registered and logged in."""
    person = Person(service, email, address)
    assert person.register().status_code == 201
    assert person.log_in().status_code == 200
    return person
