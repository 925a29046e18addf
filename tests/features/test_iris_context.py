"""Code context: what stands at a line, at any commit; what is not known is no error, and nothing leaks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api.features.iris.context_schemas import CodeContextSchema
from hefesto_api.storage import jobs
from tests.answers import data_of, error_of
from tests.repositories import Repository

if TYPE_CHECKING:
    from tests.features.conftest import Service

ADDRESS = "/api/v1/iris/code-context"
CART = '''import os


class Cart:
    """What a customer wants."""

    def total(self, items):
        amount = 0
        for item in items:
            if item.price and item.count:
                amount += item.price * item.count
        return amount

    def export(self, name):
        os.system("export " + name)


def empty():
    return Cart()
'''
OLDER = CART.replace("        amount = 0\n", "        amount = 0.0\n")
KEY = "AKIA" + "Q3EGV7XN5WJZTKLM"


@pytest.fixture
def shop(idle: Service) -> Repository:
    """A repository in the folder that may be analysed; nothing is analysed yet."""
    return Repository(idle.root)


def analysed(service: Service, **wanted: Any) -> None:
    """Analyse all of the folder, and do what follows from that."""
    answer = service.client.post("/api/v1/analyze", json={"path": ".", "async": True, **wanted})
    assert answer.status_code == 202, answer.get_json()
    service.worker.drain()


def context(service: Service, **query: Any) -> dict[str, Any]:
    answer = service.client.get(ADDRESS, query_string=query)
    assert answer.status_code == 200, answer.get_json()
    data: dict[str, Any] = data_of(answer)
    CodeContextSchema().load(data)
    return data


def test_a_line_has_its_function_its_findings_and_its_past(idle: Service, shop: Repository) -> None:
    first = shop.commit("Open the shop", src__cart_py=OLDER)
    second = shop.commit("Count in whole cents", src__cart_py=CART)
    shop.commit("Tell more", README_py="x = 1\n")
    analysed(idle)
    told = context(idle, file_path="src/cart.py", line_number=10)
    assert (told["found"], told["function_name"], told["class_name"]) == (True, "Cart.total", "Cart")
    assert (told["start_line"], told["end_line"], told["snippet_start_line"]) == (7, 12, 7)
    assert told["code_snippet"] == "\n".join(CART.splitlines()[6:12])
    assert told["complexity"]["score"] == 4  # the function, the loop, the test, the `and`
    assert told["complexity"]["grade"] == "A"
    assert [one["commit_hash"] for one in told["change_history"]] == [second, first]
    assert told["recent_changes"] == {
        "last_modified": told["change_history"][0]["timestamp"],
        "commit_hash": second,
        "author": "Ana Pérez",
        "commit_message": "Count in whole cents",
    }
    assert told["security_findings"] == []
    export = context(idle, file_path="src/cart.py", line_number=15)
    assert [(one["type"], one["line"]) for one in export["security_findings"]] == [("command_injection", 15)]
    assert [one["commit_hash"] for one in export["change_history"]] == [first]
    assert told["risk_score"] < export["risk_score"] < 1
    assert any("security" in sentence for sentence in export["risk_factors"])


def test_findings_that_were_put_aside_are_not_told(idle: Service, shop: Repository) -> None:
    shop.commit("Open", cart_py=CART)
    analysed(idle)
    (found,) = context(idle, file_path="cart.py", line_number=15)["security_findings"]
    changed = idle.client.patch(f"/api/v1/findings/{found['id']}", json={"status": "wontfix"})
    assert changed.status_code == 200
    assert context(idle, file_path="cart.py", line_number=15)["security_findings"] == []


def test_an_older_commit_is_shown_as_it_was_without_a_checkout(idle: Service, shop: Repository) -> None:
    older = shop.commit("Open the shop", cart_py=OLDER)
    shop.commit("More", cart_py="import sys\n\n\ndef stop():\n    sys.exit()\n\n\n" + CART)
    analysed(idle)
    for name in (older, older[:9], "HEAD~1", "main~1"):
        told = context(idle, file_path="cart.py", line_number=8, commit_hash=name)
        assert (told["function_name"], told["commit_hash"]) == ("Cart.total", older)
        assert "amount = 0.0" in told["code_snippet"]
        assert [one["commit_hash"] for one in told["change_history"]] == [older]
    assert shop.git("status", "--porcelain") == ""


def test_an_edited_tree_keeps_the_past_of_its_functions(idle: Service, shop: Repository) -> None:
    first = shop.commit("Open", cart_py=CART)
    analysed(idle)
    shop.write("cart.py", "import sys\n" * 30 + CART)
    told = context(idle, file_path="cart.py", line_number=38)
    assert told["function_name"] == "Cart.total"
    assert [one["commit_hash"] for one in told["change_history"]] == [first]


def test_a_path_of_another_machine_is_found(idle: Service, shop: Repository) -> None:
    shop.commit("Open", src__shop__cart_py=CART, src__mail__send_py="def send():\n    pass\n")
    analysed(idle)
    for path in ("/app/src/shop/cart.py", "/usr/lib/python3/site-packages/shop/cart.py", "shop/cart.py"):
        told = context(idle, file_path=path, line_number=10)
        assert (told["file_path"], told["function_name"]) == ("src/shop/cart.py", "Cart.total"), path


def test_path_mappings_of_the_project_are_used(idle: Service, shop: Repository) -> None:
    shop.commit("Open", one__cart_py=CART, two__cart_py="def other():\n    pass\n")
    analysed(idle)
    answer = idle.client.patch(
        "/api/v1/projects/default", json={"path_mappings": [{"from": "/srv/x", "to": "two"}]}
    )
    assert answer.status_code == 200
    told = context(idle, file_path="/srv/x/cart.py", line_number=1)
    assert (told["file_path"], told["function_name"]) == ("two/cart.py", "other")


def test_without_a_line_it_is_about_the_whole_file(idle: Service, shop: Repository) -> None:
    first = shop.commit("Open", cart_py=CART)
    analysed(idle)
    told = context(idle, file_path="cart.py")
    assert (told["found"], told["line_number"], told["function_name"]) == (True, None, None)
    assert (told["start_line"], told["end_line"]) == (1, 19)
    assert told["complexity"]["score"] == 4
    assert len(told["security_findings"]) == 1
    assert [one["commit_hash"] for one in told["change_history"]] == [first]


def test_a_line_outside_of_functions_is_found_too(idle: Service, shop: Repository) -> None:
    shop.commit("Open", cart_py=CART)
    analysed(idle)
    told = context(idle, file_path="cart.py", line_number=5)
    assert (told["found"], told["function_name"], told["class_name"]) == (True, None, "Cart")
    assert told["complexity"]["score"] == 0
    assert "class Cart" in told["code_snippet"]


@pytest.mark.parametrize(
    "query",
    [
        {"file_path": "none.py", "line_number": 1},
        {"file_path": "cart.py", "line_number": 20},
        {"file_path": "cart.py", "line_number": 2**63 - 1},
        {"file_path": "cart.py", "line_number": 3, "commit_hash": "f" * 40},
        {"file_path": "cart.py", "line_number": 3, "commit_hash": "no such branch"},
        {"file_path": "late.py", "line_number": 1, "commit_hash": "HEAD~1"},
        {"file_path": "cart.py", "line_number": 3, "project": "nobody"},
        {"file_path": "../outside.py", "line_number": 1},
        {"file_path": "src/../../outside.py", "line_number": 1},
        {"file_path": "/etc/passwd", "line_number": 1},
        {"file_path": ".git/config", "line_number": 1},
        {"file_path": "x/.GIT/HEAD.py", "line_number": 1},
        {"file_path": "link.py", "line_number": 1},
        {"file_path": ".", "line_number": 1},
        {"file_path": "//", "line_number": 1},
    ],
)
def test_what_is_unknown_is_no_error(idle: Service, shop: Repository, query: dict[str, Any]) -> None:
    (idle.root.parent / "outside.py").write_text("SECRET = 1\n")
    shop.commit("Open", cart_py=CART)
    shop.commit("Later", late_py="x = 1\n")
    (idle.root / "link.py").symlink_to(idle.root.parent / "outside.py")
    analysed(idle)
    told = context(idle, **query)
    assert told["found"] is False
    assert told["file_path"] == query["file_path"]
    names = ("function_name", "class_name", "code_snippet", "start_line", "recent_changes", "commit_hash")
    assert [told[name] for name in names] == [None] * 6
    assert (told["complexity"]["score"], told["complexity"]["grade"], told["risk_score"]) == (0, "A", 0)


def test_before_any_analysis_nothing_is_known(idle: Service) -> None:
    assert context(idle, file_path="cart.py", line_number=1)["found"] is False


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"line_number": 1}, "VALIDATION_ERROR"),
        ({"file_path": ""}, "VALIDATION_ERROR"),
        ({"file_path": "a.py", "line_number": 0}, "VALIDATION_ERROR"),
        ({"file_path": "a.py", "line_number": "x"}, "VALIDATION_ERROR"),
        ({"file_path": "a.py", "line": 3}, "VALIDATION_ERROR"),
        ({"file_path": "a\0.py"}, "MALFORMED_REQUEST"),
    ],
)
def test_what_makes_no_sense_is_refused(idle: Service, query: dict[str, Any], code: str) -> None:
    answer = idle.client.get(ADDRESS, query_string=query)
    assert answer.status_code == {"VALIDATION_ERROR": 422, "MALFORMED_REQUEST": 400}[code]
    error_of(answer, code)


def test_secrets_are_masked_in_the_snippet_at_any_commit(idle: Service, shop: Repository) -> None:
    code = f'def connect():\n    key = "{KEY}"\n    password = "hunter2-Very-Long-Value"\n    return key\n'
    old = shop.commit("Open", cart_py=code)
    shop.commit("Clean", cart_py="def connect():\n    return None\n")
    analysed(idle)
    told = idle.client.get(
        ADDRESS, query_string={"file_path": "cart.py", "line_number": 2, "commit_hash": old}
    )
    assert "connect" in data_of(told)["code_snippet"]
    assert KEY not in told.get_data(as_text=True)
    assert "hunter2" not in told.get_data(as_text=True)


def test_without_the_source_the_stored_structure_answers(idle: Service) -> None:
    files = [{"path": "src/cart.py", "content": CART}]
    answer = idle.client.post("/api/v1/analyze", json={"files": files, "project": "sent", "async": True})
    assert answer.status_code == 202
    idle.worker.drain()
    told = context(idle, file_path="src/cart.py", line_number=15, project="sent")
    assert (told["found"], told["function_name"]) == (True, "Cart.export")
    assert told["code_snippet"] is None
    assert len(told["security_findings"]) == 1
    assert told["change_history"] == []
    assert context(idle, file_path="src/cart.py", line_number=400, project="sent")["found"] is False


def test_long_functions_are_cut_around_the_line(idle: Service, shop: Repository) -> None:
    body = "".join(f"    x_{number} = {number}\n" for number in range(1, 400))
    shop.commit("Open", long_py=f"def long():\n{body}    return x_1\n")
    analysed(idle)
    told = context(idle, file_path="long.py", line_number=201)
    lines = told["code_snippet"].split("\n")
    assert len(lines) == 80
    assert lines[201 - told["snippet_start_line"]] == "    x_200 = 200"
    assert (told["start_line"], told["end_line"]) == (1, 401)


def test_history_is_indexed_once_a_head(idle: Service, shop: Repository) -> None:
    shop.commit("Open", cart_py=CART)
    analysed(idle)
    analysed(idle)
    with idle.runtime.db.read() as session:
        assert len(jobs.page(session, kind="history")) == 1
    shop.commit("More", more_py="x = 1\n")
    analysed(idle)
    with idle.runtime.db.read() as session:
        done = jobs.page(session, kind="history")
    assert [job.status for job in done] == ["succeeded"] * 2


def test_what_did_not_change_need_not_be_sent_again(idle: Service, shop: Repository) -> None:
    shop.commit("Open", cart_py=CART)
    analysed(idle)
    query = {"file_path": "cart.py", "line_number": 3}
    tag = idle.client.get(ADDRESS, query_string=query).headers["ETag"]
    again = idle.client.get(ADDRESS, query_string=query, headers={"If-None-Match": tag})
    assert again.status_code == 304
