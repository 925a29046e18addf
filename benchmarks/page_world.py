"""What the dashboard is measured and photographed on: Django with a history, deployments, and alerts."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from benchmarks import corpora
from benchmarks.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

PROJECT = "django"
COMMITS = 120
FILES_OF_A_COMMIT = 3
HOT = 25  # files that half of the changes go to, as is usual
WAIT = 300.0
AUTHORS = ("Ana Pérez", "Tom Okafor", "Mei Lin", "Jo Berg")


def repository(folder: Path, cache: Path, *, files: int | None = None, seed: int = 6) -> Path:
    """Copy Django (of its Python files, `files`) into a folder and give it a past that chance writes."""
    source = corpora.corpus("django", cache)
    corpora.copy(source, folder, files)
    for needed in sorted({each for _, frames in DEMO for each, _, _ in frames}):
        target = folder / "django" / needed
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source / "django" / needed, target)  # what the traces go through, in a part of it, too
    chance = random.Random(seed)  # noqa: S311 - no secret
    paths = [one for one in corpora.python_files(folder / "django") if one.stat().st_size > 2_000]
    hot = chance.sample(paths, min(HOT, len(paths)))
    _git(folder, "init", "-q", "-b", "main")
    now = datetime.now(UTC)
    _commit(folder, now - timedelta(days=400), "Import", AUTHORS[0])
    for number in range(COMMITS):
        for path in chance.sample(hot if number % 2 else paths, FILES_OF_A_COMMIT):
            path.write_text(path.read_text("utf-8") + f"# revised {number}\n", "utf-8")
        ago = timedelta(days=85 * (1 - number / COMMITS), minutes=chance.randint(0, 600))
        _commit(folder, now - ago, f"Revise {number}", chance.choice(AUTHORS))
    return folder


def traces(files: Sequence[Path]) -> Iterator[str]:
    """Yield stack traces: those of JSON lines with `traceback` or `text`, else the tests' own."""
    for file in files:
        for line in file.read_text("utf-8").splitlines():
            told = json.loads(line)
            yield told.get("traceback") or told["text"]
    if not files:
        from tests.domain.traces.samples import ALL  # noqa: PLC0415 - the tests are not always at hand

        yield from (case.text for case in ALL)


SHOWN = "OperationalError"
_HANDLER = (("core/handlers/exception.py", "inner", "response = get_response(request)"),
            ("core/handlers/base.py", "_get_response", "response = wrapped_callback"))  # fmt: skip
_QUERY = (("db/models/query.py", "_fetch_all", "self._result_cache = list(self._iterable_class(self))"),
          ("db/models/query.py", "__iter__", "results = compiler.execute_sql("),
          ("db/models/sql/compiler.py", "execute_sql", "cursor.execute(sql, params)"))  # fmt: skip
_EXECUTE = ("db/backends/utils.py", "_execute", "return self.cursor.execute(sql, params)")
_PAGES = (
    ("core/paginator.py", "get_page", "number = self.validate_number(number)"),
    ("core/paginator.py", "validate_number", 'raise EmptyPage(self.error_messages["no_results"])'),
)
_SIGNED = (("core/signing.py", "unsign", "result = super().unsign(value)"),
           ("core/signing.py", "unsign", "raise BadSignature("))  # fmt: skip
DEMO = (
    (SHOWN + ': too many connections for role "shop"', (*_HANDLER, *_QUERY, _EXECUTE)),
    ("django.core.paginator.EmptyPage: That page contains no results", (*_HANDLER, *_PAGES)),
    ('django.core.signing.BadSignature: Signature "abc" does not match', (*_HANDLER, *_SIGNED)),
)


def demo(root: Path) -> list[str]:
    """Return stack traces through Django as it lies in a folder, with the lines of today."""
    return [_trace(root, error, frames) for error, frames in DEMO]


def _trace(root: Path, error: str, frames: Sequence[tuple[str, str, str]]) -> str:
    told = ["Traceback (most recent call last):"]
    for path, function, text in frames:
        lines = (root / "django" / path).read_text("utf-8").splitlines()
        at = next(number for number, line in enumerate(lines, 1) if text in line)
        told += [
            f'  File "/srv/shop/django/{path}", line {at}, in {function}',
            f"    {lines[at - 1].strip()}",
        ]
    return "\n".join([*told, error, ""])


def fill(service: Service, texts: Sequence[str]) -> dict[str, Any]:
    """Analyse what a service may read, and post deployments and a trace an alert; return what was made."""
    service.call("POST", "/api/v1/projects", {"slug": PROJECT, "root_path": service.environ["HEFESTO_ROOTS"]})
    began = time.monotonic()
    body = {"path": ".", "project": PROJECT, "severity_threshold": "LOW", "async": True}
    service.call("POST", "/api/v1/analyze", body)
    until(lambda: service.call("GET", "/api/v1/analyses?limit=1")["analyses"][0]["status"] == "completed")
    analysed = time.monotonic() - began
    until(lambda: service.call("GET", "/api/v1/metrics/hotspots")["parts"]["churn"]["known"])
    deployments = [deploy(service, f"5.2.{number}", days) for number, days in enumerate((40, 12, 3, 0.2))]
    for number, text in enumerate(texts):
        alert = {
            "alert_id": f"trace-{number}",
            "project": PROJECT,
            "service_name": "web",
            "environment": "production",
            "severity": ("critical", "high", "medium", "low")[number % 4],
            "stacktrace": text,
            "timestamp": (datetime.now(UTC) - timedelta(minutes=7 * number)).isoformat(),
        }
        for again in range(1 + number % 3):
            service.call("POST", "/api/v1/alerts", {**alert, "alert_id": f"trace-{number}-{again}"})
    until(
        lambda: all(
            one["correlation_id"] for one in service.call("GET", "/api/v1/alerts?limit=1000")["alerts"]
        )
    )
    return {"analysed": analysed, "deployment": deployments[-1]}


def deploy(service: Service, release: str, days_ago: float) -> str:
    """Tell of a deployment; return its id."""
    when = datetime.now(UTC) - timedelta(days=days_ago)
    told = {
        "project": PROJECT,
        "environment": "production",
        "release": release,
        "deployed_at": when.isoformat(),
    }
    made: str = service.call("POST", "/api/v1/deployments", told)["id"]
    return made


def until(holds: Any) -> None:
    """Wait until something holds; raises SystemExit when it does not."""
    end = time.monotonic() + WAIT
    while not holds():
        if time.monotonic() > end:
            raise SystemExit("the service did not get ready with what it was sent")
        time.sleep(0.2)


def _commit(folder: Path, when: datetime, message: str, author: str) -> None:
    _git(folder, "add", "-A")
    moment = when.isoformat()
    about = {"GIT_AUTHOR_NAME": author, "GIT_AUTHOR_DATE": moment, "GIT_COMMITTER_DATE": moment}
    _git(folder, "commit", "-q", "-m", message, **about)


def _git(folder: Path, *words: str, **environ: str) -> None:
    usual = {
        "PATH": os.environ["PATH"],
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_EMAIL": "who@example.com",
        "GIT_COMMITTER_NAME": "Ci",
        "GIT_COMMITTER_EMAIL": "ci@example.com",
    }
    subprocess.run(
        ["git", "-C", str(folder), *words], env={**usual, **environ}, check=True, capture_output=True
    )
