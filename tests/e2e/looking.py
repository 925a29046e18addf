"""What tests of the dashboard in a browser share: what they need, the shop, and looking at a page."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api.web import frontend

if TYPE_CHECKING:
    from tests.e2e.test_service import Served

ROOT = Path(__file__).parents[2] / "dashboard"
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NEEDED = {
    "the dashboard is not built: make dashboard": frontend.built() is not None,
    "there is no Chromium": BROWSER is not None,
    "there is no Node.js": shutil.which("node") is not None,
    "what the checks need is not there: make check": (ROOT / "node_modules/playwright-core").is_dir(),
}
MARKS = [
    pytest.mark.e2e,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        not all(NEEDED.values()), reason="; ".join(told for told, holds in NEEDED.items() if not holds)
    ),
]
CART = '''"""The cart."""


def price(item, rates):
    """Return what an item costs."""
    return item["price"] * rates[item["customer"]]


def total(items, rates):
    """Add up a cart."""
    return sum(price(item, rates) for item in items)
'''


def trace(error: str) -> str:
    """Return a trace through the cart."""
    return (
        "Traceback (most recent call last):\n"
        '  File "/srv/app/cart.py", line 11, in total\n'
        "    return sum(price(item, rates) for item in items)\n"
        '  File "/srv/app/cart.py", line 6, in price\n'
        '    return item["price"] * rates[item["customer"]]\n'
        f"{error}\n"
    )


def alert(alert_id: str, error: str, **more: Any) -> dict[str, Any]:
    """Return an alert of the shop."""
    told = {"alert_id": alert_id, "project": "shop", "service_name": "checkout", "severity": "critical"}
    return {**told, "stacktrace": trace(error), **more}


def look(served: Served, check: str, script: str = "check", **given: Any) -> None:
    """Run a check of the page; it may find nothing."""
    argv = ["node", f"check/{script}.mjs", check, f"http://127.0.0.1:{served.port}", json.dumps(given)]
    environ = {**os.environ, "CHROMIUM": str(BROWSER)}
    done = subprocess.run(
        argv, cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
