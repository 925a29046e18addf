"""Who calls: modes, credentials, and what they open."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hefesto_api import runtime as runtimes
from hefesto_api import settings as all_settings
from hefesto_api.app import create_app
from hefesto_api.domain import api_keys as texts
from hefesto_api.domain import clock
from hefesto_api.domain.access import ROLES, SCOPES, STRANGER, Principal
from hefesto_api.domain.errors import StorageError
from hefesto_api.storage import api_keys
from hefesto_api.storage.database import open_database
from hefesto_api.web import authentication
from hefesto_api.web.authentication import FRESH_SECONDS, Authenticator
from hefesto_api.web.errors import AuthenticationRequired
from tests.access import SECRET_KEY, bearer, make_key, make_user
from tests.answers import data_of, error_of
from tests.features.conftest import sqlite_url  # noqa: F401 - fixtures
from tests.web import sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from flask.testing import FlaskClient
    from hefesto_api.runtime import Runtime

LIST, ITEM = "/api/v1/sample", "/api/v1/sample/3"
SOMEBODY = Principal("1", "somebody", frozenset())


class Whole(NamedTuple):
    """All features in one application."""

    runtime: Runtime
    client: FlaskClient


class Place:
    """An application of the sample feature in a mode of its own."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.client: FlaskClient = create_app(runtime=runtime, features=(sample,)).test_client()


@pytest.fixture
def make_runtime(tmp_path: Path, sqlite_url: str) -> Iterator[Callable[..., Runtime]]:  # noqa: F811 - that fixture
    """Make what several processes on one database would hold."""
    opened: list[Runtime] = []

    def make(auth: str = "required") -> Runtime:
        environ = {"HEFESTO_DATABASE_URL": sqlite_url, "HEFESTO_SECRET_KEY": SECRET_KEY}
        mode = {"HEFESTO_AUTH": auth} if auth else {}
        opened.append(runtimes.build(all_settings.load(environ | mode, tmp_path)))
        return opened[-1]

    yield make
    for runtime in opened:
        runtime.close()


@pytest.fixture
def place(make_runtime: Callable[..., Runtime]) -> Callable[..., Place]:
    """Make applications of the sample feature on one database, each as a process of its own would be."""
    return lambda auth="required": Place(make_runtime(auth))


@pytest.fixture
def whole(make_runtime: Callable[..., Runtime]) -> Whole:
    """The whole application, where credentials are required."""
    runtime = make_runtime()
    return Whole(runtime, create_app(runtime=runtime).test_client())


def test_without_credentials_a_required_service_asks_for_them(place: Callable[..., Place]) -> None:
    answer = place().client.get(LIST)
    assert answer.status_code == 401
    error_of(answer, "AUTHENTICATION_REQUIRED")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="hefesto"'


@pytest.mark.parametrize("auth", ["", "open"])
def test_an_open_service_needs_none(place: Callable[..., Place], auth: str) -> None:
    assert place(auth).client.get(LIST).status_code == 200


def test_a_key_opens_what_its_role_allows_and_no_more(place: Callable[..., Place]) -> None:
    here = place()
    viewer = make_key(here.runtime, "viewer")
    assert here.client.get(LIST, headers=viewer).status_code == 200
    refused = here.client.patch(ITEM, json={"name": "x"}, headers=viewer)
    assert refused.status_code == 403
    assert error_of(refused, "INSUFFICIENT_PERMISSIONS")["required_scope"] == "write:findings"
    developer = make_key(here.runtime, "developer")
    assert here.client.patch(ITEM, json={"name": "x"}, headers=developer).status_code == 200


def test_single_scopes_and_admin_open_what_they_say(place: Callable[..., Place]) -> None:
    here = place()
    assert here.client.get(LIST, headers=make_key(here.runtime, scopes=["read:findings"])).status_code == 200
    assert here.client.get(LIST, headers=make_key(here.runtime, scopes=["read:alerts"])).status_code == 403
    assert here.client.get(LIST, headers=make_key(here.runtime, scopes=["admin"])).status_code == 200


GOOD = texts.new_key()


NONE = {
    "of no key": GOOD,
    "shortened": GOOD[:-1],
    "prolonged": GOOD + "A",
    "its beginning": "hef_",
    "its shape": "hef_" + "A" * 49,
    "a token's shape": "a.b.c",
    "an unsigned token": "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.",
    "a letter": "x",
    "SQL": "'; drop table api_keys --",
    "bytes": "\xfe\xff",
    "long": "h" * 100_000,
}


@pytest.mark.parametrize("auth", ["", "open", "required"])
def test_what_is_no_credential_is_refused_in_every_mode(place: Callable[..., Place], auth: str) -> None:
    client = place(auth).client
    for name, credential in NONE.items():
        answer = client.get(LIST, headers=bearer(credential))
        assert answer.status_code == 401, name
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"], name


def test_other_schemes_are_for_others(place: Callable[..., Place]) -> None:
    """A proxy may ask for a password of its own and hand it on."""
    header = {"Authorization": "Basic dXNlcjpwYXNz"}
    assert place("open").client.get(LIST, headers=header).status_code == 200
    assert place("required").client.get(LIST, headers=header).status_code == 401


def test_the_scheme_has_no_case(place: Callable[..., Place]) -> None:
    here = place()
    key = make_key(here.runtime, "viewer")["Authorization"].removeprefix("Bearer ")
    for scheme in ("bearer", "BEARER", "Bearer "):
        assert here.client.get(LIST, headers={"Authorization": f"{scheme} {key}"}).status_code == 200


def test_a_key_counts_until_it_expires(place: Callable[..., Place]) -> None:
    here = place()
    past = make_key(here.runtime, "viewer", expires_at=clock.now() - timedelta(seconds=1))
    assert here.client.get(LIST, headers=past).status_code == 401
    ahead = make_key(here.runtime, "viewer", expires_at=clock.now() + timedelta(hours=1))
    assert here.client.get(LIST, headers=ahead).status_code == 200


@pytest.mark.parametrize("path", ["/health", "/livez", "/docs", "/openapi.json", "/dashboard"])
def test_what_carries_no_data_is_there_for_everybody(whole: Whole, path: str) -> None:
    assert whole.client.get(path).status_code == 200
    assert whole.client.get(path, headers=bearer("hef_gone")).status_code == 200


def test_metrics_are_for_this_machine_and_for_who_may_read_them(whole: Whole) -> None:
    runtime, client = whole
    afar = {"REMOTE_ADDR": "192.0.2.7"}
    assert client.get("/metrics").status_code == 200
    assert client.get("/metrics", environ_base=afar).status_code == 401
    assert client.get("/metrics", headers={"X-Forwarded-For": "192.0.2.7"}).status_code == 401
    reads, writes = make_key(runtime, "viewer"), make_key(runtime, scopes=["write:alerts"])
    assert client.get("/metrics", environ_base=afar, headers=reads).status_code == 200
    assert client.get("/metrics", environ_base=afar, headers=writes).status_code == 403


def test_what_is_about_the_whole_installation_is_not_for_admins_of_some_projects(whole: Whole) -> None:
    runtime, client = whole
    bound = make_key(runtime, "admin", projects=["shop"])
    assert client.get("/api/v1/system/info", headers=bound).status_code == 403
    assert client.get("/api/v1/system/info", headers=make_key(runtime, "admin")).status_code == 200


def test_a_users_key_may_never_more_than_its_user(place: Callable[..., Place]) -> None:
    here = place()
    user = make_user(here.runtime, role="viewer", projects=["shop"])
    key = make_key(here.runtime, "developer", user_id=user.id)
    assert here.client.get(LIST, headers=key).status_code == 200
    assert here.client.patch(ITEM, json={"name": "x"}, headers=key).status_code == 403


def test_revoking_counts_in_every_process(place: Callable[..., Place]) -> None:
    """Another process may go on for as long as it keeps what it saw; the clock of that is tried below."""
    here, there = place(), place()
    key = make_key(here.runtime, "viewer")
    assert here.client.get(LIST, headers=key).status_code == 200
    with here.runtime.db.write() as session:
        api_keys.delete(session, api_keys.matching(session)[0].id)
    assert there.client.get(LIST, headers=key).status_code == 401


def test_what_was_looked_up_is_kept_half_a_second_and_no_longer() -> None:
    asked: list[str] = []
    time = [100.0]

    def resolve(credential: str) -> Principal:
        asked.append(credential)
        return SOMEBODY

    known = Authenticator(resolve, lambda: time[0])
    assert known.authenticate("one") == SOMEBODY
    time[0] += FRESH_SECONDS * 0.99
    assert known.authenticate("one") == SOMEBODY
    assert asked == ["one"]
    time[0] += FRESH_SECONDS * 0.02
    known.authenticate("one")
    assert asked == ["one", "one"]
    known.forget()
    known.authenticate("one")
    assert len(asked) == 3
    assert FRESH_SECONDS <= 0.5  # revoked means refused within a second


def test_what_is_not_good_is_looked_up_each_time() -> None:
    asked: list[str] = []

    def resolve(credential: str) -> Principal:
        asked.append(credential)
        raise AuthenticationRequired("no")

    known = Authenticator(resolve)
    for _ in range(2):
        with pytest.raises(AuthenticationRequired):
            known.authenticate("one")
    assert len(asked) == 2


def test_a_mistyped_key_is_no_key() -> None:
    key = texts.new_key()
    assert texts.is_key(key)
    for place in range(len(key)):
        other = "A" if key[place] != "A" else "B"
        assert not texts.is_key(key[:place] + other + key[place + 1 :])


def test_roles_hold_what_they_are_said_to() -> None:
    assert all(scope.startswith("read:") for scope in ROLES["viewer"])
    assert ROLES["viewer"] < ROLES["developer"] < ROLES["operator"] < ROLES["admin"] == set(SCOPES)
    assert ROLES["developer"] - ROLES["viewer"] == {"write:analysis", "write:findings", "write:alerts"}
    assert ROLES["operator"] - ROLES["developer"] == {"manage:webhooks", "manage:projects"}
    assert not STRANGER.scopes


def test_a_database_that_is_not_there_lets_nobody_in(tmp_path: Path) -> None:
    db = open_database(f"sqlite:///{tmp_path / 'never_migrated.db'}")
    with pytest.raises(StorageError):
        authentication.of_key(db, GOOD)
    db.close()


def test_who_calls_is_counted_by_route(whole: Whole) -> None:
    runtime, client = whole
    admin, key = make_key(runtime, "admin"), make_key(runtime, "viewer", name="seen")
    client.get("/api/v1/findings", headers=key)
    client.get("/api/v1/findings?limit=0", headers=key)
    client.get("/api/v1/system/info", headers=key)
    listed = data_of(client.get("/api/v1/auth/api-keys", headers=admin))["api_keys"]
    key_id = next(one["id"] for one in listed if one["name"] == "seen")
    told = data_of(client.get(f"/api/v1/auth/api-keys/{key_id}/usage", headers=admin))
    assert (told["requests"], told["errors"]) == (3, 2)
    assert told["by_route"] == [
        {"route": "GET /api/v1/findings", "requests": 2, "errors": 1},
        {"route": "GET /api/v1/system/info", "requests": 1, "errors": 1},
    ]
    assert [day["requests"] for day in told["by_day"]] == [3]
    assert told["last_used_at"].endswith(":00.000000Z")
