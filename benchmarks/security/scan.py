"""A baseline scan of a service that asks for credentials: every operation of its document, by schemathesis.

    python -m benchmarks.security.scan [--quick] [--plant] [--seed N]

Shows an admin's key and looks for answers of 500 and for statuses and types that the document does not tell;
asks each operation again without credentials and with wrong ones, which must be refused wherever the document
says that it asks for some. No operation may be left out, and no error of the scanner's own is passed over.
Exit status 1 otherwise. `--plant` serves one operation that does not ask, which must be found. What answers
hold is looked at by `make fuzz`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.service import SERVE, Service

ROOT = Path(__file__).parents[2]
SECRET_KEY = "a key of the scan that is long enough to be one"  # noqa: S105 - of nothing that lasts
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,ignored_auth"
EXAMPLES, FEW = 20, 3
# What ends the scan's own credentials, or what it stands on; and the stream that does not end by itself,
# of which the tests of the live feed tell who may open it.
SPARED = ("/auth/api-keys/", "/auth/users/", "/auth/oidc/", "/events/stream")
PLANTED = (
    *(sys.executable, "-m", "gunicorn", "-c", "python:hefesto_api.web.server", "--threads", "8"),
    *("--bind", "127.0.0.1:{port}", "benchmarks.security.scan_planted:app()"),
)
METHODS = ("get", "post", "put", "patch", "delete")


def main() -> int:
    """Run it and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"{FEW} examples of each operation")
    parser.add_argument("--plant", action="store_true", help="a fault, which must be found")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hefesto-scan-") as folder:
        faults = scan(Path(folder), FEW if asked.quick else EXAMPLES, asked.seed, planted=asked.plant)
    print(f"seed {asked.seed}:", "nothing found" if not faults else "FAILED")
    for fault in faults[:20]:
        print(f"  {fault}")
    return 1 if faults else 0


def scan(folder: Path, examples: int, seed: int, *, planted: bool) -> list[str]:
    """Scan a service of its own and return what is wrong."""
    environ = {
        "HEFESTO_AUTH": "required",
        "HEFESTO_SECRET_KEY": SECRET_KEY,
        "HEFESTO_RATE_LIMITS": "off",
        "PYTHONPATH": str(ROOT),
    }
    service = Service(folder, folder, PLANTED if planted else (*SERVE, "--no-worker"), environ)
    key = first_key(service)
    service.start()
    try:
        known = operations(service)
        events = run(service, folder, key, examples, seed)
        faults, answers, errors = judged(events)
    finally:
        service.stop()
    counts = Counter(status // 100 for of_one in answers.values() for status in of_one)
    print(
        f"{len(known)} operations, {sum(counts.values())} answers "
        f"({', '.join(f'{count} of {kind}xx' for kind, count in sorted(counts.items()))}), "
        f"{len(faults)} failures, {len(errors)} errors"
    )
    missing = [name for name in known if name not in answers]
    return faults + errors + [f"not asked: {name}" for name in missing]


def first_key(service: Service) -> str:
    """Make the schema and the key of an admin, as on the first day."""
    argv = [sys.executable, "-m", "hefesto_api", "keys", "create", "--name", "scan", "--scope", "admin"]
    environ = service.environ
    upgrade = [sys.executable, "-m", "hefesto_api", "db", "upgrade"]
    subprocess.run(upgrade, cwd=service.folder, env=environ, check=True, capture_output=True)
    done = subprocess.run(argv, cwd=service.folder, env=environ, check=True, capture_output=True, text=True)
    (key,) = (word for word in done.stdout.split() if word.startswith("hef_"))
    return key


def operations(service: Service) -> set[str]:
    """Return the operations that the scan must ask."""
    paths: dict[str, Any] = json.loads(service.fetch("GET", "/openapi.json"))["paths"]
    return {
        f"{method.upper()} {path}"
        for path, item in paths.items()
        for method in METHODS
        if method in item and not any(part in path for part in SPARED)
    }


def run(service: Service, folder: Path, key: str, examples: int, seed: int) -> Path:
    """Have schemathesis ask the service, and return the file of what came of it."""
    events = folder / "events.ndjson"
    config = folder / "scan.toml"
    config.write_text(
        'hooks = "benchmarks.security.scan_hooks"\ncontinue-on-failure = true\nrequest-timeout = 90\n'
        'suppress-health-check = ["all"]\n[generation]\ndatabase = "none"\n'
    )
    argv = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run"]
    argv += [f"{service.url}/openapi.json", "--checks", CHECKS, "--phases", "examples,fuzzing"]
    argv += ["--max-examples", str(examples), "--seed", str(seed), "--no-color"]
    argv += [
        "--include-path-regex",
        f"^(?!.*({'|'.join(SPARED)})).*$",
        "--header",
        f"Authorization: Bearer {key}",
    ]
    argv += ["--report", "ndjson", "--report-ndjson-path", str(events)]
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(argv, cwd=folder, env=environ, check=False, capture_output=True, text=True)
    if not events.exists():
        raise SystemExit(f"schemathesis did not end well:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return events


def judged(events: Path) -> tuple[list[str], dict[str, list[int]], list[str]]:
    """Return what failed, the statuses by operation, and the scanner's own errors."""
    failures: dict[tuple[str, str], str] = {}
    answers: dict[str, list[int]] = {}
    errors: list[str] = []
    with events.open() as lines:
        for line in lines:
            event: dict[str, Any] = json.loads(line)
            if "NonFatalError" in event or "FatalError" in event:
                errors.append(line[:500])
            recorder = event.get("ScenarioFinished", {}).get("recorder", {})
            interactions = recorder.get("interactions", {})
            for case, made in recorder.get("cases", {}).items():
                name = f"{made['value']['method']} {made['value']['path']}"
                response = (interactions.get(case) or {}).get("response") or {}
                answers.setdefault(name, []).append(response.get("status_code", 0))
                for check in recorder.get("checks", {}).get(case, ()):
                    if check["status"] == "failure":
                        failure = (check.get("failure_info") or {}).get("failure") or {}
                        failures.setdefault((name, check["name"]), str(failure.get("message"))[:600])
    told = [f"{name}: {check}: {message}" for (name, check), message in failures.items()]
    return told, answers, errors


if __name__ == "__main__":
    sys.exit(main())
