"""What callers see of limits: who is counted as whom, what is told, and what is not counted."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from flask import request
from flask_limiter import ExemptionScope
from flask_limiter import Limiter as FlaskLimiter
from hefesto_api import runtime as runtimes
from hefesto_api import settings as all_settings
from hefesto_api.adapters.limits import ALONE, Address, host
from hefesto_api.adapters.limits.counts import LOOK_MILLISECONDS
from hefesto_api.app import FEATURES, create_app
from hefesto_api.domain.errors import UsageError
from hefesto_api.features.health import routes as health
from hefesto_api.storage import api_keys, migrate
from hefesto_api.web import limits, openapi
from tests.access import SECRET_KEY, bearer, make_key
from tests.adapters.test_limits import Redis
from tests.answers import data_of, error_of
from tests.web import sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from flask.testing import FlaskClient
    from hefesto_api.runtime import Runtime
    from werkzeug.test import TestResponse

ITEM = "/api/v1/sample/3"
LIST = "/api/v1/sample"
NOWHERE = "/api/v1/nowhere"
AUTH = "/api/v1/auth"


class Clock:
    """Milliseconds that pass when a test says so."""

    now = 50_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(tmp_path: Path, clock: Clock) -> Iterator[Callable[..., FlaskClient]]:
    """Make clients of services that count by the test's clock; with `keys`, on a database of their own."""
    opened: list[Runtime] = []

    counted = Address(ALONE, {"now": clock})

    def make_client(
        features: Any = (sample,), *, keys: bool = False, at: Address | None = counted, **environ: str
    ) -> FlaskClient:
        given = {"HEFESTO_AUTH": "open", "HEFESTO_SECRET_KEY": SECRET_KEY, **environ}
        runtime = runtimes.build(all_settings.load(given, tmp_path))
        if at is not None:
            runtime.__dict__["limits"] = at  # where it keeps what it has found
        opened.append(runtime)
        if keys:
            migrate.upgrade(runtime.db)
        return create_app(runtime=runtime, features=features).test_client()

    yield make_client
    for runtime in opened:
        runtime.close()


def ask(client: FlaskClient, times: int = 1, path: str = ITEM, **how: Any) -> list[int]:
    """Return the statuses of so many requests."""
    address = how.pop("address", "192.0.2.1")
    return [
        client.get(path, environ_overrides={"REMOTE_ADDR": address}, **how).status_code for _ in range(times)
    ]


def told(response: TestResponse) -> dict[str, str]:
    """Return what the headers of an answer tell of limits."""
    return {name: value for name, value in response.headers.items() if "ratelimit" in name.lower()}


def test_every_answer_tells_what_is_left(make: Callable[..., FlaskClient], clock: Clock) -> None:
    client = make()
    client.get(ITEM)
    clock.now += 20_000
    answer = client.get("/api/v1/sample/text")
    headers = told(answer)
    reset = int(headers.pop("X-RateLimit-Reset"))
    assert headers == {
        "RateLimit-Policy": '"minute";q=20;w=60, "ten-minutes";q=100;w=600, '
        '"hour";q=100;w=3600, "day";q=1000;w=86400',
        "RateLimit": '"minute";r=18;t=41',
        "X-RateLimit-Limit": "20",
        "X-RateLimit-Remaining": "18",
    }
    assert reset > 1_700_000_000  # seconds of the epoch
    assert told(client.get(NOWHERE))["X-RateLimit-Remaining"] == "17"
    assert told(client.get(f"{ITEM}?unknown=1"))["X-RateLimit-Remaining"] == "16"


def test_who_asks_too_often_is_told_when_to_come_back(make: Callable[..., FlaskClient], clock: Clock) -> None:
    client = make()
    assert ask(client, 20) == [200] * 20
    clock.now += 15_000
    assert ask(client, 300) == [429] * 300  # which do not count
    refused = client.get(ITEM, environ_overrides={"REMOTE_ADDR": "192.0.2.1"})
    assert error_of(refused, "RATE_LIMIT_EXCEEDED") == {"limit": 20, "window_seconds": 60, "retry_after": 46}
    assert refused.headers["Retry-After"] == "46"
    assert told(refused)["RateLimit"] == '"minute";r=0;t=46'
    clock.now += 46_000
    assert ask(client, 21) == [200] * 20 + [429]


def test_ten_minutes_hold_ten_times_the_rate(make: Callable[..., FlaskClient], clock: Clock) -> None:
    client = make(HEFESTO_RATE_LIMIT_FREE="10/20/500/1000")
    allowed = 0
    for _ in range(10):
        allowed += ask(client, 25).count(200)
        clock.now += 59_000
    assert allowed == 100


def test_what_machines_ask_on_their_own_is_not_counted(make: Callable[..., FlaskClient]) -> None:
    client = make(FEATURES, keys=True, HEFESTO_RATE_LIMIT_FREE="1/1/1/1")
    assert client.get("/api/v1/config").status_code == 200
    assert client.get("/api/v1/config").status_code == 429
    for path in (
        "/health",
        "/livez",
        "/readyz",
        "/health/deep",
        "/api/v1/health",
        "/api/v1/status",
        "/metrics",
    ):
        answer = client.get(path)
        assert (answer.status_code, told(answer)) == (200, {})
    for path in ("/api/v1/iris/webhook", "/api/v1/iris/webhook/alertmanager"):
        assert client.post(path, json={}).status_code != 429
    assert client.options("/api/v1/config").status_code == 200
    assert client.get("/docs/assets/swagger-ui.css").status_code != 429


def test_addresses_are_counted_apart_and_networks_of_64_bits_together(
    make: Callable[..., FlaskClient],
) -> None:
    client = make(HEFESTO_RATE_LIMIT_FREE="2/2/2/2")
    assert ask(client, 3, address="192.0.2.1") == [200, 200, 429]
    assert ask(client, 1, address="192.0.2.2") == [200]
    assert ask(client, 1, address="::ffff:192.0.2.1") == [429]
    assert ask(client, 2, address="2001:db8::1") == [200] * 2
    assert ask(client, 1, address="2001:db8::ffff:ffff:ffff:ffff") == [429]
    assert ask(client, 1, address="2001:db8:0:1::1") == [200]


def test_what_clients_say_of_their_address_counts_from_trusted_proxies_alone(
    make: Callable[..., FlaskClient],
) -> None:
    spoofed = [{"X-Forwarded-For": f"198.51.100.{number}"} for number in range(5)]
    public = make(HEFESTO_RATE_LIMIT_FREE="2/2/2/2")
    assert [ask(public, headers=headers)[0] for headers in spoofed] == [200, 200, 429, 429, 429]
    proxied = make(HEFESTO_RATE_LIMIT_FREE="2/2/2/2", HEFESTO_TRUSTED_PROXIES="192.0.2.0/24")
    assert [ask(proxied, headers=headers)[0] for headers in spoofed] == [200] * 5
    chain = {"X-Forwarded-For": "203.0.113.77, 198.51.100.9"}
    assert [ask(proxied, headers=chain)[0] for _ in range(3)] == [200, 200, 429]


def test_keys_are_counted_by_their_tier_wherever_they_are_used(make: Callable[..., FlaskClient]) -> None:
    client = make(keys=True, HEFESTO_AUTH="required")
    runtime = client.application.extensions["hefesto"]
    limits = {"free": "20", "pro": "200", "enterprise": "2000"}
    for tier, limit in limits.items():
        answer = client.get(ITEM, headers=make_key(runtime, "viewer", tier=tier))
        assert told(answer)["X-RateLimit-Limit"] == limit
    one, other = make_key(runtime, "viewer", tier="free"), make_key(runtime, "viewer", tier="free")
    assert ask(client, 20, headers=one, path=LIST) == [200] * 20
    assert ask(client, 1, headers=one, path=LIST, address="198.51.100.1") == [429]
    assert ask(client, 1, headers=other, path=LIST) == [200]


def test_a_single_key_may_have_limits_of_its_own(make: Callable[..., FlaskClient]) -> None:
    client = make(keys=True, HEFESTO_AUTH="required")
    runtime = client.application.extensions["hefesto"]
    key = make_key(runtime, "viewer", tier="free")
    with runtime.db.read() as session:
        (found,) = session.execute(sa.select(api_keys.api_keys.c.id)).scalars()
    again = make(HEFESTO_AUTH="required", HEFESTO_RATE_LIMIT_KEYS=f"{found}=3/3/30/300")
    assert ask(again, 4, path=LIST, headers=key) == [200] * 3 + [429]


def test_bad_credentials_count_for_their_address_and_nobody_else(make: Callable[..., FlaskClient]) -> None:
    client = make(keys=True, HEFESTO_AUTH="required")
    good = make_key(client.application.extensions["hefesto"], "viewer", tier="pro")
    bad = [bearer(f"hef_{number:040}") for number in range(25)]
    statuses = [ask(client, path=LIST, headers=headers)[0] for headers in bad]
    assert statuses == [401] * 20 + [429] * 5
    assert ask(client, 1, path=LIST) == [429]  # without any it is the same address
    assert ask(client, 30, path=LIST, headers=good) == [200] * 30


def test_registering_and_logging_in_have_limits_of_their_own(make: Callable[..., FlaskClient]) -> None:
    client = make(FEATURES, keys=True, HEFESTO_PASSWORD_MEMORY_MB="8")
    account = {"email": "a@example.com", "password": "correct horse battery"}
    assert client.post(f"{AUTH}/register", json=account).status_code == 201
    statuses = [client.post(f"{AUTH}/register", json={}).status_code for _ in range(6)]
    assert statuses == [422] * 4 + [429] * 2
    opened = client.post(f"{AUTH}/login", json=account)
    assert told(opened)["RateLimit-Policy"] == '"minute";q=100;w=60'
    token = opened.get_json()["data"]["access_token"]
    assert told(client.get(f"{AUTH}/me", headers=bearer(token)))["X-RateLimit-Limit"] == "200"
    assert ask(client, 21, path="/api/v1/config", address="127.0.0.1")[-1] == 429  # of tier free
    assert client.post(f"{AUTH}/login", json={}).status_code == 422


@pytest.mark.parametrize(
    ("environ", "counted"),
    [
        ({}, False),
        ({"HEFESTO_ENV": "development"}, False),
        ({"HEFESTO_AUTH": "open"}, True),
        ({"HEFESTO_AUTH": "required"}, True),
        ({"HEFESTO_AUTH": "open", "HEFESTO_RATE_LIMITS": "off"}, False),
        ({"HEFESTO_RATE_LIMITS": "on"}, True),
    ],
)
def test_who_serves_his_own_machine_is_not_limited_unless_he_asks(
    make: Callable[..., FlaskClient], environ: dict[str, str], counted: bool
) -> None:
    client = make(**{"HEFESTO_AUTH": "", **environ})
    assert bool(told(client.get(ITEM))) is counted


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HEFESTO_RATE_LIMIT_FREE", "10"),
        ("HEFESTO_RATE_LIMIT_FREE", "10/20/100"),
        ("HEFESTO_RATE_LIMIT_PRO", "0/20/100/1000"),
        ("HEFESTO_RATE_LIMIT_PRO", "20/10/100/1000"),
        ("HEFESTO_RATE_LIMIT_ENTERPRISE", "10/20/100/1000001"),
        ("HEFESTO_RATE_LIMIT_KEYS", "10/20/100/1000"),
        ("HEFESTO_RATE_LIMIT_KEYS", "=10/20/100/1000"),
        ("HEFESTO_RATE_LIMIT_KEYS", "id=10/20/100"),
    ],
)
def test_limits_that_make_no_sense_are_refused_at_start(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(UsageError, match=name):
        all_settings.load({name: value}, tmp_path)


def test_the_document_tells_which_routes_have_limits(make: Callable[..., FlaskClient]) -> None:
    paths = openapi.document(make((health, sample)).application)["paths"]
    assert "429" in paths["/api/v1/sample"]["get"]["responses"]
    assert "429" not in paths["/livez"]["get"]["responses"]


def limiter_of(client: FlaskClient) -> FlaskLimiter:
    """Return the application's one flask-limiter."""
    (limiter,) = client.application.extensions["limiter"]
    assert isinstance(limiter, FlaskLimiter)
    return limiter


def test_flask_limiter_is_what_decides(make: Callable[..., FlaskClient]) -> None:
    client = make(FEATURES, keys=True, HEFESTO_RATE_LIMIT_FREE="1/1/1/1")
    limiter, config = limiter_of(client), "/api/v1/config"
    assert ask(client, 2, path=config) == [200, 429]
    limiter.enabled = False
    assert ask(client, 2, path=config) == [200] * 2
    limiter.enabled = True
    assert ask(client, 1, path=config) == [429]
    limiter.request_filter(lambda: "X-Spare" in request.headers)
    assert ask(client, 1, path=config, headers={"X-Spare": "1"}) == [200]
    view = client.application.view_functions["config.read_config"]
    limiter.exempt(view)
    assert ask(client, 2, path=config) == [200] * 2


def test_only_what_was_declared_unlimited_is_exempt(make: Callable[..., FlaskClient]) -> None:
    client = make(FEATURES)
    limiter, app = limiter_of(client), client.application
    for endpoint, view in app.view_functions.items():
        scope = limiter.limit_manager.exemption_scope(app, endpoint, endpoint.rpartition(".")[0])
        declared = limits.is_unlimited(getattr(view, "_apidoc", {}))
        assert bool(scope & ExemptionScope.APPLICATION) is declared, endpoint
        assert endpoint.rpartition(".")[2] != "static"  # which the library would not count


def test_the_audit_log_tells_that_bad_credentials_became_too_many(make: Callable[..., FlaskClient]) -> None:
    client = make(FEATURES, keys=True, HEFESTO_AUTH="required", HEFESTO_RATE_LIMIT_FREE="2/2/2/2")
    admin = make_key(client.application.extensions["hefesto"], "admin")
    bad = [bearer(f"hef_{number:040}") for number in range(4)]
    assert [ask(client, path="/api/v1/config", headers=one)[0] for one in bad] == [401] * 2 + [429] * 2
    log = data_of(client.get("/api/v1/audit-logs?action=access.refused", headers=admin))
    assert {entry["changes"]["status"] for entry in log["audit_logs"]} == {401, 429}


def test_counts_that_cannot_be_kept_are_no_failure_and_no_way_in(
    make: Callable[..., FlaskClient], clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "REST_SECONDS", 3600.0)
    folder = tmp_path / "counts"
    client = make(FEATURES, keys=True, at=Address(f"{ALONE}{folder}/counts.map", {"now": clock}))
    assert ask(client, 1, path="/api/v1/config") == [200]
    shutil.rmtree(folder)
    folder.write_text("no folder any more")
    clock.now += LOOK_MILLISECONDS
    assert ask(client, 21, path="/api/v1/config") == [200] * 20 + [429]
    assert any("limits" in warning for warning in data_of(client.get("/health/deep"))["warnings"])


@pytest.mark.redis
def test_health_tells_that_redis_is_gone_and_callers_do_not_notice(
    make: Callable[..., FlaskClient], tmp_path_factory: pytest.TempPathFactory
) -> None:
    def cache() -> Any:
        return data_of(client.get("/health/deep"))["checks"]["cache"]

    with Redis(tmp_path_factory.mktemp("r")) as redis:
        url = f"{redis.url}&socket_timeout=30"
        client = make(FEATURES, keys=True, at=None, HEFESTO_REDIS_URL=url)
        assert (cache()["status"], cache()["details"]["limits_by"]) == ("healthy", "redis")
        assert ask(client, 5, path="/api/v1/config") == [200] * 5
        redis.kill()
        assert ask(client, 16, path="/api/v1/config") == [200] * 15 + [429]
        assert (cache()["status"], cache()["details"]["limits_by"]) == ("degraded", "host")
        assert data_of(client.get("/api/v1/health"))["services"]["cache"] == "DEGRADED"
        redis.start()
        while cache()["status"] != "healthy":
            assert ask(client, 1, path="/api/v1/config") == [429]
