"""Load on `hefesto serve`, one scenario after the other, each on a fresh database of 10,000 findings.

    python -m benchmarks.load [SCENARIO...] [--seconds 60] [--report FOLDER] [--findings 10000]

`users` are a hundred: half read, a fifth write, the others hold sockets. `webhooks`, `acknowledgements` and
`cache` go through those routes; `storm` is monitoring when much breaks at once; `batches` has files analysed;
`reads` asks at 1,000 a second, whether they are answered in time or not; `held` keeps 1,000 connections. The
first six are locust's and leave its report in HTML in the folder. Each figure is a line, with what is wanted
of it; exit status 1 for any that is missed.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import urllib.error
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks import corpora, finding_rows, mixed
from benchmarks.load import held
from benchmarks.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

USERS: Final = Path(__file__).with_name("users.py")
ERRORS: Final = 0.001
READS: Final = 1000
CONNECTIONS: Final = 1000


class Scenario(NamedTuple):
    """Users by their class, and what is wanted in milliseconds by share, of requests and of what else."""

    users: dict[str, int]
    wanted: dict[str, float]
    of: dict[str, dict[str, float]] = {}  # noqa: RUF012 - read alone
    rate: dict[str, float] = {}  # noqa: RUF012
    needs: str = ""


SCENARIOS: Final = {
    "users": Scenario(
        {"Reader": 50, "Writer": 20, "Listener": 30},
        {"50%": 20, "95%": 100, "99%": 300},
        {"socket message": {"99%": 100}},
    ),
    "webhooks": Scenario({"WebhookKeeper": 10}, {"50%": 20, "99%": 300}),
    "acknowledgements": Scenario({"Acknowledger": 10}, {"50%": 20, "99%": 300}),
    "cache": Scenario({"CacheKeeper": 10}, {"99%": 300}, needs="/api/v1/cache/stats"),
    "storm": Scenario({"Storm": 40}, {"50%": 20, "99%": 300}, rate={"POST iris/webhook": 150}),
    "batches": Scenario({"Analyst": 2}, {"99%": 300}, rate={"file": 100}),
}


class Figure(NamedTuple):
    """What was measured, as a line, and whether it is as wanted."""

    text: str
    met: bool


def main() -> int:
    """Measure, print and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("scenarios", nargs="*", help=", ".join((*SCENARIOS, "reads", "held")))
    parser.add_argument("--cache", type=Path, default=corpora.default_cache())
    parser.add_argument("--findings", type=int, default=10_000)
    parser.add_argument("--report", type=Path, default=Path("load-report"))
    parser.add_argument("--seconds", type=float, default=60.0)
    asked = parser.parse_args()
    asked.report.mkdir(parents=True, exist_ok=True)
    print(f"load of the machine {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores", flush=True)
    missed = 0
    for name in asked.scenarios or (*SCENARIOS, "reads", "held"):
        for figure in measured(name, asked):
            print(f"{name:17} {'met   ' if figure.met else 'MISSED'} {figure.text}", flush=True)
            missed += not figure.met
    return 1 if missed else 0


def measured(name: str, asked: argparse.Namespace) -> list[Figure]:
    """Run a scenario on a service of its own."""
    with tempfile.TemporaryDirectory(prefix="hefesto-load-") as made:
        folder = Path(made)
        (folder / "src").mkdir()
        environ = {"HEFESTO_AUTH": "open", "HEFESTO_RATE_LIMITS": "off", "HEFESTO_LIVE_PER_CALLER": "0"}
        if name == "batches":
            corpora.copy(corpora.corpus("stdlib", asked.cache), folder / "src" / "tree")
        service = Service(folder, folder / "src", environ=environ)
        finding_rows.copy(asked.findings, asked.cache, service.database)
        service.start()
        used = service.cpu_seconds()
        try:
            figures = _run(name)(name, service, asked)
        finally:
            cpu = (service.cpu_seconds() - used) / asked.seconds
            service.stop()
    return [*figures, Figure(f"the service took {cpu:.2f} cores", met=True)]


def _run(name: str) -> Callable[[str, Service, argparse.Namespace], list[Figure]]:
    return {"reads": _reads, "held": _held}.get(name, _by_locust)


def _by_locust(name: str, service: Service, asked: argparse.Namespace) -> list[Figure]:
    scenario = SCENARIOS[name]
    if scenario.needs and not _has(service, scenario.needs):
        return [Figure(f"left out: there is no {scenario.needs}", met=True)]
    environ = {
        **os.environ,
        "HEFESTO_LOAD_FINDINGS": str(asked.findings),
        "HEFESTO_LOAD_TREE": str(service.folder / "src" / "tree"),
    }
    count = sum(scenario.users.values())
    argv = [sys.executable, "-m", "locust", "-f", str(USERS), *scenario.users, "--headless", "--only-summary"]
    argv += ["--host", service.url, "--users", str(count), "--spawn-rate", "50", "--stop-timeout", "30"]
    argv += ["--run-time", f"{asked.seconds:.0f}s", "--reset-stats", "--loglevel", "ERROR"]
    argv += ["--html", str(asked.report / f"{name}.html"), "--csv", str(asked.report / name)]
    argv += [
        "--config-users",
        *(f'{{"user_class_name": "{one}", "fixed_count": {many}}}' for one, many in scenario.users.items()),
    ]
    with (asked.report / f"{name}.log").open("wb") as log:
        subprocess.run(argv, env=environ, stdout=log, stderr=log, check=False, timeout=asked.seconds + 120)
    return list(_figures(scenario, asked.report / f"{name}_stats.csv", asked.seconds))


def _figures(scenario: Scenario, stats: Path, seconds: float) -> Iterator[Figure]:
    rows = {row["Name"]: row for row in csv.DictReader(stats.read_text().splitlines())}
    apart = {
        name for name in (*scenario.of, *scenario.rate) if rows.get(name, {}).get("Type") in {"WS", "JOB"}
    }
    requests = [row for name, row in rows.items() if name != "Aggregated" and name not in apart]
    count = sum(int(row["Request Count"]) for row in requests)
    failed = sum(int(row["Failure Count"]) for row in requests)
    share = failed / max(count, 1)
    yield Figure(
        f"{count} requests, {count / seconds:.0f}/s, {share:.3%} failed", bool(count) and share < ERRORS
    )
    for at, most in scenario.wanted.items():
        took = _percentile(requests, at)
        yield Figure(f"{at} of the requests within {took:.0f} ms (wanted: {most:.0f})", took < most)
    for name, wanted in scenario.of.items():
        row = rows.get(name, {})
        for at, most in wanted.items():
            took = float(row.get(at) or "inf")
            told = f"{at} of {row.get('Request Count', 0)} {name}s within {took:.0f} ms (wanted: {most:.0f})"
            yield Figure(told, took < most and not int(row.get("Failure Count", 1)))
    for name, least in scenario.rate.items():
        rate = int(rows.get(name, {}).get("Request Count", 0)) / seconds
        yield Figure(f"{rate:.0f} x {name!r} a second (wanted: {least:.0f})", rate >= least)


def _percentile(rows: list[dict[str, str]], at: str) -> float:
    """Return a percentile of all rows together, at most: the least time that enough of each was within.

    locust's total counts messages of sockets as well.
    """
    known = sorted(_SHARES)
    limits = sorted(
        {
            float(row[f"{_SHARES[share]}"])
            for row in rows
            for share in known
            if row[_SHARES[share]].strip("N/A")
        }
    )
    total = sum(int(row["Request Count"]) for row in rows)
    for limit in limits:
        within = sum(int(row["Request Count"]) * _within(row, limit, known) for row in rows)
        if within >= float(at.rstrip("%")) / 100 * total:
            return limit
    return float("inf")


def _within(row: dict[str, str], limit: float, known: list[float]) -> float:
    """Return the share of a row's requests that were surely within so many milliseconds."""
    return max((share for share in known if float(row[_SHARES[share]] or "inf") <= limit), default=0.0)


_SHARES: Final = {
    0.5: "50%", 0.66: "66%", 0.75: "75%", 0.8: "80%", 0.9: "90%", 0.95: "95%", 0.98: "98%", 0.99: "99%",
    0.999: "99.9%", 0.9999: "99.99%", 1.0: "100%",
}  # fmt: skip


def _reads(_name: str, service: Service, asked: argparse.Namespace) -> list[Figure]:
    """Ask at a fixed rate: a latency counts from the moment a request was due."""
    mix = argparse.Namespace(reads=float(READS), writes=1.0, seconds=asked.seconds, findings=asked.findings)
    wanted = [one for one in mixed.requests(service.port, mix) if one.kind != "write"]
    outcome = mixed.carry_out(service.port, wanted, 64)
    took = sorted(1000 * one for many in outcome.took.values() for one in many)
    failed = sum(outcome.refused.values()) + outcome.unanswered
    at = {share: took[min(int(len(took) * share), len(took) - 1)] for share in (0.5, 0.95, 0.99)}
    told = ", ".join(f"{share:.0%} {ms:.0f}" for share, ms in at.items())
    text = f"{len(took)} of {len(wanted)} reads at {READS}/s; ms: {told}; {failed} failed (wanted: 99% 300)"
    return [Figure(text, not failed and at[0.99] < 300)]


def _held(_name: str, service: Service, asked: argparse.Namespace) -> list[Figure]:
    found = held.hold(service.port, CONNECTIONS, asked.seconds)
    ordered = sorted(found.took)
    p99 = ordered[int(len(ordered) * 0.99)]
    text = (
        f"{CONNECTIONS} connections, {found.lost} lost, {found.failed} failed; p99 {p99:.0f} ms (wanted: 300)"
    )
    return [Figure(text, not found.lost and not found.failed and p99 < 300)]


def _has(service: Service, path: str) -> bool:
    try:
        service.fetch("GET", path)
    except urllib.error.HTTPError as error:
        return error.code != 404
    return True


if __name__ == "__main__":
    sys.exit(main())
