"""JavaScript and TypeScript, by the engines that print them."""

import pytest
from hefesto_api.domain.traces import parse
from tests.domain.traces.cases import Case, check, places

NODE = """\
/srv/shop/cart.js:12
    throw new TypeError("no price");
    ^

TypeError: no price
    at Cart.total (/srv/shop/cart.js:12:11)
    at async checkout (/srv/shop/node_modules/till/index.js:4:3)
    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)
    at async file:///srv/shop/main.mjs:3:1

Node.js v20.11.0
"""
BODY = NODE.splitlines()[4:9]
FRAMES: list[tuple[str | None, int | None, str | None]] = [
    ("file:///srv/shop/main.mjs", 3, None),
    ("node:internal/process/task_queues", 95, "process.processTicksAndRejections"),
    ("/srv/shop/node_modules/till/index.js", 4, "checkout"),
    ("/srv/shop/cart.js", 12, "Cart.total"),
]
SITE = "https://shop.test/app.js"

CASES = [
    Case("Node", NODE, "TypeError", "no price", FRAMES),
    Case(
        "a log's prefix before each line",
        "".join(f"[2026-03-04 05:06:07] {line}\n" for line in BODY),
        "TypeError",
        "no price",
        FRAMES,
    ),
    Case("escaped", '{"stack":"' + "\\n".join(BODY) + '"}', "TypeError", "no price", FRAMES),
    Case(
        "lost indentation",
        "\n".join(line.strip() for line in BODY),
        "TypeError",
        "no price",
        FRAMES,
    ),
    Case(
        "eval, new, as, native and Windows paths",
        """\
Uncaught ReferenceError: nope is not defined
    at eval (eval at run (C:\\shop\\sand box.js:8:5), <anonymous>:1:1)
    at new Cart (C:\\shop\\cart.ts:20:9)
    at Object.go [as start] (C:\\shop\\main.ts:2:4)
    at Array.map (<anonymous>)
    at Promise.all (index 0)
""",
        "ReferenceError",
        "nope is not defined",
        [
            (None, None, "Promise.all"),
            (None, None, "Array.map"),
            ("C:\\shop\\main.ts", 2, "Object.go"),
            ("C:\\shop\\cart.ts", 20, "new Cart"),
            ("C:\\shop\\sand box.js", 8, "eval"),
        ],
    ),
    Case(
        "webpack",
        """\
Error: boom
    at ./src/pages/cart.tsx.__webpack_exports__.default (webpack-internal:///./src/pages/cart.tsx:31:13)
    at renderWithHooks (webpack:///./node_modules/react-dom/cjs/react-dom.development.js?61bb:14985:18)
""",
        "Error",
        "boom",
        [
            (
                "webpack:///./node_modules/react-dom/cjs/react-dom.development.js?61bb",
                14985,
                "renderWithHooks",
            ),
            (
                "webpack-internal:///./src/pages/cart.tsx",
                31,
                "./src/pages/cart.tsx.__webpack_exports__.default",
            ),
        ],
    ),
    Case(
        "Firefox",
        f"""\
add/<@{SITE}:9:7
promise callback*add@{SITE}:8:2
@{SITE}:40:1
""",
        None,
        None,
        [(SITE, 40, None), (SITE, 8, "promise callback*add"), (SITE, 9, "add/<")],
    ),
    Case(
        "Firefox, evaluated",
        f"""\
ReferenceError: x is not defined
run@{SITE} line 21 > eval:1:30
main@{SITE}:30:5
""",
        "ReferenceError",
        "x is not defined",
        [(SITE, 30, "main"), (SITE, 21, "run")],
    ),
    Case(
        "Safari",
        f"""\
TypeError: undefined is not an object (evaluating 'cart.items')
total@{SITE}:5:17
forEach@[native code]
global code@{SITE}:50:9
""",
        "TypeError",
        "undefined is not an object (evaluating 'cart.items')",
        [(SITE, 50, "global code"), (None, None, "forEach"), (SITE, 5, "total")],
    ),
    Case(
        "React Native",
        """\
TypeError: Cannot read property 'id' of undefined, js engine: hermes
    at render (address at index.android.bundle:1:52341)
    at anonymous (http://localhost:8081/index.bundle?platform=ios&dev=true:1045:20)
""",
        "TypeError",
        "Cannot read property 'id' of undefined, js engine: hermes",
        [
            ("http://localhost:8081/index.bundle?platform=ios&dev=true", 1045, None),
            ("index.android.bundle", 1, "render"),
        ],
    ),
    Case(
        "an error's code, and a message of several lines",
        """\
Error [ERR_MODULE_NOT_FOUND]: Cannot find module '/srv/a.js'
Require stack:
- /srv/b.js
    at resolve (/srv/b.js:1:2) {
  code: 'ERR_MODULE_NOT_FOUND'
}
""",
        "Error",
        "Cannot find module '/srv/a.js'\nRequire stack:\n- /srv/b.js",
        [("/srv/b.js", 1, "resolve")],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_reads(case: Case) -> None:
    check(case, "javascript")


def test_a_cause_stands_before_what_it_caused() -> None:
    trace = parse("""\
Error: checkout failed
    at checkout (/srv/main.js:9:3) {
  [cause]: TypeError: no price
      at total (/srv/cart.js:12:11)
}
""")
    assert [(raised.type, raised.relation, raised.of) for raised in trace.exceptions] == [
        ("TypeError", "cause", 1),
        ("Error", None, None),
    ]
    assert trace.primary == 1
    assert places(trace) == [("/srv/cart.js", 12, "total"), ("/srv/main.js", 9, "checkout")]


@pytest.mark.parametrize(
    "text",
    [
        "Meet me at 12:30:11 at the server room (floor 2:1).",
        "mail to ana@shop.test:25 and bob@shop.test:25",
        "/srv/shop/cart.js:12:11: error: no-undef 'x' is not defined",
        "react@18.2.0\nreact-dom@18.2.0",
        "listening at http://localhost:8080",
    ],
)
def test_no_frame_where_no_trace_is(text: str) -> None:
    assert list(parse(text).frames()) == []
