"""The users of the scenarios, for locust: `locust -f benchmarks/load/users.py Reader Writer Listener`.

They ask about the findings of `benchmarks.finding_rows`, as many as HEFESTO_LOAD_FINDINGS says, and analyse
the folders beneath HEFESTO_LOAD_TREE.
"""

from __future__ import annotations

import os
import random
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import locust
from locust import FastHttpUser, User, between, constant, constant_throughput, task

from benchmarks import finding_rows
from benchmarks.load.sockets import Socket

FINDINGS = int(os.environ.get("HEFESTO_LOAD_FINDINGS", "10000"))
TREE = Path(os.environ.get("HEFESTO_LOAD_TREE", "."))
SOCKET_MESSAGE = "socket message"
"""The name of what is reported for each message of a socket: from its event's commit until it was read."""
FILE = "file"
"""The name of what is reported for each file of a batch: its share of the time that the batch took."""
FOLDERS_OF_A_BATCH = 5
_events: Any = locust.events
TRACE = """Traceback (most recent call last):
  File "/srv/app/shop/api.py", line 88, in checkout
    user = load_user(request.args["uid"])
  File "/srv/app/shop/db.py", line {line}, in load_{line}
    return users[row["uid"]]
KeyError: 'uid{line}'
"""


def a_finding() -> str:
    """Return the id of any finding."""
    return finding_rows.finding_id(random.randrange(FINDINGS))  # noqa: S311


def a_project() -> str:
    """Return the slug of any project."""
    return finding_rows.slug(random.randrange(finding_rows.PROJECTS))  # noqa: S311


def an_alert(causes: int) -> dict[str, Any]:
    """Return an alert of one of so many causes."""
    line = random.randrange(causes)  # noqa: S311
    return {
        "alert_id": str(uuid.uuid4()),
        "error_type": "KeyError",
        "error_message": f"'uid{line}'",
        "stacktrace": TRACE.format(line=line),
        "timestamp": datetime.now(UTC).isoformat(),
        "service_name": "shop",
        "severity": "HIGH",
    }


def data_of(answer: Any) -> Any:
    """Return the data of an answer."""
    return answer.json()["data"]


def report(kind: str, name: str, took: float, error: Exception | None) -> None:
    """Report something that took so many milliseconds."""
    _events.request.fire(request_type=kind, name=name, response_time=took, response_length=0, exception=error)


class Reader(FastHttpUser):
    """Looks at lists, details and numbers, once a second."""

    wait_time = between(0.5, 1.5)

    @task(6)
    def look_at_findings(self) -> None:
        """Read the first page of a project."""
        self.client.get(f"/api/v1/findings?project={a_project()}", name="GET findings")

    @task(3)
    def look_at_one(self) -> None:
        """Read a finding with its history."""
        self.client.get(f"/api/v1/findings/{a_finding()}", name="GET findings/{id}")

    @task(1)
    def look_at_numbers(self) -> None:
        """Read a project's numbers."""
        self.client.get(f"/api/v1/metrics/summary?project={a_project()}", name="GET metrics/summary")


class Writer(FastHttpUser):
    """Decides about findings, sends alerts and acknowledges them, once a second."""

    wait_time = between(0.5, 1.5)

    @task(2)
    def decide(self) -> None:
        """Decide about a finding."""
        status = random.choice(("acknowledged", "wontfix", "reopen"))  # noqa: S311
        body = {"status": status, "comment": "Seen."}
        self.client.patch(f"/api/v1/findings/{a_finding()}", json=body, name="PATCH findings/{id}")

    @task(1)
    def tell(self) -> None:
        """Send an alert; acknowledge the latest."""
        self.client.post("/api/v1/alerts", json=an_alert(50), name="POST alerts")
        found = data_of(self.client.get("/api/v1/alerts?limit=1", name="GET alerts"))
        for alert in found["alerts"]:
            path = f"/api/v1/alerts/{alert['id']}/acknowledge"
            self.client.post(path, json={"comment": "Mine."}, name="POST alerts/{id}/acknowledge")


class Listener(User):
    """Holds a WebSocket and reads what it is told."""

    wait_time = constant(0)

    def on_start(self) -> None:
        """Connect."""
        self.socket = Socket(self.host or "")

    def on_stop(self) -> None:
        """Leave."""
        self.socket.close()

    @task
    def listen(self) -> None:
        """Read one message; those that tell of an event are timed."""
        try:
            told = self.socket.read()
        except (OSError, EOFError) as error:
            self._report(0.0, error)
            time.sleep(1)
            self.socket = Socket(self.host or "")
            return
        if told is not None and "event_id" in told.get("data", {}):
            happened = datetime.fromisoformat(told["timestamp"])
            self._report((datetime.now(UTC) - happened).total_seconds() * 1000)

    def _report(self, took: float, error: Exception | None = None) -> None:
        report("WS", SOCKET_MESSAGE, took, error)


class WebhookKeeper(FastHttpUser):
    """Keeps webhooks: makes one, reads, changes and removes it."""

    wait_time = between(0.1, 0.5)

    @task
    def keep(self) -> None:
        """Go through a webhook's life."""
        body = {"name": f"load {uuid.uuid4()}", "url": "https://hooks.example.com/x", "is_active": False}
        made = data_of(self.client.post("/api/v1/webhooks", json=body, name="POST webhooks"))
        path = f"/api/v1/webhooks/{made['id']}"
        self.client.get(path, name="GET webhooks/{id}")
        self.client.patch(path, json={"description": "Changed."}, name="PATCH webhooks/{id}")
        self.client.get("/api/v1/webhooks?limit=50", name="GET webhooks")
        self.client.get(f"{path}/health", name="GET webhooks/{id}/health")
        self.client.delete(path, name="DELETE webhooks/{id}")


class Acknowledger(FastHttpUser):
    """Acknowledges alerts, one and many at a time, and resolves them."""

    wait_time = between(0.1, 0.5)

    @task
    def work(self) -> None:
        """Take what is pending."""
        self.client.post("/api/v1/alerts", json=an_alert(10_000), name="POST alerts")
        listed = self.client.get("/api/v1/alerts?status=pending&limit=20", name="GET alerts")
        ids = [alert["id"] for alert in data_of(listed)["alerts"]]
        if ids:
            self.client.post(f"/api/v1/alerts/{ids[0]}/ack", json={}, name="POST alerts/{id}/ack")
            self.client.post(
                "/api/v1/alerts/acknowledge-batch", json={"ids": ids}, name="POST acknowledge-batch"
            )
            self.client.post(f"/api/v1/alerts/{ids[0]}/resolve", json={}, name="POST alerts/{id}/resolve")
        self.client.get("/api/v1/alerts/stats/summary", name="GET alerts/stats/summary")


class CacheKeeper(FastHttpUser):
    """Looks after the cache."""

    wait_time = between(0.1, 0.5)

    @task(5)
    def look(self) -> None:
        """Read how it does."""
        self.client.get("/api/v1/cache/stats", name="GET cache/stats")
        self.client.get("/api/v1/cache/health", name="GET cache/health")

    @task(1)
    def warm(self) -> None:
        """Fill it."""
        self.client.post("/api/v1/cache/warm", json={}, name="POST cache/warm")

    @task(1)
    def empty(self) -> None:
        """Forget some of it."""
        self.client.post(
            "/api/v1/cache/invalidate", json={"pattern": "findings*"}, name="POST cache/invalidate"
        )


class Storm(FastHttpUser):
    """Monitoring when much breaks at once: alerts of a few causes, as fast as they go."""

    wait_time = constant_throughput(5)

    @task
    def tell(self) -> None:
        """Send what monitoring sends."""
        alert = an_alert(40)
        body = {
            "alert_id": alert["alert_id"],
            "alert_type": "error",
            "timestamp": alert["timestamp"],
            "payload": alert,
        }
        self.client.post("/api/v1/iris/webhook", json=body, name="POST iris/webhook")


class Analyst(FastHttpUser):
    """Has batches of folders analysed, and waits for each."""

    wait_time = constant(0)

    def on_start(self) -> None:
        """See which folders there are, and how many files each holds."""
        self.sizes = {folder: len(list(folder.rglob("*.py"))) for folder in TREE.iterdir() if folder.is_dir()}
        self.folders = sorted(folder for folder, size in self.sizes.items() if size)

    @task
    def analyse(self) -> None:
        """Have a batch analysed; report its files, each with its share of the time."""
        folders = random.sample(self.folders, FOLDERS_OF_A_BATCH)
        body = {"paths": [str(folder) for folder in folders], "project": f"load-{uuid.uuid4().hex[:8]}"}
        began = time.perf_counter()
        batch = data_of(self.client.post("/api/v1/analyze/batch", json=body, name="POST analyze/batch"))
        path = f"/api/v1/analyze/batch/{batch['batch_id']}"
        while batch["status"] == "processing":
            time.sleep(0.2)
            batch = data_of(self.client.get(path, name="GET analyze/batch/{id}"))
        files = sum(self.sizes[folder] for folder in folders)
        failed = [result["error"] for result in batch["results"] if result["status"] != "success"]
        for _ in range(files):
            report(
                "JOB",
                FILE,
                (time.perf_counter() - began) * 1000 / files,
                RuntimeError(str(failed)) if failed else None,
            )
