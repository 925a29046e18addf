"""Fuzz every operation of the running service with schemathesis, every check on, then send it hostile bytes.

    python -m benchmarks.fuzz [--cases 10000] [--seed N] [--keep] [--planted]

First the gate is tried: a service with faults planted into it must be found out, each fault by the check
whose business it is, and an operation that cannot be tested must count as an error. Then `hefesto serve`
runs on a small repository that has been analysed, and schemathesis makes cases until there are enough. Every
operation of the document must have been tested and have accepted something, with no failure, no error, no
answer of 500 and no part of the service started twice. Exit status 1 otherwise; what a failing run wrote is
kept with `--keep`.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hefesto_api.storage import migrate
from hefesto_api.storage.database import open_database
from msgspec import Struct, field

from benchmarks import fuzz_planted, fuzz_sample, hostile_bytes
from benchmarks.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
METHODS = ("get", "post", "put", "patch", "delete")
HELD_OPEN = "/api/v1/events/stream"  # it goes on for as long as somebody reads: schemathesis would for ever
PLANTED = (
    *(sys.executable, "-m", "gunicorn", "-c", "python:hefesto_api.web.server", "--threads", "8"),
    *("--bind", "127.0.0.1:{port}", "benchmarks.fuzz_planted:app()"),
)
MOST_ROUNDS = 12
PLANTED_EXAMPLES = 40


class Outcome(Struct):
    """What the rounds of fuzzing found; operations are named `METHOD /path/{template}`."""

    cases: int = 0
    filtered: int = 0
    errors: list[str] = field(default_factory=list)
    failures: dict[tuple[str, str], str] = field(default_factory=dict)  # (operation, check) -> an example
    answers: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    checks: Counter[str] = field(default_factory=Counter)

    @property
    def of_500(self) -> int:
        """How many answers were 500."""
        return sum(count[500] for count in self.answers.values())


def main() -> int:
    """Run it and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--keep", action="store_true", help="keep the folder of the run")
    parser.add_argument("--planted", action="store_true", help="try the gate alone")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="hefesto-fuzz-"))
    print(f"seed {asked.seed}, in {folder}", flush=True)
    try:
        faults = try_the_gate(folder / "planted", asked.seed)
        if not asked.planted:
            faults += fuzz_the_service(folder / "real", asked.cases, asked.seed)
    finally:
        if not asked.keep:
            shutil.rmtree(folder, ignore_errors=True)
    print("\n".join(faults) or "no faults")
    return 1 if faults else 0


def try_the_gate(folder: Path, seed: int) -> list[str]:
    """Fuzz the planted faults and return those that were not found."""
    folder.mkdir()
    db = open_database(f"sqlite:///{folder / 'hefesto.db'}")
    migrate.upgrade(db)
    db.close()
    service = Service(folder, folder, PLANTED, {"PYTHONPATH": str(ROOT)})
    service.start()
    try:
        values = {name: ["nothing"] for name in fuzz_sample.DICTIONARIES}
        outcome = Outcome()
        for number in range(3):  # sequences of calls are found by chance
            one_round(service, folder, values, outcome, PLANTED_EXAMPLES, seed + number, only="planted")
            if set(fuzz_planted.EXPECTED.items()) <= set(outcome.failures):
                break
        untested = set(operations(service)) - set(outcome.answers)
    finally:
        service.stop()
    found = set(outcome.failures)
    missed = [f"planted and not found: {pair}" for pair in fuzz_planted.EXPECTED.items() if pair not in found]
    if not outcome.errors or fuzz_planted.UNTESTABLE not in untested:
        missed.append(f"an operation that cannot be tested was not noticed: {fuzz_planted.UNTESTABLE}")
    print(f"{len(fuzz_planted.EXPECTED) + 1} faults planted, {len(missed)} not found", flush=True)
    return missed


def fuzz_the_service(folder: Path, cases: int, seed: int) -> list[str]:
    """Fuzz the service and return what is wrong."""
    tree = folder / "tree"
    tree.mkdir(parents=True)
    service = Service(folder, tree)
    commits = fuzz_sample.make_tree(tree)
    service.start()
    try:
        values = fuzz_sample.fill(service, tree, commits)
        outcome = Outcome()
        for number in range(MOST_ROUNDS):
            if outcome.cases >= cases:
                break
            examples = _examples(outcome, cases, number, len(list(operations(service))))
            one_round(service, folder, values, outcome, examples, seed + number)
            print(f"round {number + 1}: {outcome.cases} cases, {len(outcome.failures)} failures", flush=True)
        faults = _faults(service, outcome, cases)
        faults += hostile_bytes.throw(service, operations_of(service))
        faults += _health(service)
    finally:
        service.stop()
    return faults


def operations(service: Service) -> Iterator[str]:
    """Yield the operations of the service's document that end by themselves."""
    for method, template in operations_of(service):
        if template != HELD_OPEN:
            yield f"{method} {template}"


def operations_of(service: Service) -> list[tuple[str, str]]:
    """Return the operations of the service's document as methods and templates."""
    paths = json.loads(service.fetch("GET", "/openapi.json"))["paths"]
    return [(name.upper(), path) for path, item in paths.items() for name in METHODS if name in item]


def one_round(
    service: Service,
    folder: Path,
    values: dict[str, list[str]],
    outcome: Outcome,
    examples: int,
    seed: int,
    only: str = "",
) -> None:
    """Run schemathesis once and add what it found."""
    work = Path(tempfile.mkdtemp(dir=folder, prefix="round-"))
    shutil.copy(ROOT / "benchmarks" / "fuzz.toml", work)
    fuzz_sample.write_dictionaries(values, work)
    argv = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(work / "fuzz.toml"), "run"]
    argv += [f"{service.url}/openapi.json", "--max-examples", str(examples), "--seed", str(seed)]
    argv += ["--report", "json,ndjson", "--report-json-path", str(work / "report.json")]
    argv += ["--report-ndjson-path", str(work / "events.ndjson"), "--no-color"]
    argv += ["--exclude-path", HELD_OPEN]
    argv += ["--include-path-regex", only] if only else []
    environ = {"PATH": os.environ["PATH"], "HOME": str(work), "PYTHONPATH": str(ROOT)}
    with (work / "output").open("wb") as output:
        subprocess.run(argv, cwd=work, env=environ, stdout=output, stderr=subprocess.STDOUT, check=False)
    if not (work / "report.json").exists():
        outcome.errors.append(f"schemathesis did not end well:\n{(work / 'output').read_text()[-3000:]}")
        return
    _add(outcome, json.loads((work / "report.json").read_text()), work / "events.ndjson")


def _add(outcome: Outcome, report: dict[str, Any], events: Path) -> None:
    outcome.cases += report["test_cases"]["generated"]
    outcome.filtered += report["filtered"]
    outcome.errors += [f"schemathesis: {error['count']} x {error['title']}" for error in report["errors"]]
    if not report["complete"] or report["stop_reason"] != "completed":
        outcome.errors.append(f"schemathesis stopped early: {report['stop_reason']}")
    with events.open() as lines:
        for line in lines:
            event: dict[str, Any] = json.loads(line)
            if "ScenarioFinished" in event:
                _add_scenario(outcome, event["ScenarioFinished"]["recorder"])


def _add_scenario(outcome: Outcome, recorder: dict[str, Any]) -> None:
    interactions = recorder.get("interactions", {})
    for case_id, made in recorder.get("cases", {}).items():
        operation = f"{made['value']['method']} {made['value']['path']}"
        exchange = interactions.get(case_id) or {}
        status = (exchange.get("response") or {}).get("status_code", 0)
        outcome.answers[operation][status] += 1
        for check in recorder.get("checks", {}).get(case_id, ()):
            outcome.checks[check["name"]] += 1
            if check["status"] == "failure":
                failure = (check.get("failure_info") or {}).get("failure") or {}
                example = f"{_told(exchange)}; {failure.get('message')}"
                # Of several calls, the failure names the one that it blames.
                blamed = failure.get("operation") or operation
                outcome.failures.setdefault((blamed, check["name"]), example[:1500])


def _told(exchange: dict[str, Any]) -> str:
    """Write an exchange in a line: what was asked, and the beginning of the answer."""
    request, response = exchange.get("request") or {}, exchange.get("response") or {}
    sent, answered = (_beginning(one) for one in (request.get("body"), response.get("content")))
    asked = f"{request.get('method')} {request.get('uri', '')[:400]} {sent}"
    return f"{asked} -> {response.get('status_code')} {answered}"


def _beginning(content: dict[str, str] | None) -> str:
    return base64.b64decode((content or {}).get("$base64") or "")[:400].decode("ascii", "backslashreplace")


def _examples(outcome: Outcome, cases: int, number: int, operations: int) -> int:
    """Return how many examples of an operation the next round needs, from what the rounds before gave."""
    if not number:
        return max(cases // operations // 2, 10)
    return max((cases - outcome.cases) * 2 // operations, 25)


def _faults(service: Service, outcome: Outcome, cases: int) -> list[str]:
    known = list(operations(service))
    untested = [name for name in known if not outcome.answers.get(name)]
    refused = [name for name in known if not any(200 <= status < 400 for status in outcome.answers[name])]
    counted = served_500(service)
    for name in known:
        print(f"  {name}: {dict(sorted(outcome.answers[name].items()))}")
    print(f"checks: {dict(outcome.checks.most_common())}")
    print(
        f"{len(known)} operations, {outcome.cases} cases, {len(outcome.failures)} failures, "
        f"{len(outcome.errors)} errors, {outcome.of_500} answers of 500 (the service counts {counted}), "
        f"{outcome.filtered} refusals by rules that no schema tells",
        flush=True,
    )
    faults = [f"{where}: {check}: {example}" for (where, check), example in outcome.failures.items()]
    faults += outcome.errors
    faults += [f"not tested: {name}" for name in untested]
    faults += [f"never accepted anything: {name}" for name in refused if name not in untested]
    if outcome.of_500 or counted:
        faults.append(f"answers of 500: {outcome.of_500} seen, {counted} counted by the service")
    return faults + ([f"only {outcome.cases} cases of {cases}"] if outcome.cases < cases else [])


def served_500(service: Service) -> int:
    """Return how many answers of 500 the service has counted itself."""
    pattern = r'^hefesto_http_requests_total\{[^}]*status="500"[^}]*\} ([0-9.e+]+)$'
    text = service.fetch("GET", "/metrics").decode()
    if "hefesto_http_requests_total{" not in text:
        raise SystemExit("the service does not count its answers")
    return int(sum(float(count) for count in re.findall(pattern, text, re.MULTILINE)))


def _health(service: Service) -> list[str]:
    """Return what is wrong with the service after all that."""
    faults = [f"logged: {line}" for line in service.log().splitlines() if re.search("error|part_ended", line)]
    health = service.call("GET", "/health/deep")
    # The sample leaves jobs behind that nobody does, so the queue has reason to complain.
    ill = [name for name, about in health["checks"].items() if about["status"] in {"unhealthy", "degraded"}]
    if set(ill) - {"queue"} or health["status"] == "unhealthy":
        faults.append(f"not healthy afterwards: {health}")
    return faults[:20]


if __name__ == "__main__":
    sys.exit(main())
