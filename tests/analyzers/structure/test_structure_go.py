"""Go: receivers, function literals, and metrics by hand."""

import pytest
from tests.analyzers.structure.reading import functions, metrics, names, read


def test_names_and_types() -> None:
    found = read(
        "go",
        """\
        package shop

        type Shop struct{ name string }
        type Till interface{ Open() }
        type Kind int

        func (s *Shop) Open(a, b int, names ...string) {}
        func (Shop) Close(int, string) {}
        func (l *List[T]) Add(item T) {}
        func New(_ int) *Shop { return nil }
        func elsewhere(x float64) float64
        """,
    )
    assert [(f.qualified_name, f.class_name, f.start_line, f.parameters) for f in found.functions] == [
        ("Shop.Open", "Shop", 7, 3),
        ("Shop.Close", "Shop", 8, 2),
        ("List.Add", "List", 9, 1),
        ("New", None, 10, 1),
    ]
    assert [(c.qualified_name, c.methods) for c in found.classes] == [("Shop", 2), ("Till", 0)]


def test_names_of_function_literals() -> None:
    text = """\
    package p
    var handler = func() {}
    func main() {
        f := func() {}
        s.done = func() {}
        go func() {}()
        t := T{run: func() {}}
    }
    """
    assert names("go", text) == ["handler", "main", "main.f", "main.s.done", "main.<anonymous>", "main.run"]


# (body, cyclomatic, cognitive, nesting)
BODIES = {
    "else if": ("if a { } else if b := c(); b { } else { }", 3, 3, 1),
    "nested": ("for _, x := range y { for { if a { } } }", 4, 6, 3),
    "switch": ("switch a { case 1, 2: case 3: default: }", 3, 1, 1),
    "type switch": ("switch a.(type) { case int: default: }", 2, 1, 1),
    "select": ("select { case <-a: case b <- 1: default: }", 3, 1, 1),
    "operators": ("return a && b || c", 3, 2, 0),
    # for 1, continue with a label 1, goto 1
    "jumps": ("l: for { continue l }; goto l", 2, 3, 1),
}


@pytest.mark.parametrize("case", sorted(BODIES))
def test_metrics(case: str) -> None:
    body, *expected = BODIES[case]
    assert metrics("go", f"package p\nfunc f() {{ {body} }}\n") == tuple(expected)


def test_a_function_literal_is_a_function_and_nests() -> None:
    found = functions("go", "package p\nfunc f() { if a { }; go func() { if b { } }() }\n")
    assert (found["f"].cyclomatic, found["f"].cognitive) == (2, 3)  # if 1, if in the literal 2
    assert (found["f.<anonymous>"].cyclomatic, found["f.<anonymous>"].cognitive) == (2, 1)
