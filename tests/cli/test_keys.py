"""`hefesto keys` and `hefesto users`: the first admin, and what follows, without a server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from hefesto_api import runtime as runtimes
from hefesto_api import settings as all_settings
from hefesto_api.app import create_app
from hefesto_api.cli import main
from hefesto_api.domain import api_keys
from tests.access import bearer
from tests.answers import data_of
from tests.features.conftest import sqlite_url  # noqa: F401 - fixtures

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click.testing import Result
    from flask.testing import FlaskClient

PASSWORD = "correct horse battery"


class Here:
    """A machine with an installation: the command, and the service beside it."""

    def __init__(self, environ: dict[str, str], folder: Path) -> None:
        self._environ = environ
        self._folder = folder

    def run(self, line: str, *more: str, typed: str | None = None) -> Result:
        """Run the command, which must not fail in a way of its own."""
        result = CliRunner().invoke(main, [*line.split(), *more], input=typed, env=self._environ)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        return result

    def said(self, line: str, *more: str, typed: str | None = None) -> str:
        """Return what a command prints that goes well."""
        result = self.run(line, *more, typed=typed)
        assert result.exit_code == 0, result.output
        return result.stdout

    def listed(self, what: str) -> list[dict[str, Any]]:
        """Return what the list tells other programs."""
        told: list[dict[str, Any]] = json.loads(self.said(f"{what} list --json"))
        return told


@pytest.fixture
def here(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Here:  # noqa: F811 - that fixture
    """A machine whose installation asks for credentials."""
    monkeypatch.chdir(tmp_path)
    environ = {
        "HEFESTO_DATABASE_URL": sqlite_url,
        "HEFESTO_AUTH": "required",
        "HEFESTO_SECRET_KEY": "a key of tests that is long enough to be one",
        "HEFESTO_PASSWORD_MEMORY_MB": "1",
    }
    return Here(environ, tmp_path)


@pytest.fixture
def client(here: Here) -> Iterator[FlaskClient]:
    """A client of the service beside the command."""
    runtime = runtimes.build(all_settings.load(here._environ, here._folder))
    yield create_app(runtime=runtime).test_client()
    runtime.close()


def test_the_first_key_opens_the_service(here: Here, client: FlaskClient) -> None:
    *_, key = here.said("keys create --name first --scope admin").splitlines()
    assert api_keys.is_key(key)
    assert client.get("/api/v1/system/info", headers=bearer(key)).status_code == 200


def test_a_key_is_bound_limited_and_shown_in_the_list(here: Here, client: FlaskClient) -> None:
    here.said("users create ada@example.com --no-password --role developer")
    line = "keys create --name ci --role developer --project shop --project bank --tier free --expires-in 3"
    key = here.said(f"{line} --user ada@example.com").splitlines()[-1]
    (told,) = here.listed("keys")
    assert (told["role"], told["projects"], told["tier"]) == ("developer", ["bank", "shop"], "free")
    assert told["user_id"] == here.listed("users")[0]["id"]
    assert told["expires_at"] is not None
    shown = here.said("keys list")
    assert told["hint"] in shown
    assert key not in shown
    assert client.get("/api/v1/projects/other", headers=bearer(key)).status_code == 404


def test_a_revoked_key_is_refused(here: Here, client: FlaskClient) -> None:
    key = here.said("keys create --name x --role viewer").splitlines()[-1]
    assert client.get("/api/v1/findings", headers=bearer(key)).status_code == 200
    client.application.extensions["hefesto.authenticator"].forget()
    here.said("keys revoke", key)
    assert client.get("/api/v1/findings", headers=bearer(key)).status_code == 401
    assert here.run("keys revoke", key).exit_code == 2


def test_a_key_is_revoked_by_its_id(here: Here) -> None:
    here.said("keys create --name x --role viewer")
    here.said("keys revoke", here.listed("keys")[0]["id"])
    assert here.listed("keys") == []


WRONG = [
    "keys create --name x",
    "keys create --scope admin",
    "keys create --name x --role boss",
    "keys create --name x --scope read:everything",
    "keys create --name x --role viewer --project ../etc",
    "keys create --name x --role viewer --tier gold",
    "keys create --name x --role viewer --expires-in 0",
    "keys create --name x --role viewer --user nobody@example.com",
    "keys revoke nothing",
    "users create nobody",
    "users create ada@example.com --role boss",
    "users create ada@example.com",  # nobody is there to be asked for a password
    "users disable nobody@example.com",
    "users role nobody@example.com viewer",
    "users password nobody@example.com --generate-password",
    "users delete nobody@example.com",
]


def test_a_wrong_use_is_2_and_changes_nothing(here: Here) -> None:
    assert [line for line in WRONG if here.run(line).exit_code != 2] == []
    assert (here.listed("keys"), here.listed("users")) == ([], [])


def test_the_last_admin_goes_only_when_it_is_meant(here: Here) -> None:
    here.said("users create ada@example.com --no-password --role admin")
    for line in (
        "users disable ada@example.com",
        "users role ada@example.com viewer",
        "users delete ada@example.com",
    ):
        refused = here.run(line)
        assert refused.exit_code == 3
        assert "last admin" in refused.stderr
    key = here.said("keys create --name x --scope admin").splitlines()[-1]
    here.said("users delete ada@example.com")
    assert here.run("keys revoke", key).exit_code == 3
    here.said("keys revoke --force", key)


def log_in(client: FlaskClient, password: str) -> int:
    body = {"email": "ada@example.com", "password": password}
    return client.post("/api/v1/auth/login", json=body).status_code


def test_a_user_logs_in_until_told_otherwise(here: Here, client: FlaskClient) -> None:
    create = "users create Ada@Example.com --role operator --project shop --password-stdin"
    here.said(create, typed=f"{PASSWORD}\n")
    (told,) = here.listed("users")
    assert (told["email"], told["role"], told["projects"]) == ("ada@example.com", "operator", ["shop"])
    assert log_in(client, PASSWORD) == 200
    made_up = here.said("users password ada@example.com --generate-password").splitlines()[-1]
    assert (log_in(client, PASSWORD), log_in(client, made_up)) == (401, 200)
    here.said("users disable ada@example.com")
    assert log_in(client, made_up) == 401
    here.said("users enable ada@example.com")
    assert log_in(client, made_up) == 200
    assert "operator" in here.said("users list")


def test_a_password_must_be_one(here: Here) -> None:
    refused = here.run("users create ada@example.com --password-stdin", typed="short\n")
    assert refused.exit_code == 2
    assert "12 characters" in refused.stderr
    assert here.listed("users") == []


def test_what_others_wrote_drives_no_terminal(here: Here) -> None:
    here.said("keys create --role viewer --name", "evil\x1b[2J\u202e")
    assert not {"\x1b", "\u202e"} & set(here.said("keys list"))


def test_the_command_stands_in_the_audit_log(here: Here, client: FlaskClient) -> None:
    key = here.said("keys create --name first --scope admin").splitlines()[-1]
    logs = data_of(client.get("/api/v1/audit-logs?action=api_key.created", headers=bearer(key)))["audit_logs"]
    assert [one["resource_type"] for one in logs] == ["api_key"]
    assert logs[0]["user_id"].startswith("cli")
    assert key not in json.dumps(logs)


def test_another_installations_secret_key_changes_nothing_here(here: Here) -> None:
    here.said("keys create --name x --role viewer")
    environ = here._environ | {"HEFESTO_SECRET_KEY": "another key that is long enough to be one"}
    refused = Here(environ, here._folder).run("keys create --name y --role viewer")
    assert refused.exit_code == 2
    assert "HEFESTO_SECRET_KEY" in refused.stderr
    assert [key["name"] for key in here.listed("keys")] == ["x"]
