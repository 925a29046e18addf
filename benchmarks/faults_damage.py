"""A page of the database's file is overwritten under the running service."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

from benchmarks.faults_asking import Asking, plainly
from benchmarks.faults_world import disk, served

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.service import Service


def damaged(_seconds: float) -> list[str]:
    """A page of the database's file is overwritten; a backup is restored."""
    wrong: list[str] = []
    with disk("ext4") as folder:
        with served(folder) as service:
            asking = Asking(service)
            asking.for_a_while(2.0)
            asking.lost()
            backup = _hefesto(service, "db", "backup", str(folder / "backup.db"))
            wrong += [] if backup.returncode == 0 else [f"the backup failed: {backup.stderr}"]
            wrong += [] if _is_healthy(service) else ["not healthy before"]
            _overwrite(service.database, "projects")
            answer = plainly(service, "GET", "/api/v1/projects?limit=1000")
            refused = plainly(service, "POST", "/api/v1/projects", {"slug": "after-the-damage"})
            deep = plainly(service, "GET", "/health/deep")
            told = deep.told("checks", "database", "details") or {}
            doctor = _hefesto(service, "doctor")
            print(
                f"  a read of the page: {answer.status} {answer.reason}; "
                f"a write: {refused.status} {refused.reason}"
            )
            print(f"  /health/deep: {deep.status} {told.get('reason')}: {str(told.get('problems'))[:80]}")
            print(f"  doctor: {doctor.returncode}; metrics: {_metric(service)}")
            statuses = {answer.status, refused.status}
            wrong += [] if statuses <= {200, 201, 503} else [f"answered with {statuses}"]
            wrong += (
                [] if (deep.status, told.get("reason")) == (503, "damaged") else ["/health/deep is silent"]
            )
            wrong += [] if "restore" in str(told.get("remedy")) else ["/health/deep tells no remedy"]
            wrong += [] if doctor.returncode == 1 and "damaged" in doctor.stdout else ["the doctor is silent"]
            wrong += [] if "restore" in doctor.stdout else ["the doctor tells no remedy"]
            wrong += [] if _metric(service) == "1.0" else ["the metric is silent"]
        check = _hefesto(service, "db", "check")
        print(f"  db check: {check.returncode}: {(check.stderr.splitlines() or [''])[0][:100]}")
        wrong += [] if check.returncode == 1 else ["db check is silent"]
        restored = _hefesto(service, "db", "restore", str(folder / "backup.db"))
        wrong += [] if restored.returncode == 0 else [f"restore failed: {restored.stderr}"]
        with served(folder) as service:
            asking.use(service)
            lost = asking.lost()
            print(
                f"  restored: healthy {_is_healthy(service)}; of {len(asking.acknowledged)} lost {len(lost)}"
            )
            wrong += [f"lost after the backup was restored: {one}" for one in lost[:5]]
            wrong += [] if _is_healthy(service) else ["not healthy after the backup was restored"]
    return wrong


def _overwrite(database: Path, table: str) -> None:
    """Write what means nothing over a table's first page, once all of it is in the file."""
    with closing(sqlite3.connect(database)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = db.execute("PRAGMA page_size").fetchone()[0]
        root = db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()[0]
    with database.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(os.urandom(size))
        os.fsync(file.fileno())


def _hefesto(service: Service, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hefesto_api", *words],
        env=service.environ, cwd=service.folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


def _is_healthy(service: Service) -> bool:
    return bool(plainly(service, "GET", "/health/deep").told("checks", "database", "status") == "healthy")


def _metric(service: Service) -> str:
    lines = service.fetch("GET", "/metrics").decode().splitlines()
    return next((line.split()[1] for line in lines if line.startswith("hefesto_database_damaged ")), "")
