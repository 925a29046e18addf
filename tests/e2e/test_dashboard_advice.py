"""Advice on the page of an alert, in a browser, over the whole service and a stand-in of a model."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from tests.e2e.looking import CART, MARKS, alert, look
from tests.e2e.test_service import Served
from tests.features.model import ModelStandIn

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = MARKS
SAID = "The customer has no rate.\n\n<b>Mend</b>: ask for one."


@pytest.mark.parametrize("check", ["advice", "none"])
def test_the_page_of_an_alert(tmp_path: Path, check: str) -> None:
    with ModelStandIn() as model:
        model.text = SAID
        named = {
            "HEFESTO_LLM_URL": model.url,
            "HEFESTO_LLM_MODEL": "m",
            "HEFESTO_LLM_MONTHLY_BUDGET_USD": "1",
        }
        served = Served(tmp_path, **(named if check == "advice" else {}))
        (served.root / "cart.py").write_text(CART)
        served.start()
        try:
            served.call("POST", "/api/v1/projects", {"slug": "shop", "root_path": str(served.root)})
            served.call("POST", "/api/v1/analyze", {"path": ".", "project": "shop"})
            crash = alert("one", "KeyError: 'customer'")
            told = served.call("POST", "/api/v1/iris/correlate-alert", crash)[1]
            look(served, check, "advice", alert=told["recorded_alert_id"], said=SAID)
        finally:
            served.end(signal.SIGKILL)
