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
    pytest.mark.timeout(600),
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


class Looker:
    """A script of checks with its browser, which looks at one page after the other."""

    def __init__(self, script: str) -> None:
        self._process = subprocess.Popen(
            ["node", f"check/{script}.mjs"],
            cwd=ROOT,
            env={**os.environ, "CHROMIUM": str(BROWSER)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def wrong(self, check: str, url: str, given: dict[str, Any]) -> list[str]:
        """Run checks (named with commas between them) and return what is wrong."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"check": check, "url": url, "given": given}) + "\n")
        self._process.stdin.flush()
        found: list[str] = json.loads(self._process.stdout.readline())
        return found

    def end(self) -> None:
        """Close the browser; one that does not answer is ended."""
        try:
            self._process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()


_lookers: dict[str, Looker] = {}


def look(served: Served, check: str, script: str = "check", **given: Any) -> None:
    """Run a check of the page; it may find nothing."""
    if script not in _lookers:
        _lookers[script] = Looker(script)
    try:
        wrong = _lookers[script].wrong(check, f"http://127.0.0.1:{served.port}", given)
    except BaseException:  # it is in the middle of something: the next check wants a sound one
        _lookers.pop(script).end()
        raise
    assert not wrong, "\n".join(wrong)


def end_all() -> None:
    """Close every browser."""
    while _lookers:
        _lookers.popitem()[1].end()
