"""Whether anybody reads older data than a write that was acknowledged, or than somebody has read already.

    python -m benchmarks.staleness [--seconds 60] [--only sqlite,redis] [--server postgresql://...] [--plant]

Two services of two processes each, on one database: as two hosts would be with PostgreSQL. Eight writers
change registers (names of projects, decisions about findings) and eight readers read them, singly and in
lists, by connections to all processes. Each register has one writer and only grows, so that this is
linearizability: a read that began after a write was acknowledged, or after another read had seen a value,
answers that value or a later one, and none that was not begun to be written.

Four times: SQLite and PostgreSQL, each without and with a Redis of its own, which is killed every few seconds
and comes back empty. `--plant` serves with a cache that looks for changes once a second only: stale reads are
then expected. Exit status 1 when there is a stale read (with `--plant`: when there is none).
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import shutil
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from msgspec import Struct, field

from benchmarks.security.cost import command
from benchmarks.security.limits import Redis
from benchmarks.service import SERVE, Service, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    Connection = http.client.HTTPConnection

SERVICES: Final = 2
PROJECTS: Final = 4
WRITERS: Final = 8
READERS: Final = 8
KILL_EVERY: Final = 4.0
POSTGRESQL: Final = "postgresql+psycopg://postgres@127.0.0.1:5432/"
ROOT: Final = Path(__file__).parents[1]
PLANTED: Final = (
    *(sys.executable, "-m", "gunicorn", "-c", "python:hefesto_api.web.server", "--pythonpath", str(ROOT)),
    *("--workers", "2", "--threads", "4", "--bind", "127.0.0.1:{port}", "benchmarks.staleness_planted:app"),
)


class Register(Struct):
    """Something with a value that one writer makes grow; `path` and `listed` are where it is read."""

    name: str
    path: str
    listed: str
    begun: int = 0
    floor: int = 0  # what was acknowledged, or read by somebody


class Record(Struct):
    """What was seen."""

    reads: int = 0
    writes: int = 0
    refused: int = 0
    kills: int = 0
    stale: list[str] = field(default_factory=list)
    ports: set[int] = field(default_factory=set)


def main() -> int:
    """Run everything and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--only", default="", help="words that a run's name holds, separated by commas")
    parser.add_argument("--server", default=os.environ.get("HEFESTO_TEST_POSTGRESQL", POSTGRESQL))
    parser.add_argument("--plant", action="store_true")
    asked = parser.parse_args()
    runs = [f"{database}{redis}" for database in ("sqlite", "postgresql") for redis in ("", " with redis")]
    wanted = [run for run in runs if all(word in run for word in asked.only.split(","))]
    good = True
    for run in wanted:
        with ExitStack() as stack:
            record = checked(stack, run, asked)
        told = f"{record.writes:,} writes, {record.reads:,} reads, {record.refused} refused"
        killed = f", Redis killed {record.kills} times" if record.kills else ""
        print(f"{run:24}{told}{killed}: {len(record.stale)} stale")
        for one in record.stale[:3]:
            print(f"    {one}")
        good &= bool(record.stale) == asked.plant and record.reads > 0 and record.writes > 0
    return 0 if good else 1


def checked(stack: ExitStack, run: str, asked: argparse.Namespace) -> Record:
    """Write and read for some time; return what was seen."""
    record = Record()
    services, redis = started(stack, run, asked)
    registers = list(made(services[0]))
    until = time.monotonic() + asked.seconds
    threads = [
        threading.Thread(target=write, args=(services, registers[number::WRITERS], number, until, record))
        for number in range(WRITERS)
    ]
    threads += [
        threading.Thread(target=read, args=(services, registers, number, until, record))
        for number in range(READERS)
    ]
    if redis is not None:
        threads.append(threading.Thread(target=torment, args=(redis, until, record)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return record


def started(stack: ExitStack, run: str, asked: argparse.Namespace) -> tuple[list[Service], Redis | None]:
    """Start the services on one database, and their Redis."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hefesto-staleness-")))
    environ = {"HEFESTO_ENV": "development", "HEFESTO_RATE_LIMITS": "off"}
    if "postgresql" in run:
        environ["HEFESTO_DATABASE_URL"] = own_database(stack, asked.server)
    redis = None
    if "redis" in run:
        program = shutil.which("redis-server")
        if program is None:
            raise SystemExit("redis-server is not installed")
        redis = Redis(program, folder)
        redis.start()
        stack.callback(redis.kill)
        environ["HEFESTO_REDIS_URL"] = f"redis://127.0.0.1:{redis.port}/0"
    argv = PLANTED if asked.plant else [*SERVE, "--workers", "2", "--threads", "4", "--no-worker"]
    services = [Service(folder, folder, argv, environ) for _ in range(SERVICES)]
    command(services[0], "db", "upgrade")
    for service in services:
        service.start()
        stack.callback(service.kill)
    return services, redis


def own_database(stack: ExitStack, server: str) -> str:
    """Make a database that is gone afterwards; return its URL."""
    name = f"hefesto_staleness_{os.getpid()}_{free_port()}"
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)

    def run(statement: str) -> None:
        with engine.connect() as session:
            session.exec_driver_sql(statement)

    run(f'CREATE DATABASE "{name}"')
    stack.callback(run, f'DROP DATABASE "{name}" WITH (FORCE)')
    return sa.make_url(server).set(database=name).render_as_string(hide_password=False)


def made(service: Service) -> Iterator[Register]:
    """Make projects with a finding each, and yield their registers."""
    for number in range(PROJECTS):
        slug = f"project-{number}"
        service.call("POST", "/api/v1/projects", {"slug": slug, "name": "0"})
        yield Register(f"name of {slug}", f"/api/v1/projects/{slug}", "/api/v1/projects")
        service.call("POST", f"/api/v1/findings/import?project={slug}", sarif(number))
        (finding,) = service.call("GET", f"/api/v1/findings?project={slug}")["findings"]
        path = f"/api/v1/findings/{finding['id']}"
        first = len(service.call("GET", path)["history"])
        listed = f"/api/v1/findings?project={slug}&status=all"
        yield Register(f"history of {slug}", path, listed, begun=first, floor=first)


def sarif(number: int) -> dict[str, Any]:
    """Return a report of one finding."""
    place = {"artifactLocation": {"uri": f"a{number}.py"}, "region": {"startLine": 1}}
    result = {"ruleId": "X1", "message": {"text": "found"}, "locations": [{"physicalLocation": place}]}
    return {
        "version": "2.1.0",
        "runs": [{"tool": {"driver": {"name": "other"}}, "results": [result]}],
    }


def write(
    services: list[Service], registers: list[Register], number: int, until: float, record: Record
) -> None:
    """Make registers grow, one write after the other, now at one service, now at another."""
    chance = random.Random(f"writer {number}")  # noqa: S311 - no secret
    connections = [connected(service) for service in services]
    while time.monotonic() < until and registers:
        register = chance.choice(registers)
        value = register.begun + 1
        register.begun = value
        body: dict[str, Any] = {"name": str(value)}
        if register.name.startswith("history"):
            body = {"status": ("acknowledged", "reopen")[value % 2], "comment": str(value)}
        answer = ask(connections, chance, "PATCH", register.path, body)
        if answer is None:  # nobody knows whether it was done: read on from what there is
            record.refused += 1
            return
        register.floor = max(register.floor, value)
        record.writes += 1
        time.sleep(chance.random() * 0.1)


def read(
    services: list[Service], registers: list[Register], number: int, until: float, record: Record
) -> None:
    """Read registers, and hold each answer to what was known when it was asked for."""
    chance = random.Random(f"reader {number}")  # noqa: S311 - no secret
    connections = [connected(service) for service in services for _ in range(3)]
    while time.monotonic() < until:
        register = chance.choice(registers)
        by_list = register.name.startswith("name") and chance.random() < 0.5
        floor = register.floor
        data = ask(connections, chance, "GET", register.listed if by_list else register.path)
        most = register.begun
        if data is None:
            record.refused += 1
            continue
        value = value_of(register, data, by_list=by_list)
        record.reads += 1
        if not floor <= value <= most:
            record.stale.append(f"{register.name}: {value} was read where {floor} was known, {most} begun")
        register.floor = max(register.floor, value)


def value_of(register: Register, data: Any, *, by_list: bool) -> int:
    """Return a register's value from an answer."""
    if by_list:
        slug = register.path.rpartition("/")[2]
        data = next(one for one in data["projects"] if one["slug"] == slug)
    return len(data["history"]) if register.name.startswith("history") else int(data["name"])


def connected(service: Service) -> Connection:
    """Return a connection that stays with one process of a service."""
    return http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)


def ask(
    connections: list[Connection], chance: random.Random, method: str, path: str, body: Any = None
) -> Any:
    """Ask by one of some connections; None for what was refused."""
    connection = chance.choice(connections)
    sent = None if body is None else json.dumps(body)
    for attempt in range(2):
        try:
            connection.request(method, path, sent, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            told = json.loads(answer.read())
        except (http.client.HTTPException, OSError):
            connection.close()  # an idle one was closed; a write may have been done, and is not sent again
            if method != "GET" or attempt:
                return None
        else:
            return told["data"] if answer.status == 200 else None
    return None


def torment(redis: Redis, until: float, record: Record) -> None:
    """Kill Redis every few seconds, and start it again, empty."""
    while time.monotonic() < until - KILL_EVERY:
        time.sleep(KILL_EVERY / 2)
        redis.kill()
        record.kills += 1
        time.sleep(KILL_EVERY / 2)
        redis.start()


if __name__ == "__main__":
    sys.exit(main())
