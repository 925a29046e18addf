"""The dashboard's page and its files: as they were built, else the plain page."""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING

import pytest
from hefesto_api.web import frontend

if TYPE_CHECKING:
    from pathlib import Path

    from flask.testing import FlaskClient

SCRIPT = b"console.log('the page')\n"
# Both processes of a run give a case the same name only if the stamp within is the same.
PACKED = gzip.compress(SCRIPT, mtime=0)
PAGE = (
    b'<!doctype html><title>Hefesto</title><script type="module" src="/dashboard/assets/app-1.js"></script>'
)


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A build in a folder of its own."""
    assets = tmp_path / "app" / "assets"
    assets.mkdir(parents=True)
    (tmp_path / "app" / "index.html").write_bytes(PAGE)
    (assets / "app-1.js").write_bytes(SCRIPT)
    (assets / "app-1.js.gz").write_bytes(PACKED)
    (assets / "app-1.js.br").write_bytes(b"packed")
    (assets / "app-1.css").write_bytes(b"body{}")
    monkeypatch.setattr(frontend, "BUILT", tmp_path / "app")
    return tmp_path / "app"


@pytest.mark.usefixtures("build")
@pytest.mark.parametrize("path", ["/dashboard", "/dashboard/alerts/17", "/dashboard/findings?severity=HIGH"])
def test_every_address_of_the_dashboard_is_one_page(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.data, answer.mimetype) == (200, PAGE, "text/html")
    again = client.get(path, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.usefixtures("build")
def test_the_page_runs_nothing_but_its_own_files(client: FlaskClient) -> None:
    policy = client.get("/dashboard").headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "style-src 'self'" in policy
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy


@pytest.mark.usefixtures("build")
@pytest.mark.parametrize(
    ("accepted", "coding", "body"),
    [
        ("gzip, br", "br", b"packed"),
        ("gzip", "gzip", PACKED),
        ("identity", None, SCRIPT),
        ("br;q=0, gzip;q=0", None, SCRIPT),
    ],
)
def test_a_file_comes_as_small_as_the_client_takes_it(
    client: FlaskClient, accepted: str, coding: str | None, body: bytes
) -> None:
    answer = client.get("/dashboard/assets/app-1.js", headers={"Accept-Encoding": accepted})
    assert answer.status_code == 200
    assert answer.headers.get("Content-Encoding") == coding
    assert answer.data == body
    assert answer.mimetype == "text/javascript"
    assert "immutable" in answer.headers["Cache-Control"]
    assert "Accept-Encoding" in answer.headers["Vary"]


@pytest.mark.usefixtures("build")
@pytest.mark.parametrize("name", ["nothing.js", "app-1.js.gz", "index.html"])
def test_nothing_but_the_files_of_the_build_is_answered(client: FlaskClient, name: str) -> None:
    assert client.get(f"/dashboard/assets/{name}").status_code == 404


def test_a_new_build_is_shown_at_once(client: FlaskClient, build: Path) -> None:
    assert client.get("/dashboard").data == PAGE
    (build / "index.html").write_bytes(b"newer")
    (build / "index.html").touch()
    assert client.get("/dashboard").data == b"newer"


def test_without_a_build_there_is_a_plain_page(
    client: FlaskClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frontend, "BUILT", tmp_path / "nowhere")
    assert b"Latest analyses" in client.get("/dashboard").data
    assert client.get("/dashboard/findings").status_code == 404
    assert client.get("/dashboard/assets/app-1.js").status_code == 404


def test_what_was_built_is_whole_and_small(client: FlaskClient) -> None:
    if frontend.built() is None:
        pytest.skip("the dashboard is not built: make dashboard")
    page = client.get("/dashboard", headers={"Accept-Encoding": "gzip"})
    weight = len(page.data)
    for name in re.findall(r'/dashboard/assets/([^"]+)', client.get("/dashboard").get_data(as_text=True)):
        answer = client.get(f"/dashboard/assets/{name}", headers={"Accept-Encoding": "gzip"})
        assert answer.status_code == 200
        weight += len(answer.data)
    assert weight < 150 * 1024
