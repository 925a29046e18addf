"""The least that Flask can do: one route, one small answer."""

from __future__ import annotations

from flask import Flask

app = Flask(__name__)


@app.get("/")
@app.get("/readyz")
def fine() -> dict[str, bool]:
    """Answer."""
    return {"ok": True}
