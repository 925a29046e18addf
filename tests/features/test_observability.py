"""Watching: every metric is documented, every query asks for one that there is, and the rules fire."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api.adapters import metrics_folder
from hefesto_api.adapters.metrics_server import MetricsServer
from hefesto_api.domain.errors import UsageError
from hefesto_api.features.health import gauges
from hefesto_api.worker import KINDS
from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Flask
    from flask.testing import FlaskClient
    from hefesto_api.runtime import Runtime

HOME = Path(__file__).parents[2]
PROMETHEUS, DASHBOARD = HOME / "deploy" / "prometheus", HOME / "deploy" / "grafana" / "hefesto.json"
NAME = re.compile(r"\bhefesto_[a-z0-9_]+")
JOBS = {
    "hefesto_check",
    "hefesto_deep_check",
    "hefesto_basic",
    "hefesto_deep",
}  # of prometheus.yml, no metrics


@pytest.fixture
def families(client: FlaskClient, app: Flask) -> dict[str, str]:
    """The metrics that there are, by the names that queries use, with their types."""
    told: Runtime = app.extensions["hefesto"]
    count = told.metrics
    count.count_arrival("native", "accepted")
    count.count_job("analysis", "succeeded", 0.1)
    count.count_analysis("completed", 0.1)
    count.count_correlation("found", 0.1)
    count.count_delivery("delivered", 0.1)
    count.count_cache("l1", hit=True)
    count.count_evictions("l1")
    count.hold_entries("l1", 1)
    count.failed("busy")
    client.get("/livez")
    found = {}
    for one in text_string_to_metric_families(client.get("/metrics").text):
        found[one.name + ("_total" if one.type == "counter" else "")] = one.type
    return found


def asked_for(text: str) -> set[str]:
    """Return the metrics that queries ask for."""
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in NAME.findall(text)} - JOBS


def test_every_metric_is_documented_and_no_other(families: dict[str, str]) -> None:
    rows = re.findall(
        r"^\| `(hefesto_\w+)` \| (\w+) \|", (HOME / "docs" / "observability.md").read_text(), re.MULTILINE
    )
    assert dict(rows) == families


def test_names_follow_the_rules(families: dict[str, str]) -> None:
    for name, kind in families.items():
        assert (kind == "counter") == name.endswith("_total"), name
        assert not re.search(r"_(ms|milliseconds|minutes|kb|mb|percent)(_|$)", name), name
        if kind == "histogram":
            assert name.endswith("_seconds"), name


def test_the_dashboard_asks_for_metrics_that_there_are(families: dict[str, str]) -> None:
    board = json.loads(DASHBOARD.read_text())
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    for panel in panels:
        assert panel["targets"], panel["title"]
        for target in panel["targets"]:
            names = asked_for(target["expr"])
            assert names, target
            assert names <= set(families), panel["title"]
    unwatched = {"hefesto_build_info", "hefesto_database_up", "hefesto_up", "hefesto_database_damaged"}
    shown = {name for panel in panels for target in panel["targets"] for name in asked_for(target["expr"])}
    assert set(families) - shown <= unwatched | {"hefesto_process_start_time_seconds"}


def test_the_alerts_ask_for_metrics_that_there_are(families: dict[str, str]) -> None:
    rules = (PROMETHEUS / "alerts.yml").read_text()
    expressions = "\n".join(
        re.findall(r"expr: (?:\|\n((?:\s{10,}.*\n)+)|(.*))", rules).__str__().splitlines()
    )
    assert asked_for(expressions) <= set(families)
    page = (HOME / "docs" / "observability.md").read_text().lower()
    for anchor in re.findall(r"runbook: docs/observability\.md#(\w+)", rules):
        assert f"### {anchor}\n" in page


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_takes_it_all(client: FlaskClient) -> None:
    for words, given in (
        (["check", "metrics"], client.get("/metrics").text),
        (["check", "config", "prometheus.yml"], None),
        (["test", "rules", "alerts.test.yml"], None),
    ):
        done = subprocess.run(
            ["promtool", *words], cwd=PROMETHEUS, input=given, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert not (words[1] == "metrics" and done.stderr), done.stderr


def test_every_kind_of_job_is_told_of() -> None:
    assert set(KINDS) <= set(gauges.KINDS)


def test_processes_are_told_of_as_one(tmp_path: Path) -> None:
    """Two processes count, one of them ends, the other tells of both, and no gauge of the dead is left."""
    code = """
import os, sys
from pathlib import Path
from hefesto_api.adapters import metrics_folder
from hefesto_api.adapters.metrics import Metrics
folder = Path(os.environ[metrics_folder.VARIABLE])
made = os.fork()
counts = Metrics("worker" if made == 0 else "web")
counts.count_job("analysis", "succeeded", 0.1)
counts.hold_connections(3)
counts.sample()
if made == 0:
    os._exit(0)
os.waitpid(made, 0)
before = counts.exposition(list)
metrics_folder.forget_the_dead(folder)
sys.stdout.buffer.write(before + b"----" + counts.exposition(list))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    before, after = done.stdout.split("----")
    for told, connections in ((before, 6.0), (after, 3.0)):
        assert 'hefesto_jobs_total{kind="analysis",result="succeeded"} 2.0' in told
        assert f"hefesto_live_connections {connections}" in told
    assert 'hefesto_processes{role="worker"} 1.0' in before
    assert 'hefesto_processes{role="worker"}' not in after


@pytest.mark.enable_socket
def test_a_worker_tells_of_itself(app: Flask) -> None:
    held: Runtime = app.extensions["hefesto"]
    held.metrics.count_job("analysis", "succeeded", 0.1)
    server = MetricsServer(0, lambda: held.metrics.exposition(lambda: gauges.now(held)))
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=60) as answer:
            told = answer.read().decode()
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(f"http://127.0.0.1:{server.port}/", timeout=60)
        with pytest.raises(UsageError, match="cannot be bound"):
            MetricsServer(server.port, lambda: b"")
    finally:
        server.close()
    assert 'hefesto_jobs_total{kind="analysis",result="succeeded"} 1.0' in told
    assert "hefesto_database_up 1.0" in told


def test_the_folder_of_a_killed_service_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_folder, "_SHARED", tmp_path)
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    living = metrics_folder.make()
    left = tmp_path / living.name.replace(str(os.getpid()), str(ended.pid))
    other = tmp_path / "hefesto-metrics"
    for folder in (left, other):
        folder.mkdir()
    made = metrics_folder.make()
    assert made.parent == tmp_path
    assert [folder.exists() for folder in (left, other, living)] == [False, True, True]
    metrics_folder.remove(made)
    assert not made.exists()


class Answering(BaseHTTPRequestHandler):
    """Answers every check with what the test says."""

    body = b""

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def answering() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.enable_socket
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b'{"success":true,"data":{"status":"healthy","checks":{}}}', 0, ""),
        (
            b'{"success":true,"data":{"status":"degraded","checks":{"disk":{"status":"degraded"}}}}',
            1,
            "disk degraded",
        ),
        (b'{"success":true,"data":{"status":"unhealthy","checks":{}}}', 2, "unhealthy"),
        (b"<html>", 2, "unhealthy"),
    ],
)
def test_the_check_says_what_is_wrong(
    answering: str, body: bytes, status: int, said: str, tmp_path: Path
) -> None:
    Answering.body = body
    script = HOME / "deploy" / "checks" / "hefesto-check"
    done = subprocess.run(
        [str(script), "deep", answering],
        env={"PATH": "/usr/bin:/bin", "CHECK_TEXTFILE": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, said in done.stderr) == (status, True), done.stderr
    assert f'{{kind="deep"}} {status}' in (tmp_path / "hefesto_check_deep.prom").read_text()
