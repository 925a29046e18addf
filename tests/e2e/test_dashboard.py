"""The dashboard in a browser, over the whole service: what is shown, done, typed and kept."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.e2e.looking import CART, MARKS, alert, look
from tests.e2e.test_service import Served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = MARKS
RISKY = "import os\n\n\ndef run(name):\n    os.system('ls ' + name)\n"
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The service, to which nobody sent anything."""
    made = Served(tmp_path_factory.mktemp("empty"))
    made.start()
    yield made
    made.end(signal.SIGKILL)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The service with a project, findings, a deployment and alerts."""
    made = Served(tmp_path_factory.mktemp("served"))
    (made.root / "cart.py").write_text(CART)
    for number in range(20):
        (made.root / f"run{number}.py").write_text(RISKY)
    made.start()
    made.call("POST", "/api/v1/projects", {"slug": "shop", "root_path": str(made.root)})
    wanted = {"path": ".", "project": "shop", "severity_threshold": "LOW"}
    assert made.call("POST", "/api/v1/analyze", wanted)[1]["status"] == "completed"
    made.call("POST", "/api/v1/deployments", {"project": "shop", "release": "4.2.0"})
    for again in ("", "-again"):
        sent = alert(f"known{again}", "KeyError: 'customer'")
        made.call("POST", "/api/v1/alerts", sent)
        sent = alert(f"hostile{again}", f"ValueError: {HOSTILE}", title=HOSTILE, error_message=HOSTILE)
        made.call("POST", "/api/v1/alerts", sent)
    yield made
    made.end(signal.SIGKILL)


def test_every_page_shows_its_data_without_a_complaint_or_a_barrier(served: Served) -> None:
    look(served, "pages")


def test_an_alert_is_seen_as_it_arrives_and_looked_after(served: Served) -> None:
    sent = alert("fresh", "TypeError: unsupported operand type(s) for *: 'NoneType' and 'float'")
    look(served, "alert", alert=sent, error_type="TypeError", suspect="price")


def test_a_suspect_is_confirmed(served: Served) -> None:
    look(served, "feedback", alert_id="known")


def test_findings_are_decided_about_by_keyboard_alone(served: Served) -> None:
    look(served, "triage")


def test_text_of_others_stays_text(served: Served) -> None:
    look(served, "hostile", alert_id="hostile")


def test_a_fresh_installation_says_what_to_do_next(empty: Served) -> None:
    look(empty, "empty")


def test_who_reads_shows_a_key_where_one_is_wanted(tmp_path: Path) -> None:
    closed = Served(
        tmp_path, HEFESTO_AUTH="required", HEFESTO_SECRET_KEY="a key of tests that is long enough to be one"
    )
    closed.start()
    try:
        argv = [sys.executable, "-m", "hefesto_api", "keys", "create", "--name", "page", "--role", "viewer"]
        told = subprocess.run(
            argv, cwd=tmp_path, env=closed.environ, capture_output=True, text=True, check=True
        )
        key = next(word for word in told.stdout.split() if word.startswith("hef_"))
        look(closed, "token", key=key, refused=True)
    finally:
        closed.end(signal.SIGKILL)
