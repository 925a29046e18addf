"""A rare name in an alert's message leads the service to code that is not in the trace."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api.features.iris import words
from hefesto_api.storage import code_words, correlation_inputs, projects
from tests.answers import data_of
from tests.cli.conftest import argv

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.features.conftest import Service

ORDERS = """\
def total(order):
    return sum(order["gross_amount"] for _ in order["items"])


def checkout(order):
    return {"total": total(order)}
"""
CARTS = """\
def unrelated(cart):
    return len(cart)


def as_order(cart):
    return {"items": cart.items, "grossAmount": cart.total, "gross_amount": cart.total or None}
"""
TRACE = """\
Traceback (most recent call last):
  File "/srv/shop/shop/orders.py", line 6, in checkout
    return {"total": total(order)}
  File "/srv/shop/shop/orders.py", line 2, in total
    return sum(order["gross_amount"] for _ in order["items"])
KeyError: 'gross_amount'
"""


def analysed(service: Service, **more: Any) -> None:
    asked = {"path": ".", "project": "shop", "async": True, **more}
    assert service.client.post("/api/v1/analyze", json=asked).status_code == 202
    service.worker.drain()


def suspects(service: Service, trace: str = TRACE, alert_id: str = "A-1") -> list[tuple[str, str]]:
    alert = {"alert_id": alert_id, "project": "shop", "stacktrace": trace}
    answer = service.client.post("/api/v1/iris/correlate-alert", json=alert)
    assert answer.status_code == 200, answer.get_json()
    return [(one["file_path"], one["function_name"]) for one in data_of(answer)["suspect_functions"]]


def state(service: Service) -> str | None:
    """Return what the correlations of the project take for the state of its index."""
    with service.runtime.db.read() as session:
        latest = correlation_inputs.latest_analysis(session, projects.get(session, "shop").id)
    assert latest is not None
    return latest.words


@pytest.fixture
def shop(make_service: Callable[..., Service], db_url: str) -> Service:
    """A project on each database in turn, of two files that know nothing of each other; not yet analysed."""
    made = make_service(db_url)
    made.write("shop/orders.py", ORDERS)
    made.write("shop/carts.py", CARTS)
    return made


def test_who_else_has_a_rare_key_is_a_suspect(shop: Service) -> None:
    analysed(shop)
    found = suspects(shop)
    assert ("shop/carts.py", "as_order") in found
    assert ("shop/carts.py", "unrelated") not in found


def test_once_the_name_is_gone_it_leads_there_no_more(shop: Service) -> None:
    analysed(shop)
    assert ("shop/carts.py", "as_order") in suspects(shop)
    shop.write("shop/carts.py", CARTS.replace("gross_amount", "price"))
    analysed(shop)
    assert [path for path, _ in suspects(shop) if path == "shop/carts.py"] == []


def test_a_name_that_came_leads_there_also_for_a_crash_that_was_seen_before(shop: Service) -> None:
    shop.write("shop/carts.py", CARTS.replace("gross_amount", "price"))
    analysed(shop)
    assert [path for path, _ in suspects(shop) if path == "shop/carts.py"] == []
    shop.write("shop/carts.py", CARTS)
    analysed(shop)
    assert ("shop/carts.py", "as_order") in suspects(shop)


def test_a_name_that_many_files_have_leads_nowhere_and_tests_are_not_counted(shop: Service) -> None:
    for number in range(9):
        shop.write(f"tests/test_{number}.py", CARTS)
    analysed(shop)
    assert ("shop/carts.py", "as_order") in suspects(shop)
    for number in range(3):
        shop.write(f"shop/more{number}.py", CARTS)
    analysed(shop)
    assert {path for path, _ in suspects(shop)} == {"shop/orders.py"}


def test_an_index_that_is_older_than_the_latest_analysis_is_not_asked(shop: Service) -> None:
    analysed(shop)
    with shop.runtime.db.write() as session:
        session.execute(code_words.code_words.update().values(analysed_at=datetime(2020, 1, 1, tzinfo=UTC)))
    assert {path for path, _ in suspects(shop)} == {"shop/orders.py"}
    words.ask_for_outdated(shop.runtime.db)
    shop.worker.drain()
    assert ("shop/carts.py", "as_order") in suspects(shop)


def test_an_analysis_that_found_nothing_new_leaves_the_index_good(shop: Service) -> None:
    analysed(shop)
    before, made = state(shop), _made_at(shop)
    analysed(shop)
    assert before
    assert (state(shop), _made_at(shop)) == (before, made)


def test_an_import_of_findings_leaves_the_index_good(shop: Service) -> None:
    analysed(shop)
    report = {"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "other"}}, "results": []}]}
    answer = shop.client.post("/api/v1/findings/import?project=shop", json=report)
    assert answer.status_code == 200, answer.get_json()
    assert state(shop)
    assert ("shop/carts.py", "as_order") in suspects(shop)


def test_files_that_cannot_be_read_any_more_make_no_index(shop: Service) -> None:
    analysed(shop, path="shop")
    assert state(shop)
    shop.client.post(
        "/api/v1/analyze",
        json={"files": [{"path": "lib/sent.py", "content": CARTS}], "project": "shop", "async": True},
    )
    shop.worker.drain()
    assert state(shop) is None
    suspects(shop)
    analysed(shop)
    assert ("shop/carts.py", "as_order") in suspects(shop)


def test_without_an_index_the_answer_is_that_of_the_trace_until_the_upkeep_asks_for_one(
    shop: Service,
) -> None:
    analysed(shop)
    with shop.runtime.db.write() as session:
        session.execute(code_words.code_words.delete())
    for _ in range(2):  # the second time the crash is remembered
        assert {path for path, _ in suspects(shop)} == {"shop/orders.py"}
    words.ask_for_outdated(shop.runtime.db)
    words.ask_for_outdated(shop.runtime.db)
    assert shop.worker.drain() == 1
    assert ("shop/carts.py", "as_order") in suspects(shop)
    words.ask_for_outdated(shop.runtime.db)
    assert shop.worker.drain() == 0


def test_hostile_files_and_names_do_nothing_bad(shop: Service) -> None:
    shop.write("shop/long.py", "x" * 900_000)
    shop.write("shop/many.py", "\n".join(f"name_{number} = 1" for number in range(30_000)))
    shop.write("shop/huge.py", "gross_amount = 1\n" * 100_000)
    shop.write("shop/narrow.py", "naïve_gross_amount = 1\n")
    analysed(shop)
    folder = shop.root / "shop"
    (folder / "long.py").write_bytes(b"\0gross_amount" * 1000)  # binary by now
    (folder / "many.py").unlink()
    os.mkfifo(folder / "many.py")
    (folder / "narrow.py").unlink()
    (folder / "narrow.py").symlink_to("/etc/passwd")
    for number in range(30):
        shop.write(f"shop/more{number}.py", f"value{number} = 1\n")
    analysed(shop)
    assert state(shop)
    assert ("shop/carts.py", "as_order") in suspects(shop)
    for name in ("\\ud800_x_y", "a_b" * 20, "%s_%d", "été_de_là", "\\0gross_amount", "../gross_amount", "__"):
        suspects(shop, TRACE.replace("gross_amount'\n", f"{name}'\n"), alert_id=name)


def test_a_project_too_large_has_none(shop: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in ("MOST_FILES", "MOST_BYTES", "MOST_WORDS"):
        with monkeypatch.context() as patched:
            patched.setattr(words, limit, 1)
            shop.write("shop/more.py", f"{limit} = 1\n")
            analysed(shop)
            assert state(shop) is None
            assert {path for path, _ in suspects(shop)} == {"shop/orders.py"}
    shop.write("shop/more.py", "")
    analysed(shop)
    assert ("shop/carts.py", "as_order") in suspects(shop)


def test_the_index_goes_with_its_project(shop: Service) -> None:
    analysed(shop)
    assert shop.client.delete("/api/v1/projects/shop").status_code == 204
    with shop.runtime.db.read() as session:
        assert session.execute(code_words.code_words.select()).all() == []


def test_the_command_line_suspects_the_same(idle: Service) -> None:
    idle.write("shop/orders.py", ORDERS)
    idle.write("shop/carts.py", CARTS)
    analysed(idle)
    done = subprocess.run(
        argv("correlate", "--repo", idle.root, "--format", "json"), input=TRACE, capture_output=True,
        text=True, check=True, timeout=60, env={**os.environ, "XDG_CACHE_HOME": str(idle.root / "cache")},
    )  # fmt: skip
    told = [(one["file_path"], one["function_name"]) for one in json.loads(done.stdout)["suspect_functions"]]
    assert ("shop/carts.py", "as_order") in told
    assert told == suspects(idle)


def _made_at(service: Service) -> Any:
    with service.runtime.db.read() as session:
        return session.execute(code_words.code_words.select()).one().made_at
