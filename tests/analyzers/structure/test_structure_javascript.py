"""JavaScript and TypeScript: names of all the ways to write a function, and metrics by hand."""

import pytest
from tests.analyzers.structure.reading import functions, metrics, names, read


@pytest.mark.parametrize("language", ["javascript", "typescript", "tsx"])
def test_names(language: str) -> None:
    text = """\
    function declared() {}
    function* generator() {}
    const arrow = () => {}, expression = function () {};
    let later; later = async x => x;
    const named = function own() {};
    const shop = { buy() {}, sell: function () {}, 'a key': () => 1, inner: { deep() {} } };
    exports.exported = function () {};
    module.exports.also = () => {};
    module.exports = function () {};
    Shop.prototype.close = function () {};
    jQuery.fn.each = function () {};
    list[0].run = function () {};
    class Shop {
      constructor() { this.open = () => {}; }
      get total() { return 1 }
      set total(value) {}
      static make() {}
      #hidden() {}
      field = () => {};
      [Symbol.iterator]() {}
    }
    const Till = class { ring() {} };
    list.map(x => x);
    function outer() { list.map(function () { function inner() {} }); }
    """
    assert names(language, text) == [
        "declared",
        "generator",
        "arrow",
        "expression",
        "later",
        "own",
        "shop.buy",
        "shop.sell",
        "shop.a key",
        "shop.inner.deep",
        "exported",
        "also",
        "exports",
        "Shop.close",
        "jQuery.fn.each",
        "run",
        "Shop.constructor",
        "Shop.constructor.open",
        "Shop.total",
        "Shop.total",
        "Shop.make",
        "Shop.#hidden",
        "Shop.field",
        "Shop.[Symbol.iterator]",
        "Till.ring",
        "<anonymous>",
        "outer",
        "outer.<anonymous>",
        "outer.<anonymous>.inner",
    ]


def test_a_method_of_a_prototype_belongs_to_the_class() -> None:
    (found,) = read("javascript", "Shop.prototype.close = function (a) {};").functions
    assert (found.class_name, found.name, found.parameters) == ("Shop", "close", 1)


def test_typescript_has_namespaces_interfaces_and_decorated_methods() -> None:
    found = read(
        "typescript",
        """\
        namespace N {
          export abstract class Shop<T> {
            @Get()
            @Role(() => admin)
            list(this: Shop, page?: number): void {}
            abstract close(): void;
            private find = async <T>(a: T, ...rest: T[]) => a;
          }
        }
        interface Till { open(): void }
        function over(a: string): void;
        function over(a: any) {}
        """,
    )
    assert [(f.qualified_name, f.start_line, f.end_line, f.parameters) for f in found.functions] == [
        ("N.Shop.<anonymous>", 4, 4, 0),
        ("N.Shop.list", 3, 5, 1),
        ("N.Shop.find", 7, 7, 2),
        ("over", 12, 12, 1),
    ]
    assert [(c.qualified_name, c.methods) for c in found.classes] == [("N.Shop", 2), ("Till", 0)]


@pytest.mark.parametrize(
    ("signature", "count"),
    [("function f(a, {b, c}, [d], e = 1, ...g) {}", 5), ("f = a => a", 1), ("f = (/* none */) => 1", 0)],
)
def test_parameters(signature: str, count: int) -> None:
    assert read("javascript", signature).functions[0].parameters == count


# (body, cyclomatic, cognitive, nesting)
BODIES = {
    "else if": ("if (a) {} else if (b) {} else {}", 3, 3, 1),
    "else, a comment, if": ("if (a) {} else /* or */ if (b) {}", 3, 2, 1),
    # the second if is in a block of the else: nested, 2
    "else with an if in it": ("if (a) {} else { if (b) {} }", 3, 4, 2),
    # the chain does not go deeper: the for in it is nested once, 2
    "in an else if": ("if (a) {} else if (b) { for (;;) {} }", 4, 4, 2),
    # a loop behind an else is nested in it: 2
    "else for": ("if (a) {} else for (;;) {}", 3, 4, 2),
    # for 1, for-in 1, for-of 1, while 1, do 1
    "loops": ("for(;;){} for(a in b){} for(a of b){} while(a){} do {} while(a)", 6, 5, 1),
    # switch 1; two cases decide
    "switch": ("switch (a) { case 1: case 2: break; default: }", 3, 1, 1),
    "catch": ("try { a } catch (e) { if (b) {} } finally {}", 3, 3, 2),
    "ternary": ("return a ? b : c ? d : e", 3, 3, 0),
    "operators": ("return a && b && c || d ?? e", 5, 3, 0),
    "other operators": ("return (a + b) && c", 2, 1, 0),
    # for 1, if 2, labelled continue 1
    "label": ("l: for (;;) { if (a) continue l; else break }", 3, 5, 2),
}


@pytest.mark.parametrize("language", ["javascript", "typescript", "tsx"])
@pytest.mark.parametrize("case", sorted(BODIES))
def test_metrics(language: str, case: str) -> None:
    body, *expected = BODIES[case]
    assert metrics(language, f"function f() {{ {body} }}") == tuple(expected)


def test_a_callback_is_a_function_and_nests() -> None:
    found = functions("javascript", "function f() { if (a) {} list.map(x => x ? 1 : 2) }")
    assert (found["f"].cyclomatic, found["f"].cognitive) == (2, 3)  # if 1, ternary in a callback 2
    assert (found["f.<anonymous>"].cyclomatic, found["f.<anonymous>"].cognitive) == (2, 1)


def test_lines_of_code() -> None:
    found = read("javascript", "/* a\n * b */ x = 1; /* c\n\n d */\n// e\n\ny = '// f';\n")
    assert (found.lines, found.lines_of_code) == (7, 2)
