"""Who is let near: this machine alone, unless the settings say otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api import settings as all_settings
from hefesto_api.app import create_app
from hefesto_api.domain.errors import UsageError
from hefesto_api.web import gate
from tests.access import make_key
from tests.answers import error_of
from tests.web import sample

if TYPE_CHECKING:
    from pathlib import Path

    from flask.testing import FlaskClient

ITEM = "/api/v1/sample/3"


def client_of(folder: Path, **environ: str) -> FlaskClient:
    return create_app(all_settings.load(environ, folder), features=(sample,)).test_client()


@pytest.mark.parametrize(
    "header",
    [
        {"Forwarded": "for=1.2.3.4"},
        {"X-Forwarded-For": "1.2.3.4"},
        {"X-Forwarded-Proto": "https"},
        {"X-Forwarded-Host": "localhost"},
        {"X-Real-IP": "127.0.0.1"},
        {"Host": "hefesto.example"},
        {"Host": "localhost.evil.example"},
        {"Host": "127.0.0.1.evil.example:8080"},
        {"Host": "[::2]"},
    ],
)
def test_strangers_are_refused_unless_everybody_may_call(tmp_path: Path, header: dict[str, str]) -> None:
    refused = client_of(tmp_path).get(ITEM, headers=header)
    assert refused.status_code == 403
    error_of(refused, "INSUFFICIENT_PERMISSIONS")
    assert client_of(tmp_path, HEFESTO_AUTH="open").get(ITEM, headers=header).status_code == 200


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "[::1]:8080", "localhost."]
)
def test_this_machine_is_let_in(tmp_path: Path, host: str) -> None:
    assert client_of(tmp_path).get(ITEM, headers={"Host": host}).status_code == 200


def test_allowed_hosts_are_let_in_and_others_are_not(tmp_path: Path) -> None:
    for auth in ({}, {"HEFESTO_AUTH": "open"}):
        client = client_of(tmp_path, HEFESTO_ALLOWED_HOSTS="hefesto.example", **auth)
        assert client.get(ITEM, headers={"Host": "hefesto.example"}).status_code == 200
        assert client.get(ITEM, headers={"Host": "other.example"}).status_code == 403


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost.evil.example", "http://["]
)
def test_pages_of_other_origins_may_not_change_anything(tmp_path: Path, origin: str) -> None:
    client = client_of(tmp_path)
    response = client.patch(ITEM, json={"name": "x"}, headers={"Origin": origin})
    assert response.status_code == 403
    assert "Access-Control-Allow-Origin" not in response.headers
    ours = client.patch(ITEM, json={"name": "x"}, headers={"Origin": "http://localhost:8080"})
    assert ours.status_code == 200


def test_pages_of_other_origins_change_nothing_where_everybody_may_call(tmp_path: Path) -> None:
    host = {"Host": "hefesto.example"}
    for environ, status in (({}, 403), ({"HEFESTO_CORS_ORIGINS": "https://page.example"}, 200)):
        client = client_of(tmp_path, HEFESTO_AUTH="open", **environ)
        page = {**host, "Origin": "https://page.example"}
        assert client.patch(ITEM, json={"name": "x"}, headers=page).status_code == status
        assert client.get(ITEM, headers=page).status_code == 200
        own = {**host, "Origin": "https://hefesto.example"}
        assert client.patch(ITEM, json={"name": "x"}, headers=own).status_code == 200
        assert client.patch(ITEM, json={"name": "x"}, headers=host).status_code == 200


def test_named_origins_may(tmp_path: Path) -> None:
    client = client_of(tmp_path, HEFESTO_ENV="development")
    origin = {"Origin": "http://localhost:3000"}
    response = client.get(ITEM, headers=origin)
    assert response.headers["Access-Control-Allow-Origin"] == origin["Origin"]
    assert "ETag" in response.headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Credentials" not in response.headers
    preflight = client.options(ITEM, headers={**origin, "Access-Control-Request-Method": "PATCH"})
    assert "PATCH" in preflight.headers["Access-Control-Allow-Methods"]


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({"HEFESTO_CORS_ORIGINS": "*"}, "HEFESTO_CORS_ORIGINS"),
    ],
)
def test_what_cannot_be_honoured_is_refused_at_start(tmp_path: Path, environ: Any, name: str) -> None:
    with pytest.raises(UsageError, match=name):
        client_of(tmp_path, **environ)


def test_a_start_says_what_is_to_be_known_about_who_may_call(make_app: Any, tmp_path: Path) -> None:
    def notices(**environ: str) -> list[str]:
        settings = all_settings.load(environ, tmp_path)
        return gate.notices(settings, runtime.db)

    runtime = make_app(all_settings.load({}, tmp_path)).extensions["hefesto"]
    assert notices() == []
    assert "everything" in notices(HEFESTO_AUTH="open")[0]
    assert notices(HEFESTO_AUTH="required") == [gate.NO_ADMIN]
    make_key(runtime, "operator")
    make_key(runtime, "admin", projects=["shop"])
    make_key(runtime, "admin", is_active=False)
    assert notices(HEFESTO_AUTH="required") == [gate.NO_ADMIN]
    make_key(runtime, "admin")
    assert notices(HEFESTO_AUTH="required") == []


def test_a_call_from_another_machine_is_none_of_this(tmp_path: Path) -> None:
    """A server that was bound to every address by somebody else, with a Host that lies."""
    afar = {"REMOTE_ADDR": "192.0.2.7"}
    assert client_of(tmp_path).get(ITEM, environ_base=afar).status_code == 403
    assert client_of(tmp_path, HEFESTO_AUTH="open").get(ITEM, environ_base=afar).status_code == 200


def test_behind_another_server_somebody_has_to_decide(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="HEFESTO_AUTH"):
        gate.refuse_unless_decided(all_settings.load({}, tmp_path))
    gate.refuse_unless_decided(all_settings.load({"HEFESTO_AUTH": "open"}, tmp_path))
    gate.refuse_unless_decided(all_settings.load({"HEFESTO_ENV": "development"}, tmp_path))
