"""`hefesto correlate`: a trace in, the function at fault out, without a server."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from tests.cli.conftest import Hefesto

CODE = """
def find(items, name):
    for item in items:
        if item.name == name:
            return item


def total(items, name):
    item = find(items, name)
    return item.price * 2
"""
TRACE = """Traceback (most recent call last):
  File "/srv/release/pay/cart.py", line 10, in total
    return item.price * 2
AttributeError: 'NoneType' object has no attribute 'price'
"""


@pytest.fixture
def shop(tree: Path) -> Path:
    (tree / "pay" / "cart.py").write_text(CODE)
    return tree


def run(
    hefesto: Hefesto, cwd: Path, *arguments: str | Path, text: str = TRACE
) -> subprocess.CompletedProcess[str]:
    return hefesto("correlate", *arguments, cwd=cwd, text=text)


def test_a_trace_on_standard_input_leads_to_the_code(hefesto: Hefesto, shop: Path) -> None:
    done = run(hefesto, shop)
    assert (done.returncode, done.stderr) == (0, "")
    assert "AttributeError" in done.stdout
    assert "total  pay/cart.py:10" in done.stdout
    assert "return item.price * 2" in done.stdout
    assert "none of these" in done.stdout
    assert "\x1b" not in done.stdout


def test_json_has_the_shape_of_the_services_answer(hefesto: Hefesto, shop: Path) -> None:
    answer = json.loads(run(hefesto, shop, "--format", "json").stdout)
    first = answer["suspect_functions"][0]
    assert (first["file_path"], first["function_name"], first["line_number"]) == ("pay/cart.py", "total", 10)
    assert set(first["evidence"][0]) == {"feature", "value", "contribution"}
    assert answer["frames"][0]["project_path"] == "pay/cart.py"
    assert answer["frames"][0]["in_app"] is True
    assert {
        "correlation_id", "alert_id", "correlation_found", "confidence_score", "matching_findings",
        "suspect_commits", "suggested_root_cause", "related_files", "recommended_actions", "cost_estimate",
        "model_version",
    } <= set(answer)  # fmt: skip


def test_a_file_and_another_folder(hefesto: Hefesto, shop: Path, tmp_path: Path) -> None:
    file = tmp_path / "trace.txt"
    file.write_text(TRACE)
    done = run(hefesto, tmp_path, file, "--repo", shop)
    assert "total  pay/cart.py:10" in done.stdout


def test_a_mapping_of_paths(hefesto: Hefesto, shop: Path) -> None:
    text = TRACE.replace("/srv/release/pay/", "/bundle/x/")
    mapped = run(hefesto, shop, "--map", "/bundle/x=pay", "--format", "json", text=text)
    assert json.loads(mapped.stdout)["frames"][0]["project_path"] == "pay/cart.py"


def test_it_says_so_when_it_knows_nothing(hefesto: Hefesto, shop: Path) -> None:
    for text in ("", "all is well\n", TRACE.replace("cart.py", "unheard_of.py")):
        done = run(hefesto, shop, text=text)
        assert done.returncode == 0
        assert "Nobody is suspected" in done.stdout
        assert "What to do" in done.stdout


def test_wrong_use_is_2_and_what_cannot_be_read_is_3(hefesto: Hefesto, shop: Path) -> None:
    assert run(hefesto, shop, "--map", "nonsense").returncode == 2
    assert run(hefesto, shop, "--repo", shop / "nowhere").returncode == 2
    missing = run(hefesto, shop, shop / "nowhere.txt")
    assert missing.returncode == 3
    assert "nowhere.txt" in missing.stderr


def test_findings_of_an_earlier_analysis_take_part(hefesto: Hefesto, shop: Path) -> None:
    code = 'def names(db, user):\n    return db.execute(f"SELECT * FROM users WHERE name = {user}")\n'
    (shop / "pay" / "names.py").write_text(code)
    trace = """Traceback (most recent call last):
  File "/srv/pay/names.py", line 2, in names
    return db.execute(f"SELECT * FROM users WHERE name = {user}")
sqlite3.OperationalError: near "O": syntax error
"""
    assert json.loads(run(hefesto, shop, "--format", "json", text=trace).stdout)["matching_findings"] == []
    assert hefesto("analyze", shop, "--quiet").returncode == 0
    answer = json.loads(run(hefesto, shop, "--format", "json", text=trace).stdout)
    (match,) = answer["matching_findings"]
    assert (match["file_path"], match["line_number"]) == ("pay/names.py", 2)
    assert answer["correlation_found"] is True


def test_the_trace_drives_no_terminal(hefesto: Hefesto, shop: Path) -> None:
    done = run(hefesto, shop, text=TRACE.replace("'NoneType'", "'\x1b[2J\x9b31mNone'"))
    assert "\x1b" not in done.stdout
    assert "\x9b" not in done.stdout


def test_nothing_is_written_into_the_tree(hefesto: Hefesto, shop: Path) -> None:
    before = sorted(shop.rglob("*"))
    run(hefesto, shop)
    assert sorted(shop.rglob("*")) == before


def test_a_rare_name_in_the_message_leads_to_code_that_is_not_in_the_trace(
    hefesto: Hefesto, shop: Path
) -> None:
    (shop / "pay" / "terms.py").write_text("def load_terms(raw):\n    return {'grace_days': raw.days}\n")
    (shop / "pay" / "cart.py").write_text("def due(terms):\n    return terms[NAMES[0]]\n")
    trace = 'Traceback (most recent call last):\n  File "/srv/release/pay/cart.py", line 2, in due\n'
    done = run(hefesto, shop, "--format", "json", text=f"{trace}KeyError: 'grace_days'\n")
    named = [(one["file_path"], one["function_name"]) for one in json.loads(done.stdout)["suspect_functions"]]
    assert ("pay/terms.py", "load_terms") in named
