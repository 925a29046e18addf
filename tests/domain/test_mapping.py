"""Frames are found in the project, whatever machine printed them, or not at all."""

from __future__ import annotations

import pytest
from hefesto_api.analyzers.facts import extract
from hefesto_api.domain.mapping import PathIndex, PathMapping, locate
from hefesto_api.domain.traces import Frame

INDEX = PathIndex(
    [
        "shop/cart.py",
        "shop/models.py",
        "billing/models.py",
        "web/src/app.ts",
        "web/src/index.ts",
        "src/main/java/com/acme/pay/Charge.java",
        "src/main/java/com/acme/web/Charge.java",
        "cmd/server/main.go",
        "pkg/store/store.go",
        "setup.py",
    ]
)


@pytest.mark.parametrize(
    ("printed", "found"),
    [
        ("/srv/app/shop/cart.py", "shop/cart.py"),
        ("/usr/lib/python3.11/site-packages/shop/cart.py", "shop/cart.py"),
        ("/usr/lib/python3/dist-packages/shop/cart.py", "shop/cart.py"),
        ("C:\\Users\\ada\\app\\shop\\cart.py", "shop/cart.py"),
        ("./shop/cart.py", "shop/cart.py"),
        ("shop/cart.py", "shop/cart.py"),
        ("webpack:///./src/app.ts", "web/src/app.ts"),
        ("webpack://shop/./src/app.ts", "web/src/app.ts"),
        ("file:///home/ada/web/src/app.ts", "web/src/app.ts"),
        ("github.com/acme/shop/pkg/store/store.go", "pkg/store/store.go"),
        ("/root/go/pkg/mod/github.com/acme/shop@v1.4.2/pkg/store/store.go", "pkg/store/store.go"),
        ("/usr/lib/python3.11/json/decoder.py", None),
        ("/usr/lib/python3.11/site-packages/requests/models.py", None),
        ("/srv/node_modules/left-pad/src/index.ts", None),
        ("<frozen importlib._bootstrap>", None),
        ("", None),
        (None, None),
    ],
)
def test_a_printed_path_leads_to_the_projects_file(printed: str | None, found: str | None) -> None:
    assert INDEX.find(printed).path == found


def test_a_name_that_several_files_have_is_nobodys() -> None:
    unclear = INDEX.find("models.py")
    assert unclear.path is None
    assert set(unclear.candidates) == {"shop/models.py", "billing/models.py"}


def test_the_function_tells_candidates_apart() -> None:
    facts = {
        "shop/models.py": extract("shop/models.py", b"def price(item):\n    return item.cost\n"),
        "billing/models.py": extract("billing/models.py", b"def invoice(order):\n    return order\n"),
    }
    frame = Frame("models.py", 2, "price")
    (without,) = locate([frame], INDEX)
    (found,) = locate([frame], INDEX, facts={path: one for path, one in facts.items() if one})
    assert (without.project_path, without.in_app) == (None, False)
    assert (found.project_path, found.in_app) == ("shop/models.py", True)


def test_a_mapping_has_the_first_word() -> None:
    mappings = [PathMapping("/opt/release", "billing")]
    assert INDEX.find("/opt/release/models.py", mappings).path == "billing/models.py"
    assert INDEX.find("/opt/released/models.py", mappings).path is None


def test_a_jvm_file_is_found_by_its_package() -> None:
    assert INDEX.find("Charge.java", module="com.acme.pay.Charge").path == (
        "src/main/java/com/acme/pay/Charge.java"
    )
    assert INDEX.find("Charge.java").path is None


@pytest.mark.parametrize(
    "printed", ["/" * 100_000, "a/" * 50_000 + "cart.py", "\x00", "../" * 1000, "\ud800"]
)
def test_hostile_paths_are_survived(printed: str) -> None:
    INDEX.find(printed, [PathMapping("", "shop")])
