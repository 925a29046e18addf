"""Kept answers beside FastAPI as it is usually written, a stampede, and how often there is one.

    python -m benchmarks.cache [--findings 10000] [--seconds 4] [--rounds 3] [--part speed|stampede|hits]

*speed*: the page of 50 findings, asked for with an API key by 16 connections that take no compressed answers:
bare Flask, FastAPI with an ORM session and a key's look-up for each request, ours without and with the cache;
a worker process each, limits on (and never reached). Rounds are interleaved; the figure is the CPU time that
an answer takes the server, the median of the rounds, since others may share the machine.
*stampede*: 32 ask at once for what nobody keeps, of two processes; how often it was made.
*hits*: readers choose among 100 projects by Zipf's law, four kinds of answers each; 2% or 20% of the requests
change a finding of such a project. Exit status 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import sys
import tempfile
import threading
from contextlib import ExitStack
from itertools import accumulate
from pathlib import Path
from statistics import median
from typing import Any, Final

from hefesto_api.storage.database import open_database

from benchmarks import corpora, finding_rows, limits
from benchmarks.load import generator as load
from benchmarks.security.cost import ENDLESS, Round, command
from benchmarks.security.limits import SECRET_KEY
from benchmarks.service import SERVE, Service
from benchmarks.serving import HERE, environment

FASTAPI_TARGET: Final = 10.0
HITS_TARGET: Final = 0.8
LIST: Final = f"/api/v1/findings?project={finding_rows.slug(0)}&status=open"
KEYED: Final = LIST.replace("findings?", "keyed-findings?")
STAMPEDE: Final = 32
REQUESTS: Final = 12_000
CLIENTS: Final = 4
READS: Final = (
    "/api/v1/findings?project={slug}",
    "/api/v1/findings?project={slug}&severity=HIGH",
    "/api/v1/metrics/summary?project={slug}",
    "/api/v1/metrics/trends?project={slug}",
)


def main() -> int:
    """Measure and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cache", type=Path, default=corpora.default_cache())
    parser.add_argument("--findings", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--part", choices=("speed", "stampede", "hits"), action="append")
    asked = parser.parse_args()
    parts = {"speed": speed, "stampede": stampede, "hits": hits}
    met = True
    for name in asked.part or parts:
        with ExitStack() as stack:
            met &= parts[name](stack, asked)
    return 0 if met else 1


def speed(stack: ExitStack, asked: argparse.Namespace) -> bool:
    """Compare what a kept answer takes; tell whether the target was met."""
    kept, key = ours(stack, asked, workers=1)
    made, other_key = ours(stack, asked, workers=1, HEFESTO_CACHE_SIZE="0")
    fastapi = beside(stack, asked, "usual_fastapi", kept)
    flask = bare_flask(stack)
    targets = {
        "bare Flask": (flask, "/", ()),
        "FastAPI, key": (fastapi, KEYED, (key,)),
        "ours, made": (made, LIST, (other_key,)),
        "ours, kept": (kept, LIST, (key,)),
        "ours, kept, zstd": (kept, LIST, (key, "Accept-Encoding: zstd, gzip")),
    }
    print(f"contention {limits.contention():.2f}; the load's own limit {load.own_limit().rate:,.0f}/s")
    for server, path, headers in targets.values():
        load.run(server.port, path, seconds=1.0, headers=headers)  # so that all are warm
    found: dict[str, list[Round]] = {name: [] for name in targets}
    for _ in range(asked.rounds):
        for name, (server, path, headers) in targets.items():
            found[name].append(measured(server, path, headers, asked.seconds))
    took = {name: median(one.cpu for one in rounds) for name, rounds in found.items()}
    for name, rounds in found.items():
        best = max((one.load for one in rounds), key=lambda one: one.rate)
        by_flask, by_fastapi = (took[other] / took[name] for other in ("bare Flask", "FastAPI, key"))
        print(
            f"{name:18}{took[name]:7,.0f} us of CPU an answer: {by_flask:5.2f} x Flask, "
            f"{by_fastapi:5.2f} x FastAPI; "
            f"at best {best.rate:,.0f}/s, p50 {best.p50:.1f} ms; {best.size} bytes"
        )
    met = took["ours, kept"] * FASTAPI_TARGET <= took["FastAPI, key"]
    print("target met" if met else f"wanted: {FASTAPI_TARGET} x FastAPI")
    return met


def measured(service: Service, path: str, headers: tuple[str, ...], seconds: float) -> Round:
    """Put load on a service and return what an answer took."""
    before = service.cpu_seconds()
    seen = load.run(service.port, path, seconds=seconds, headers=headers)
    return Round((service.cpu_seconds() - before) / (seen.rate * seconds) * 1e6, seen)


def stampede(stack: ExitStack, asked: argparse.Namespace) -> bool:
    """Ask at once for what nobody keeps; tell whether it was made once each time."""
    service, key = ours(stack, asked, workers=2)
    worst = 0
    for number in range(20):
        path = f"/api/v1/metrics/summary?project={finding_rows.slug(number)}"
        before = counted(service, key, "made")
        ask_at_once(service, key, path)
        made = counted(service, key, "made") - before
        worst = max(worst, made)
    print(f"{STAMPEDE} at once, two processes, 20 times: made {worst} times at most")
    return worst == 1


def hits(stack: ExitStack, asked: argparse.Namespace) -> bool:
    """Mix reads and writes; tell whether enough was kept."""
    rates = {}
    for share in (0.02, 0.2):
        own = stack.enter_context(ExitStack())
        service, key = ours(own, asked, workers=2)
        of_projects = finding_ids(service, key)
        before = tallied(service, key)
        mixed(service, key, of_projects, share)
        asked_for, had = (after - one for after, one in zip(tallied(service, key), before, strict=True))
        rates[share] = had / asked_for
        print(f"{share:4.0%} writes: {rates[share]:.1%} of {asked_for:,} reads were hits")
        own.close()
    return rates[0.02] > HITS_TARGET


def ours(
    stack: ExitStack, asked: argparse.Namespace, *, workers: int, **settings: str
) -> tuple[Service, str]:
    """Start the service on findings of its own; return it and the header of a key."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hefesto-cache-")))
    finding_rows.copy(asked.findings, asked.cache, folder / "hefesto.db")
    environ = {
        "HEFESTO_AUTH": "required",
        "HEFESTO_SECRET_KEY": SECRET_KEY,
        "HEFESTO_RATE_LIMIT_ENTERPRISE": ENDLESS,
        "HEFESTO_RATE_LIMIT_FOLDER": str(folder),
        **settings,
    }
    argv = [*SERVE, "--workers", str(workers), "--threads", "4", "--no-worker"]
    service = Service(folder, folder, argv, environ)
    command(service, "db", "upgrade")
    made = command(service, "keys", "create", "--name", "it", "--tier", "enterprise", "--scope", "admin")
    service.start()
    stack.callback(service.kill)
    return service, f"Authorization: Bearer {made.split()[-1]}"


def beside(stack: ExitStack, asked: argparse.Namespace, _app: str, of: Service) -> Service:
    """Start FastAPI on the database of a service of ours, so that it knows the same key."""
    uvicorn = ["-m", "uvicorn", "--app-dir", str(HERE), "--port", "{port}", "--log-level", "warning"]
    argv = [str(environment(asked.cache)), *uvicorn, "keyed_fastapi:app"]
    server = Service(of.folder, of.folder, argv, {"DATABASE": str(of.database)})
    server.start()
    stack.callback(server.kill)
    return server


def bare_flask(stack: ExitStack) -> Service:
    """Start Flask and nothing else."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hefesto-flask-")))
    gunicorn = ["-m", "gunicorn", "-k", "gthread", "-w", "1", "--threads", "4", "--keep-alive", "5"]
    gunicorn += ["--no-control-socket", "--chdir", str(HERE), "-b", "127.0.0.1:{port}", "bare_flask:app"]
    server = Service(folder, folder, [sys.executable, *gunicorn])
    server.start()
    stack.callback(server.kill)
    return server


def ask(service: Service, key: str, path: str, method: str = "GET", body: Any = None) -> Any:
    """Ask on a connection of its own; return the headers and the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
    try:
        return asked_on(connection, key, path, method, body)
    finally:
        connection.close()


def asked_on(connection: http.client.HTTPConnection, key: str, path: str, method: str, body: Any) -> Any:
    """Ask on a connection; return the headers and the answer."""
    name, _, value = key.partition(": ")
    sent = None if body is None else json.dumps(body)
    connection.request(method, path, sent, {name: value, "Content-Type": "application/json"})
    answer = connection.getresponse()
    raw = answer.read()
    if answer.status >= 300:
        raise SystemExit(f"{method} {path}: {answer.status} {raw[:300]!r}")
    return answer.headers, json.loads(raw)


def ask_at_once(service: Service, key: str, path: str) -> None:
    """Have many connections, each open already, ask for the same in the same moment."""
    barrier = threading.Barrier(STAMPEDE)

    def run() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
        connection.connect()
        barrier.wait()
        asked_on(connection, key, path, "GET", None)
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(STAMPEDE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def stats_of_all(service: Service, key: str) -> list[dict[str, Any]]:
    """Return the numbers of both processes, asking until both have answered."""
    found: dict[int, dict[str, Any]] = {}
    for _ in range(400):
        told = ask(service, key, "/api/v1/cache/stats")[1]["data"]
        found[told["process"]] = told
        if len(found) == 2:
            break
    return list(found.values())


def counted(service: Service, key: str, name: str) -> int:
    """Return the sum of a number over the processes."""
    return sum(one[name] for one in stats_of_all(service, key))


def tallied(service: Service, key: str) -> tuple[int, int]:
    """Return how often the processes were asked, and how often they had an answer."""
    every = stats_of_all(service, key)
    had = sum(one["l1"]["hits"] for one in every)
    carried = sum(one["from_other_processes"] for one in every)
    return had + sum(one["l1"]["misses"] for one in every), had + carried


def finding_ids(service: Service, _key: str) -> dict[str, list[str]]:
    """Return findings of each project, from the database."""
    opened = open_database(f"sqlite:///{service.database}")
    with opened.read() as session:
        rows = session.exec_driver_sql(
            "SELECT p.slug, f.id FROM findings f JOIN projects p ON p.id = f.project_id "
            "WHERE f.status = 'open'"
        ).fetchall()
    opened.close()
    found: dict[str, list[str]] = {}
    for slug, finding in rows:
        found.setdefault(slug, []).append(finding)
    return found


def mixed(service: Service, key: str, of_projects: dict[str, list[str]], share: float) -> None:
    """Send requests by several clients, some of which change something."""
    slugs = sorted(of_projects)
    weights = list(accumulate(1 / rank for rank in range(1, len(slugs) + 1)))

    def run(number: int) -> None:
        chance = random.Random(f"{share} {number}")  # noqa: S311 - no secret
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
        for turn in range(REQUESTS // CLIENTS):
            slug = chance.choices(slugs, cum_weights=weights)[0]
            if chance.random() < share:
                finding = chance.choice(of_projects[slug])
                body = {"status": chance.choice(("acknowledged", "open")), "comment": f"turn {turn}"}
                body["status"] = body["status"].replace("open", "reopen")
                asked_on(connection, key, f"/api/v1/findings/{finding}", "PATCH", body)
            else:
                asked_on(connection, key, chance.choice(READS).format(slug=slug), "GET", None)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    sys.exit(main())
