"""Python: values derived by hand from the definitions in docs/structure.md."""

import pytest
from tests.analyzers.structure.reading import functions, metrics, names, read


def test_names_spans_and_classes() -> None:
    found = read(
        "python",
        """\
        class Shop:
            @property
            @cached(lambda: 60)
            def total(self):
                def add(a, b):
                    return a + b
                return add(1, 2)

            class Till:
                async def open(self): ...

        def main():
            class Local:
                def m(self): pass
        """,
    )
    assert [(f.qualified_name, f.class_name, f.start_line, f.end_line) for f in found.functions] == [
        ("Shop.total", "Shop", 2, 7),
        ("Shop.total.add", "Shop", 5, 6),
        ("Shop.Till.open", "Shop.Till", 10, 10),
        ("main", None, 12, 14),
        ("main.Local.m", "main.Local", 14, 14),
    ]
    assert [(c.qualified_name, c.start_line, c.end_line, c.methods) for c in found.classes] == [
        ("Shop", 1, 10, 1),
        ("Shop.Till", 9, 10, 1),
        ("main.Local", 13, 14, 1),
    ]
    assert found.functions[0].lines == 6


def test_a_decorated_class_begins_at_its_decorator() -> None:
    (found,) = read("python", "@final\n@dataclass\nclass A:\n    x: int\n").classes
    assert (found.start_line, found.end_line) == (1, 4)


@pytest.mark.parametrize(
    ("signature", "count"),
    [
        ("", 0),
        ("a, b=1, *args, c, d: int = 2, **kwargs", 6),
        ("a, /, b, *, c", 3),
        ("self, a", 2),  # no method: an ordinary name
        ("\n  # nothing\n", 0),
        ("a, # one\n b, *  , c", 3),
        ("a=lambda x, y: x * y", 1),
    ],
)
def test_parameters_of_a_function(signature: str, count: int) -> None:
    assert read("python", f"def f({signature}): pass\n").functions[0].parameters == count


@pytest.mark.parametrize(
    ("signature", "count"),
    [
        ("self", 0),
        ("cls, a", 1),
        ("a, b", 2),
        ("self, /, a, *, b", 2),
        ("\n    self,\n    a=(1, 2),\n", 1),
        ("self, *args, **kwargs", 2),
        ("self, *, path='/a'", 1),
        ("self: 'A', a", 2),  # a name with a type is no mere custom
        ("selfish, a", 2),
        ("self=None", 1),
    ],
)
def test_parameters_of_a_method(signature: str, count: int) -> None:
    assert read("python", f"class A:\n    def f({signature}): pass\n").functions[0].parameters == count


# (body, cyclomatic, cognitive, nesting)
BODIES = {
    "nothing": ("pass", 1, 0, 0),
    "if else": ("if a: pass\nelse: pass", 2, 2, 1),
    # if 1, elif 1 flat, else 1 flat
    "elif": ("if a: pass\nelif b: pass\nelse: pass", 3, 3, 1),
    # for 1, if 2, while 3
    "nested": ("for x in y:\n  if x:\n    while z: pass", 4, 6, 3),
    # the else of a loop is a way of its own
    "loop else": ("for x in y: pass\nelse: pass", 2, 2, 1),
    # try and its else decide nothing; each except 1; the if in one is nested in it: 2
    "try": ("try: a\nexcept A: pass\nexcept B:\n  if c: pass\nelse: d\nfinally: e", 4, 4, 2),
    "with": ("with a:\n  if b: pass", 2, 1, 2),
    # match 1; two cases decide, `_` does not
    "match": ("match a:\n  case 1: pass\n  case 2: pass\n  case _: pass", 3, 1, 1),
    # but a guarded one does
    "guard": ("match a:\n  case _ if b: pass\n  case _: pass", 3, 1, 1),
    # ternary 1, the one in it 2
    "ternary": ("return a if b else (c if d else e)", 3, 3, 0),
    # one sequence each: and; or
    "one sequence": ("return a and b and c", 3, 1, 0),
    "two sequences": ("return a and b or c", 3, 2, 0),
    "three sequences": ("return a or b and c or d", 4, 3, 0),
    "parentheses": ("return a and (b and c)", 3, 1, 0),
    "not": ("return a and not (b and c)", 3, 2, 0),
    "call": ("return a and f(b and c)", 3, 2, 0),
    # two loops and a condition; the shorthand is not hard to read
    "comprehension": ("return [x for y in z for x in y if x]", 4, 0, 0),
    # a lambda's decision is ours, and it is nested
    "lambda": ("return lambda: a if b else c", 2, 2, 0),
    "assert": ("assert a", 1, 0, 0),
}


@pytest.mark.parametrize("case", sorted(BODIES))
def test_metrics(case: str) -> None:
    body, *expected = BODIES[case]
    text = "def f():\n" + "".join(f"    {line}\n" for line in body.splitlines())
    assert metrics("python", text) == tuple(expected)


def test_a_nested_function_counts_for_the_outer_one_only_when_cognitive() -> None:
    found = functions(
        "python",
        """\
        def outer(a):
            if a:               # 1
                def inner(b):
                    if b:       # alone 1; in outer 1 + if + inner = 3
                        pass
        """,
    )
    assert (found["outer"].cyclomatic, found["outer"].cognitive, found["outer"].nesting) == (2, 4, 1)
    assert (found["outer.inner"].cyclomatic, found["outer.inner"].cognitive) == (2, 1)


def test_a_frame_around_functions_has_no_complexity_of_its_own() -> None:
    found = functions(
        "python",
        """\
        def decorator(f):
            def wrapper(*args):
                if args:
                    return f(*args)
            return wrapper
        """,
    )
    assert found["decorator"].cognitive == 0
    assert found["decorator.wrapper"].cognitive == 1


def test_lambdas_are_no_functions() -> None:
    assert names("python", "f = lambda: 1\ndef g(): return lambda: 2\n") == ["g"]


def test_lines_of_code() -> None:
    text = '''\
"""A docstring

counts, but for its empty line."""

# a comment does not
x = """
# no comment
"""  # a comment behind code
'''
    found = read("python", text)
    assert (found.lines, found.lines_of_code) == (8, 5)
