"""The map of hotspots, the dialog that asks how to ignore, exports and moving counts, in a browser."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from tests.e2e.looking import CART, MARKS, alert, look
from tests.e2e.test_service import Served
from tests.repositories import Repository

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = MARKS
RISKY = "import os\n\n\ndef run(name):\n    os.system('ls ' + name)\n"
ERROR = "KeyError: 'customer'"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The service with a repository, findings, a deployment and an alert that came twice."""
    made = Served(tmp_path_factory.mktemp("details"))
    shop = Repository(made.root / "shop")
    shop.commit("Open", cart_py=CART, lib__run_py=RISKY, lib__start_py=RISKY, web__stop_py=RISKY)
    shop.commit("Tax", cart_py=f"{CART}\nRATES = {{}}\n")
    made.start()
    made.call("POST", "/api/v1/projects", {"slug": "shop", "root_path": str(shop.folder)})
    wanted = {"path": "shop", "project": "shop", "severity_threshold": "LOW"}
    assert made.call("POST", "/api/v1/analyze", wanted)[1]["status"] == "completed"
    made.call("POST", "/api/v1/deployments", {"project": "shop", "release": "4.2.0"})
    for again in ("", "-again"):
        made.call("POST", "/api/v1/alerts", alert(f"known{again}", ERROR))
    yield made
    made.end(signal.SIGKILL)


def test_the_map_leads_to_the_findings_of_a_file(served: Served) -> None:
    look(served, "hotspots", "details")


def test_no_score_is_shown_of_days_before_the_first_analysis(served: Served) -> None:
    look(served, "score", "details")


def test_findings_are_ignored_with_a_reason_and_for_a_time(served: Served) -> None:
    look(served, "ignore", "details")


def test_occurrences_are_counted_before_ones_eyes(served: Served) -> None:
    look(served, "repeats", "details", alert=alert("known", ERROR), many=5)
