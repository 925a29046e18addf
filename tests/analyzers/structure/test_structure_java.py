"""Java: names of all that has a body, and metrics by hand."""

import pytest
from tests.analyzers.structure.reading import functions, metrics, read


def test_names_and_classes() -> None:
    found = read(
        "java",
        """\
        abstract class Shop {
          Shop(int a) {}
          @Override
          public void open(String... names) {
            new Thread() { public void run() {} };
            Runnable r = () -> { if (names != null) return; };
          }
          void open(Shop this, int a, final int b) {}
          abstract void close();
          enum Kind { BIG { void grow() {} }; void shrink() {} }
          record Price(int cents) { Price { } int euros() { return cents / 100; } }
          interface Till { default void ring() {} void shut(); }
        }
        """,
    )
    assert [(f.qualified_name, f.start_line, f.end_line, f.parameters) for f in found.functions] == [
        ("Shop.Shop", 2, 2, 1),
        ("Shop.open", 3, 7, 1),
        ("Shop.open.<anonymous>.run", 5, 5, 0),
        ("Shop.open", 8, 8, 2),
        ("Shop.Kind.<anonymous>.grow", 10, 10, 0),
        ("Shop.Kind.shrink", 10, 10, 0),
        ("Shop.Price.Price", 11, 11, 0),
        ("Shop.Price.euros", 11, 11, 0),
        ("Shop.Till.ring", 12, 12, 0),
    ]
    assert [(c.qualified_name, c.methods) for c in found.classes] == [
        ("Shop", 3),
        ("Shop.Kind", 1),
        ("Shop.Price", 2),
        ("Shop.Till", 1),
    ]


# (body, cyclomatic, cognitive, nesting)
BODIES = {
    "else if": ("if (a) {} else if (b) {} else {}", 3, 3, 1),
    "nested": ("for (int x : y) { while (a) { if (b) {} } }", 4, 6, 3),
    "do": ("do {} while (a && b);", 3, 2, 1),
    # switch 1; three labels decide, default does not
    "switch": ("switch (a) { case 1: case 2: b(); break; case 3: default: }", 4, 1, 1),
    # two arrows decide (as many as one would write ifs), default does not
    "arrows": ("return switch (a) { case 1, 2 -> 1; case 3 -> 2; default -> 3; };", 3, 1, 1),
    "try": ("try (var a = b()) { c(); } catch (A | B e) {} catch (C e) {} finally {}", 3, 2, 1),
    "synchronized": ("synchronized (this) { if (a) {} }", 2, 1, 2),
    # the lambda's if is ours and nested: 2
    "lambda": ("run(() -> { if (a) {} });", 2, 2, 1),
    "ternary": ("return a ? b : c;", 2, 1, 0),
    "operators": ("return a && !(b && c) || d;", 4, 3, 0),
    # for 1, labelled break 1
    "label": ("l: for (;;) { break l; }", 2, 2, 1),
}


@pytest.mark.parametrize("case", sorted(BODIES))
def test_metrics(case: str) -> None:
    body, *expected = BODIES[case]
    assert metrics("java", f"class A {{ void f() {{ {body} }} }}") == tuple(expected)


def test_the_methods_of_an_anonymous_class_nest_in_the_method_around() -> None:
    text = "class A { void f() { if (a) {} new B() { void g() { for (;;) {} } }; } }"
    found = functions("java", text)
    assert (found["A.f"].cyclomatic, found["A.f"].cognitive) == (2, 3)  # if 1, for in g 2
    assert (found["A.f.<anonymous>.g"].cyclomatic, found["A.f.<anonymous>.g"].cognitive) == (2, 1)
