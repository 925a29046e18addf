"""The doctor: each of the usual mistakes is planted, and told with what cures it."""

from __future__ import annotations

import importlib.util
import json
import os
import resource
import shutil
import socket
import socketserver
import sqlite3
import threading
from collections import namedtuple
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from hefesto_api import runtime as runtimes
from hefesto_api import settings as all_settings
from hefesto_api.analyzers import registry
from hefesto_api.cli import main
from hefesto_api.cli.doctoring import places, working
from hefesto_api.domain import clock
from hefesto_api.storage import jobs, sqlite, workers
from hefesto_api.web import frontend
from tests.features.conftest import sqlite_url  # noqa: F401 - fixtures
from tests.features.test_health import scratch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click.testing import Result
    from hefesto_api.storage.database import Database

KEY = "a key that nobody guesses 9482610375"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - told to the doctor, bound by nobody
AWAY = "postgresql://127.0.0.1:1/x"
ADMIN = "hefesto keys create --name first --scope admin"
Usage = namedtuple("Usage", "total used free")


class Clinic:
    """An installation and its doctor."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.database = folder / "one.db"
        self.environ = {"HEFESTO_DATABASE_URL": url, "HEFESTO_ROOTS": str(folder / "src")}

    def run(self, *words: str, **environ: str) -> Result:
        """Call the doctor."""
        result = CliRunner().invoke(main, ["doctor", *words], env=self.environ | environ)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        return result

    def complaints(self, **environ: str) -> dict[str, dict[str, Any]]:
        """Return the first complaint of each check that has any."""
        told = json.loads(self.run("--format", "json", **environ).stdout)
        return {one["check"]: one["complaints"][0] for one in told["checks"] if one["complaints"]}

    def db(self) -> Database:
        """Open the database."""
        return runtimes.build(all_settings.load(self.environ, self.folder)).db


@pytest.fixture
def clinic(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clinic]:  # noqa: F811
    """A sound installation in a folder of its own, on a machine whose page is built."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("HEFESTO_", "OTEL_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(frontend, "built", lambda: object())
    (tmp_path / "src").mkdir()
    tmp_path.chmod(0o700)
    (tmp_path / "one.db").chmod(0o600)
    yield Clinic(tmp_path, sqlite_url)


def test_a_sound_installation_is_left_alone(clinic: Clinic) -> None:
    result = clinic.run()
    assert result.exit_code == 0, result.output
    assert "0 in error, 0 with a warning" in result.stdout
    assert clinic.complaints() == {}
    assert json.loads(clinic.run("--format", "json").stdout)["healthy"] is True


def test_nothing_is_made_where_nothing_is(clinic: Clinic) -> None:
    told = clinic.complaints(HEFESTO_DATABASE_URL=f"sqlite:///{clinic.folder}/none/hefesto.db")
    assert told["schema"]["cure"] == "hefesto db upgrade"
    assert not (clinic.folder / "none").exists()


@pytest.mark.parametrize(
    ("check", "environ", "what", "cure"),
    [
        ("settings", {"HEFESTO_ROOT": "/x"}, "HEFESTO_ROOT is not a setting", "unset HEFESTO_ROOT"),
        ("settings", {"HEFESTO_THREADS": "many"}, "HEFESTO_THREADS", "unset HEFESTO_THREADS"),
        ("settings", {"HEFESTO_SECRET_KEY": "short"}, "HEFESTO_SECRET_KEY", "unset HEFESTO_SECRET_KEY"),
        ("access", {"HEFESTO_AUTH": "open", "HEFESTO_HOST": EVERYWHERE}, "AUTH=open", "AUTH=required"),
        ("access", {"HEFESTO_AUTH": "open", "HEFESTO_ENV": "production"}, "AUTH=open", "AUTH=required"),
        ("access", {"HEFESTO_HOST": EVERYWHERE}, "not set", "HEFESTO_AUTH=required"),
        ("access", {"HEFESTO_AUTH": "required"}, "no admin", ADMIN),
        ("secret_key", {"HEFESTO_ENV": "production"}, "HEFESTO_SECRET_KEY is not set", "HEFESTO_SECRET_KEY"),
        ("secret_key", {"HEFESTO_DATABASE_URL": AWAY}, "not set", "HEFESTO_SECRET_KEY="),
        ("secret_key", {"HEFESTO_SECRET_KEY": "changeme" * 4 + "qxz"}, "copied", "rotate-secret"),
        ("proxies", {"HEFESTO_TRUSTED_PROXIES": "0.0.0.0/0"}, "0.0.0.0/0", "HEFESTO_TRUSTED_PROXIES="),
        ("proxies", {"HEFESTO_ENV": "production"}, "TRUSTED_PROXIES is not set", "HEFESTO_TRUSTED_PROXIES="),
        ("roots", {"HEFESTO_ROOTS": "/nowhere/at/all"}, "/nowhere/at/all", "mkdir -p /nowhere/at/all"),
        ("log_file", {"HEFESTO_LOG_FILE": "/dev"}, "HEFESTO_LOG_FILE", "install -d"),
        ("schema", {"HEFESTO_DATABASE_URL": AWAY}, "does not answer", "pg_isready"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_settings(
    clinic: Clinic, check: str, environ: dict[str, str], what: str, cure: str
) -> None:
    told = clinic.complaints(**environ)[check]
    assert what in told["what"]
    assert cure in told["cure"]
    assert told["why"]


def test_private_networks_may_hold_proxies(clinic: Clinic) -> None:
    assert "proxies" not in clinic.complaints(HEFESTO_TRUSTED_PROXIES="172.16.0.0/12,10.0.0.0/8,unix")


def test_files_that_others_can_read(clinic: Clinic) -> None:
    clinic.database.chmod(0o644)
    (clinic.folder / "secret.key").write_text(f"{KEY}\n")
    (clinic.folder / "secret.key").chmod(0o640)
    (clinic.folder / ".env").write_text(f"HEFESTO_SECRET_KEY={KEY}\n")
    (clinic.folder / ".env").chmod(0o604)
    told = clinic.complaints()
    for check in ("permissions", "secret_key", "env_file"):
        assert "can be read by other accounts" in told[check]["what"]
        assert told[check]["cure"].startswith("chmod 600")
    assert clinic.run().exit_code == 1
    assert KEY not in clinic.run().stdout


def test_a_folder_that_others_may_write_to(clinic: Clinic) -> None:
    clinic.folder.chmod(0o777)
    assert clinic.complaints()["permissions"]["cure"] == f"chmod 700 {clinic.folder}"


def test_sqlite_on_the_network(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = clinic.folder / "mounts"
    mounts.write_text(f"/dev/sda / ext4 rw 0 0\nserver:/x {os.path.realpath(clinic.folder)} nfs4 rw 0 0\n")
    monkeypatch.setattr(places, "MOUNTS", mounts)
    told = clinic.complaints()["file_system"]
    assert "nfs4" in told["what"]
    assert "HEFESTO_DATABASE_URL" in told["cure"]


def test_a_sqlite_that_damages_files(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite.library(), "sqlite_version_info", (3, 40, 1))
    assert "pysqlite3" in clinic.complaints()["sqlite"]["cure"]


def test_a_disk_that_is_nearly_full(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(100 << 30, 99 << 30, 1 << 30))
    assert "1024 MB left" in clinic.complaints()["disk"]["what"]


def test_a_schema_that_is_behind_or_ahead(clinic: Clinic) -> None:
    for revision, cure in (("0001", "hefesto db upgrade"), ("9999", "pip install --upgrade hefesto-api")):
        with closing(sqlite3.connect(clinic.database)) as db, db:
            db.execute("UPDATE alembic_version SET version_num = ?", (revision,))
        assert clinic.complaints()["schema"]["cure"] == cure


def test_a_damaged_page(clinic: Clinic) -> None:
    scratch(clinic.database, "users")
    told = clinic.complaints()["damage"]
    assert "damaged" in told["what"]
    assert "hefesto db restore" in told["cure"]
    assert clinic.run().exit_code == 1
    checked = CliRunner().invoke(main, ["db", "check"], env=clinic.environ)
    assert (checked.exit_code, "hefesto db restore" in checked.output) == (1, True)


def test_a_clock_that_was_put_back(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    db = clinic.db()
    with db.write() as session:
        jobs.enqueue(session, "sweep", {}, run_at=clock.now() + timedelta(days=1))
    db.close()
    assert "clock" not in clinic.complaints()
    before = clock.now() - timedelta(hours=2)
    monkeypatch.setattr(clock, "now", lambda: before)
    assert "ahead of the clock" in clinic.complaints()["clock"]["what"]
    monkeypatch.setattr(working, "_disk_skew", lambda: 60.0)
    assert "+60 s off" in clinic.complaints()["clock"]["what"]


def test_a_queue_that_nobody_works_off(clinic: Clinic) -> None:
    db = clinic.db()
    with db.write() as session:
        jobs.enqueue(session, "analysis", {}, run_at=clock.now() - timedelta(minutes=10))
    assert "no worker is alive" in clinic.complaints()["queue"]["what"]
    with db.write() as session:
        workers.register(session, "here", 1, 1)
    assert "analysis" in clinic.complaints()["queue"]["what"]
    with db.write() as session:
        session.execute(jobs.jobs.update().values(status="dead"))
    db.close()
    assert "retry" in clinic.complaints()["queue"]["cure"]


def test_redis_and_a_broker_that_nobody_answers_at(clinic: Clinic) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))  # taken, and nobody listens
        place = f"127.0.0.1:{probe.getsockname()[1]}"
        told = clinic.complaints(
            HEFESTO_REDIS_URL=f"redis://:hunter2@{place}/0", HEFESTO_BROKER_URL=f"amqp://u:hunter2@{place}//"
        )
    for check in ("redis", "broker"):
        assert place in told[check]["what"]
        assert "hunter2" not in str(told[check])


@pytest.mark.enable_socket
def test_a_redis_that_refuses(clinic: Clinic) -> None:
    class Refusing(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while self.request.recv(4096):
                self.request.sendall(b"-NOAUTH Authentication required.\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Refusing) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        told = clinic.complaints(HEFESTO_REDIS_URL=f"redis://127.0.0.1:{server.server_address[1]}/0")
        server.shutdown()
    assert "refuses" in told["redis"]["what"]


def test_a_page_that_was_not_built(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frontend, "built", lambda: None)
    assert clinic.complaints()["page"]["cure"] == "make dashboard"


def test_few_open_files(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 1024))
    assert "ulimit -n" in clinic.complaints()["open_files"]["cure"]


def test_a_tool_that_does_not_work(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "availability", lambda: {"ruff": "unavailable"})
    assert "ruff" in clinic.complaints()["analyzers"]["what"]


def test_a_history_that_cannot_be_used(clinic: Clinic) -> None:
    (clinic.folder / "src" / ".git").write_text("gitdir: /nowhere\n")
    assert "git" in clinic.complaints()["git"]["cure"]


def test_traces_without_their_library(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    told = clinic.complaints(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:4318")
    assert told["programs"]["cure"] == "pip install 'hefesto-api[otel]'"


def test_one_check_that_fails_does_not_end_the_others(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(shutil, "disk_usage", broken)
    clinic.database.chmod(0o644)
    told = clinic.complaints()
    assert "Permission denied" in told["disk"]["what"]
    assert "permissions" in told
