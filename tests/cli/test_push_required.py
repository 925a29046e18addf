"""`--push` with a key, to a service that asks for credentials."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api import runtime as runtimes
from hefesto_api import settings as all_settings
from hefesto_api.app import create_app
from tests.access import SECRET_KEY, make_key
from tests.features.conftest import sqlite_url  # noqa: F401 - fixtures
from werkzeug.serving import make_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flask.testing import FlaskClient
    from hefesto_api.runtime import Runtime
    from tests.cli.conftest import Hefesto


class Team:
    """A service that asks for credentials, and listens."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        app = create_app(runtime=runtime)
        self.client: FlaskClient = app.test_client()
        self.server = make_server("127.0.0.1", 0, app, threaded=True)
        self.url = f"http://127.0.0.1:{self.server.port}"

    def key(self, role: str, *projects: str) -> str:
        """Return a new key."""
        return make_key(self.runtime, role, projects=projects or None)["Authorization"].split()[1]


@pytest.fixture
def team(sqlite_url: str, tmp_path: Path) -> Iterator[Team]:  # noqa: F811 - that fixture
    environ = {
        "HEFESTO_DATABASE_URL": sqlite_url,
        "HEFESTO_AUTH": "required",
        "HEFESTO_SECRET_KEY": SECRET_KEY,
    }
    made = Team(runtimes.build(all_settings.load(environ, tmp_path)))
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()
    made.runtime.close()


@pytest.mark.enable_socket
def test_a_key_opens_the_service_for_what_it_may(hefesto: Hefesto, team: Team) -> None:
    def push(**environ: Any) -> tuple[int, str]:
        done = hefesto("analyze", ".", "--push", team.url, "--project", "shop", **environ)
        return done.returncode, done.stderr

    status, said = push()
    assert (status, "401" in said, "HEFESTO_API_KEY" in said) == (3, True, True)
    status, said = push(HEFESTO_API_KEY=team.key("viewer"))
    assert (status, "403" in said) == (3, True)
    status, said = push(HEFESTO_API_KEY=team.key("developer", "bank"))
    assert (status, "404" in said) == (3, True)
    status, said = push(HEFESTO_API_KEY=team.key("developer", "shop"))
    assert (status, "2 new" in said) == (0, True), said
    listed = team.client.get(
        "/api/v1/findings?project=shop", headers={"Authorization": f"Bearer {team.key('viewer', 'shop')}"}
    )
    assert listed.get_json()["data"]["total_count"] == 2
