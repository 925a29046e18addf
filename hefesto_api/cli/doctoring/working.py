"""Mistakes of what runs: the database, the queue and its workers, Redis, the broker, the clock."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hefesto_api.cli.doctoring.values import Complaint, Patient, error, warning
from hefesto_api.domain import clock
from hefesto_api.domain.errors import StorageError
from hefesto_api.storage import clocks, jobs, migrate, workers
from hefesto_api.storage.integrity import Integrity

ALIVE_SECONDS = 90.0
STUCK_SECONDS = 300.0
SKEW_SECONDS = 5.0
_REACH_SECONDS = 2.0
_BUILT = datetime(2026, 1, 1, tzinfo=UTC)
_PORTS = {"redis": 6379, "rediss": 6379, "amqp": 5672, "amqps": 5671, "pyamqp": 5672, "sentinel": 26379}


def schema(patient: Patient) -> Iterator[Complaint]:
    """Whether the database answers, and is of this version."""
    if patient.db.is_sqlite and not Path(str(patient.db.url.database)).is_file():
        what = f"There is no database at {patient.db.url.database} yet."
        yield warning(what, "`hefesto serve` makes one there when it starts.", "hefesto db upgrade")
        return
    try:
        at = migrate.current(patient.db)
    except StorageError as problem:
        reason = problem.details.get("reason")
        cure = "hefesto db restore BACKUP" if reason == "damaged" else "hefesto db check"
        if not patient.db.is_sqlite:
            cure = f"pg_isready -h {patient.db.url.host or 'localhost'} -p {patient.db.url.port or 5432}"
        yield error(f"The database does not answer: {problem.message}", "Nothing works without it.", cure)
        return
    if at not in migrate.known_revisions():
        yield error(
            f"The database is of a newer version of Hefesto ({at}) than this ({migrate.HEAD}).",
            "This version refuses to use it.",
            "pip install --upgrade hefesto-api",
        )
    elif at != migrate.HEAD:
        behind = "has no tables yet" if at is None else f"is at {at}, this version needs {migrate.HEAD}"
        yield error(f"The database {behind}.", "Every request is answered 503.", "hefesto db upgrade")


def damage(patient: Patient) -> Iterator[Complaint]:
    """Whether the database's file fits together, as far as a few seconds tell."""
    if not patient.db.is_sqlite or not Path(str(patient.db.url.database)).is_file():
        return
    try:
        found = Integrity(patient.db).look()
    except StorageError as problem:
        yield error(
            f"The database's file cannot be read: {problem.message}", "Nothing works without it.", "df -h"
        )
        return
    if found.problems:
        yield error(
            f"The database's file is damaged: {found.problems[0]}.",
            "What is on the damaged pages is lost, and more may be lost by writing on.",
            "hefesto db check; then stop the service and: hefesto db restore BACKUP",
        )


def queue(patient: Patient) -> Iterator[Complaint]:
    """Whether somebody works the queue off."""
    if not patient.answers:
        return
    with patient.db.read() as session:
        alive = workers.alive(session, ALIVE_SECONDS)
        standing = jobs.standing(session)
    late = {kind: age for (kind, status), (_, age) in standing.items() if status == "queued"}
    oldest = max(late.values(), default=0.0)
    dead = sum(number for (_, status), (number, _) in standing.items() if status == "dead")
    if late and not alive:
        yield error(
            f"{sum(standing[kind, 'queued'][0] for kind in late)} jobs wait, and no worker is alive.",
            "Analyses, alerts and webhooks are accepted and not worked off.",
            "hefesto worker (or `hefesto serve` without --no-worker)",
        )
    elif oldest > STUCK_SECONDS:
        kind = max(late, key=lambda name: late[name])
        yield error(
            f"A job ({kind}) has been due for {oldest:.0f} seconds, though {len(alive)} workers are alive.",
            "The workers are stuck, or too few.",
            "systemctl restart hefesto-worker; then: hefesto worker --slots 4",
        )
    if dead:
        yield warning(
            f"{dead} jobs were given up.",
            "What they were to do was not done; GET /api/v1/system/jobs says why.",
            "curl -X POST http://127.0.0.1:8080/api/v1/system/jobs/ID/retry",
        )


def redis(patient: Patient) -> Iterator[Complaint]:
    """Whether the Redis that the settings name answers."""
    url = patient.settings.redis_url
    if not url:
        return
    if importlib.util.find_spec("redis") is None:
        yield error(
            "HEFESTO_REDIS_URL is set, and the library for it is not installed.",
            "The service does not start.",
            "pip install 'hefesto-api[redis]'",
        )
        return
    why = "Limits count on each host alone, and each process has only what it keeps itself."
    complaints = list(_unreachable("HEFESTO_REDIS_URL", url, why))
    yield from complaints
    if complaints:
        return
    library: Any = importlib.import_module("redis")
    try:
        with closing(library.Redis.from_url(url, socket_timeout=_REACH_SECONDS)) as asked:
            asked.ping()
    except library.RedisError as problem:
        what = f"HEFESTO_REDIS_URL: what answers there refuses ({type(problem).__name__})."
        yield error(what, why, "redis-cli -u $HEFESTO_REDIS_URL ping")


def broker(patient: Patient) -> Iterator[Complaint]:
    """Whether the broker that the settings name can be reached."""
    if patient.settings.broker_url:
        why = "Workers look for jobs themselves, once a second, instead of being told."
        yield from _unreachable("HEFESTO_BROKER_URL", patient.settings.broker_url, why)


def time_of_day(patient: Patient) -> Iterator[Complaint]:
    """Whether the clock is right: against the database's, the disk's, and what is on record."""
    cure = "timedatectl set-ntp true"
    now = clock.now()
    if now < _BUILT:
        yield error(f"The clock says {now:%Y-%m-%d}.", "Tokens and signatures are judged by it.", cure)
    skew = _disk_skew()
    if abs(skew) > SKEW_SECONDS:
        yield error(
            f"The clock of the disk of temporary files is {skew:+.0f} s off ours.",
            "Files seem to be changed at other times than they were: changes are overlooked.",
            cure,
        )
    if not patient.answers:
        return
    with patient.db.read() as session:
        ahead = ((clocks.of_latest_entry(session) or now) - now).total_seconds()
        theirs = clocks.of_database(session)
    if theirs is not None and abs(off := (theirs - clock.now()).total_seconds()) > SKEW_SECONDS:
        yield error(
            f"The clock of the database's machine is {off:+.0f} s off ours.",
            "Leases of jobs end too early or too late; signatures are refused.",
            cure,
        )
    if ahead > SKEW_SECONDS:
        yield error(
            f"The latest entry of the database is {timedelta(seconds=round(ahead))} ahead of the clock.",
            "The clock was put back, or that of another machine is ahead: jobs seem not to be due yet.",
            cure,
        )


def programs(patient: Patient) -> Iterator[Complaint]:
    """What is needed besides, by what is set."""
    settings = patient.settings
    if not patient.db.is_sqlite and shutil.which("pg_dump") is None:
        yield warning(
            "pg_dump is not installed.",
            "`hefesto db backup` and `restore` cannot do their work.",
            "apt-get install postgresql-client",
        )
    if settings.traced and importlib.util.find_spec("opentelemetry.sdk") is None:
        yield error(
            "OpenTelemetry's variables name a collector, and the library for it is not installed.",
            "No traces are told.",
            "pip install 'hefesto-api[otel]'",
        )


def _unreachable(name: str, url: str, why: str) -> Iterator[Complaint]:
    parts = urlsplit(url)
    place: str | tuple[str, int] = parts.path
    kind = socket.AF_UNIX
    if parts.scheme != "unix":
        place = (parts.hostname or "localhost", parts.port or _PORTS.get(parts.scheme, 6379))
        kind = socket.AF_INET
    shown = parts.path if parts.scheme == "unix" else f"{place[0]}:{place[1]}"
    try:
        if kind == socket.AF_UNIX:
            with socket.socket(kind, socket.SOCK_STREAM) as probe:
                probe.settimeout(_REACH_SECONDS)
                probe.connect(place)
        else:
            socket.create_connection(place, _REACH_SECONDS).close()  # type: ignore[arg-type]
    except OSError as problem:
        cure = f"nc -vz {shown.replace(':', ' ')}" if kind == socket.AF_INET else f"ls -l {shown}"
        yield error(f"{name}: nobody answers at {shown} ({problem.strerror or problem}).", why, cure)


def _disk_skew() -> float:
    """Return by how many seconds the disk of temporary files is ahead of the clock."""
    try:
        with tempfile.NamedTemporaryFile() as file:
            before = time.time()
            os.utime(file.fileno())
            return Path(file.name).stat().st_mtime - before
    except OSError:
        return 0.0
