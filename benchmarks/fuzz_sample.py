"""What a service must hold for fuzzing to reach its depth: a small tree, and what came of looking at it."""

from __future__ import annotations

import base64
import gzip
import json
import subprocess
import time
from typing import TYPE_CHECKING, Any

from hefesto_api.analyzers import catalogue
from hefesto_api.storage import analyses, jobs
from hefesto_api.storage.database import open_database

from benchmarks.fuzz_report import REPORT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.service import Service

FILES = {
    "app/db.py": 'import sqlite3\n\n\ndef user(uid):\n    db = sqlite3.connect("a.db")\n'
    '    return db.execute(f"SELECT * FROM users WHERE id = {uid}")\n',
    "app/run.py": "import pickle\nimport subprocess\n\n\ndef run(a, b, c, d, e, f, g):\n"
    "    subprocess.call(a, shell=True)\n    return eval(b), pickle.loads(c)\n",
    "app/broken.py": "def f(:\n    pass\n",
    "web/page.js": "function show(a) {\n  if (a) { if (a.b) { return eval(a.c) } }\n}\n",
    "web/page.ts": "export function pick(a: number): number {\n  return a > 1 ? 1 : 2\n}\n",
    "src/Main.java": 'class Main {\n  String key = "AKIAIOSFODNN7EXAMPLE";\n}\n',
    "main.go": "package main\n\nfunc main() {\n\tfor {\n\t\tif true {\n\t\t\tbreak\n\t\t}\n\t}\n}\n",
}
PROJECTS = ("default", "shop", "other")
SPARE = tuple(f"spare-{number}" for number in range(40))
LEFT_OVER = 40
LISTS = {"finding": "/api/v1/findings", "analysis": "/api/v1/analyses", "project": "/api/v1/projects"}
DICTIONARIES = (
    *("paths", "files", "analyses", "batches", "findings", "projects", "spare_projects", "commits", "jobs"),
    *("rules", "waiting"),
    *(f"{name}_cursors" for name in LISTS),
)


def make_tree(root: Path) -> list[str]:
    """Write the sample into a git repository and return its two commits."""
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    _git(root, "init", "--quiet", "--initial-branch", "main")
    return [_commit(root, "one"), _change(root)]


def fill(service: Service, root: Path, commits: Sequence[str]) -> dict[str, list[str]]:
    """Have the service look at the sample in every way, and return the values that exist, by dictionary."""
    seen = [
        _ended(service, {"path": str(root), "project": slug, "branch": branch})
        for slug in PROJECTS
        for branch in ("main", "topic")
    ]
    inline = [{"path": name, "content": text} for name, text in FILES.items()]
    seen.append(_ended(service, {"files": inline}))
    packed = base64.b64encode(gzip.compress(json.dumps(REPORT).encode())).decode()
    imported = {"commit_sha": commits[0], "ref": "refs/heads/main", "sarif": packed}
    seen.append(service.call("POST", "/api/v1/findings/import", imported)["analysis_id"])
    batches = [
        service.call("POST", "/api/v1/analyze/batch", {"paths": ["app", "web", "nowhere"]})["batch_id"]
        for _ in range(3)
    ]
    for slug in SPARE:
        service.call("POST", "/api/v1/projects", {"slug": slug, "name": slug})
    made = _left_over(service)
    items = service.call("GET", "/api/v1/findings?limit=200&status=all")["findings"]
    return {
        "paths": [".", "app", "app/db.py", "web/page.js", str(root), str(root / "main.go")],
        "files": [*FILES, "app/", "web/"],
        "analyses": seen,
        "batches": batches,
        "findings": [item["id"] for item in items],
        "projects": list(PROJECTS),
        "spare_projects": list(SPARE),
        "commits": list(commits),
        "jobs": made[:LEFT_OVER],
        "waiting": made[LEFT_OVER:],
        **{f"{name}_cursors": _cursors(service, path) for name, path in LISTS.items()},
        "rules": sorted(catalogue.RULES)[:20],
    }


def _cursors(service: Service, path: str) -> list[str]:
    pages = [service.call("GET", f"{path}?limit={number}") for number in (1, 2, 3)]
    return [str(page["pagination"]["next_cursor"]) for page in pages]


def write_dictionaries(values: dict[str, list[str]], folder: Path) -> None:
    """Write each list as a dictionary of libFuzzer's."""
    for name, entries in values.items():
        (folder / f"{name}.dict").write_text("".join(f'"{entry}"\n' for entry in entries))


def _ended(service: Service, body: dict[str, Any]) -> str:
    data = service.call("POST", "/api/v1/analyze", body)
    while data["status"] in {"queued", "running"}:
        time.sleep(0.1)
        data = service.call("GET", f"/api/v1/analyze/{data['analysis_id']}")
    if data["status"] != "completed":
        raise SystemExit(f"the sample could not be analysed: {data}")
    return str(data["analysis_id"])


def _left_over(service: Service) -> list[str]:
    """Leave jobs behind that were given up, and analyses that wait for ever, past the service.

    The jobs may be retried (no worker knows their kind), the analyses cancelled.
    """
    db = open_database(f"sqlite:///{service.database}")
    with db.write() as session:
        dead = [jobs.enqueue(session, "unknown", {}) for _ in range(LEFT_OVER)]
        session.execute(jobs.jobs.update().where(jobs.jobs.c.id.in_(dead)).values(status="dead"))
        waiting = [
            analyses.create(session, kind="inline", path="a.py", project_id=None) for _ in range(LEFT_OVER)
        ]
    db.close()
    return [*dead, *(record.id for record in waiting)]


def _commit(root: Path, message: str) -> str:
    _git(root, "add", "--all")
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    _git(root, *who, "commit", "--quiet", "--message", message)
    return _git(root, "rev-parse", "HEAD").strip()


def _change(root: Path) -> str:
    with (root / "app/run.py").open("a") as file:
        file.write("\n\ndef more(x):\n    return eval(x)\n")
    return _commit(root, "two")


def _git(root: Path, *argv: str) -> str:
    return subprocess.run(["git", *argv], cwd=root, check=True, capture_output=True, text=True).stdout
