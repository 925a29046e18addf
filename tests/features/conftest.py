"""What tests of features share: a client whose analyses are worked off in the background, and its tree."""

from __future__ import annotations

import shutil
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api import runtime as runtimes
from hefesto_api import settings as all_settings
from hefesto_api.analyzers import engine
from hefesto_api.app import create_app
from hefesto_api.worker import Worker
from tests import lending
from tests.answers import data_of
from tests.databases import db, db_kind, db_template, db_url  # noqa: F401 - fixtures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from flask.testing import FlaskClient
    from hefesto_api.runtime import Runtime


class Service:
    """An application on a migrated database, with a folder that it may analyse."""

    def __init__(self, runtime: Runtime, root: Path) -> None:
        self.runtime = runtime
        self.root = root
        self.client: FlaskClient = create_app(runtime=runtime).test_client()
        self.worker = Worker(runtime, slots=1)
        self._thread: threading.Thread | None = None

    def work(self) -> None:
        """Work jobs off in the background from now on."""
        self._thread = threading.Thread(target=self.worker.run)
        self._thread.start()

    def end(self) -> None:
        """Stop the worker."""
        self.worker.stop()
        if self._thread is not None:
            self._thread.join()
        else:
            self.worker.close()

    def write(self, path: str, text: str) -> None:
        """Write a file of the tree."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def analyze(self, path: str = ".", **wanted: Any) -> dict[str, Any]:
        """Analyse a path of the tree and return the answer's data."""
        asked = {"path": path, "severity_threshold": "LOW", **wanted}
        answer = self.client.post("/api/v1/analyze", json=asked)
        assert answer.status_code == 200, answer.get_json()
        data: dict[str, Any] = data_of(answer)
        assert data["status"] == "completed"
        return data

    def get(self, path: str, **query: Any) -> Any:
        """Return the data of a GET."""
        return data_of(self.client.get(f"/api/v1{path}", query_string=query))

    def finding(self, rule_id: str, **query: Any) -> dict[str, Any]:
        """Return the one finding of a rule, whatever its status."""
        listed = self.get("/findings", rule_id=rule_id, status="all", **query)["findings"]
        assert len(listed) == 1, listed
        found: dict[str, Any] = self.get(f"/findings/{listed[0]['id']}")
        return found


@pytest.fixture(autouse=True, scope="module")
def children_lent() -> Iterator[None]:
    """Let parser children go on from test to test of a file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "ParserChild", lending.LentChild)
        yield
    lending.end_idle()


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A migrated SQLite database without rows."""
    shutil.copy(sqlite_template, tmp_path / "one.db")
    return f"sqlite:///{tmp_path / 'one.db'}"


@pytest.fixture
def make_service(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Make services on databases of one's own."""
    made: list[Service] = []

    def make(url: str, **settings: str) -> Service:
        (tmp_path / "src").mkdir()
        environ = {
            "HEFESTO_DATABASE_URL": url,
            "HEFESTO_ROOTS": str(tmp_path / "src"),
            "HEFESTO_ANALYSIS_PROCESSES": "1",
            "HEFESTO_RATE_LIMITS": "off",  # tests ask more in a minute than anybody may
            "HEFESTO_PASSWORD_MEMORY_MB": "1",
            "HEFESTO_SECRET_KEY": "the key of every service that tests make",
            **settings,
        }
        made.append(Service(runtimes.build(all_settings.load(environ, tmp_path)), tmp_path / "src"))
        return made[-1]

    yield make
    for service in made:
        service.end()
        service.runtime.close()


@pytest.fixture
def idle(make_service: Callable[..., Service], sqlite_url: str) -> Service:
    """A service on SQLite that nobody works the jobs off for, and at which nobody waits long."""
    return make_service(sqlite_url, HEFESTO_WAIT_SECONDS="0.05")


@pytest.fixture
def service(make_service: Callable[..., Service], sqlite_url: str) -> Service:
    """A service on SQLite whose jobs are worked off."""
    made = make_service(sqlite_url)
    made.work()
    return made


@pytest.fixture
def any_service(make_service: Callable[..., Service], db_url: str) -> Service:  # noqa: F811 - that fixture
    """A service whose jobs are worked off, on each database in turn."""
    made = make_service(db_url)
    made.work()
    return made
