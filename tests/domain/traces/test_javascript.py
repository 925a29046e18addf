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
    Case(
        "Deno",
        """\
error: Uncaught (in promise) TypeError: Cannot read properties of undefined (reading 'price')
    return cart.item.price;
                     ^
    at total (file:///srv/shop/cart.ts:12:22)
    at async file:///srv/shop/main.ts:3:1
    at eventLoopTick (ext:core/01_core.js:168:7)
""",
        "TypeError",
        "Cannot read properties of undefined (reading 'price')",
        [
            ("ext:core/01_core.js", 168, "eventLoopTick"),
            ("file:///srv/shop/main.ts", 3, None),
            ("file:///srv/shop/cart.ts", 12, "total"),
        ],
    ),
    Case(
        "Bun",
        """\
10 | function total(cart) {
11 |   if (!cart) {
12 |     throw new Error("no cart");
               ^
error: no cart
      at total (/srv/shop/cart.ts:12:11)
      at /srv/shop/main.ts:3:1

Bun v1.1.0 (Linux x64)
""",
        "error",
        "no cart",
        [("/srv/shop/main.ts", 3, None), ("/srv/shop/cart.ts", 12, "total")],
    ),
    Case(
        "Jest",
        """\
  ● Cart › adds up

    TypeError: Cannot read property 'price' of undefined

      10 | function total(cart) {
    > 12 |   return cart.item.price;
         |                    ^

      at total (src/cart.js:12:20)
      at Object.<anonymous> (test/cart.test.js:5:10)
""",
        "TypeError",
        "Cannot read property 'price' of undefined",
        [("test/cart.test.js", 5, "Object.<anonymous>"), ("src/cart.js", 12, "total")],
    ),
    Case(
        "private methods, getters, classes and static blocks",
        """\
RangeError: Invalid array length
    at Cart.#grow (/srv/shop/cart.js:4:12)
    at get Cart.size [as size] (/srv/shop/cart.js:9:5)
    at Function.from [as of] (/srv/shop/cart.js:20:3)
    at <static_initializer> (/srv/shop/cart.js:22:5)
    at async Promise.all (index 1)
    at Module._compile (node:internal/modules/cjs/loader:1256:14)
""",
        "RangeError",
        "Invalid array length",
        [
            ("node:internal/modules/cjs/loader", 1256, "Module._compile"),
            (None, None, "Promise.all"),
            ("/srv/shop/cart.js", 22, "<static_initializer>"),
            ("/srv/shop/cart.js", 20, "Function.from"),
            ("/srv/shop/cart.js", 9, "get Cart.size"),
            ("/srv/shop/cart.js", 4, "Cart.#grow"),
        ],
    ),
    Case(
        "React Native's bundle, as iOS prints it",
        """\
TypeError: undefined is not an object (evaluating 'this.props.cart.total')
render@/var/containers/Bundle/Application/1F2E/Shop.app/main.jsbundle:312:1540
finishClassComponent@/var/containers/Bundle/Application/1F2E/Shop.app/main.jsbundle:12:200
value@[native code]
""",
        "TypeError",
        "undefined is not an object (evaluating 'this.props.cart.total')",
        [
            (None, None, "value"),
            ("/var/containers/Bundle/Application/1F2E/Shop.app/main.jsbundle", 12, "finishClassComponent"),
            ("/var/containers/Bundle/Application/1F2E/Shop.app/main.jsbundle", 312, "render"),
        ],
    ),
    Case(
        "a worker, a blob, a query and wasm",
        """\
Uncaught Error: out of paper
    at print (blob:https://shop.test/1f2e-3d4c:7:9)
    at onmessage (https://shop.test/worker.js?v=3#x:2:5)
    at wasm://wasm/0012ab34:wasm-function[17]:0x1a2b
    at https://shop.test/app.js:1:1
""",
        "Error",
        "out of paper",
        [
            ("https://shop.test/app.js", 1, None),
            ("https://shop.test/worker.js?v=3#x", 2, "onmessage"),
            ("blob:https://shop.test/1f2e-3d4c", 7, "print"),
        ],
    ),
    Case(
        "an unhandled rejection",
        """\
(node:4321) UnhandledPromiseRejectionWarning: Error: connect ECONNREFUSED 127.0.0.1:5432
    at TCPConnectWrap.afterConnect [as oncomplete] (net.js:1141:16)
(node:4321) UnhandledPromiseRejectionWarning: Unhandled promise rejection.
""",
        "Error",
        "connect ECONNREFUSED 127.0.0.1:5432",
        [("net.js", 1141, "TCPConnectWrap.afterConnect")],
        in_app=None,
    ),
    Case(
        "TypeScript's own error, thrown with a class of the shop",
        """\
/srv/shop/src/cart.ts:12
    throw new NoStock("B-17");
          ^
NoStock: no stock for B-17
    at Cart.take (/srv/shop/src/cart.ts:12:11)
    at Object.<anonymous> (/srv/shop/src/main.ts:3:1)
    at Module._compile (internal/modules/cjs/loader.js:1063:30)
""",
        "NoStock",
        "no stock for B-17",
        [
            ("internal/modules/cjs/loader.js", 1063, "Module._compile"),
            ("/srv/shop/src/main.ts", 3, "Object.<anonymous>"),
            ("/srv/shop/src/cart.ts", 12, "Cart.take"),
        ],
    ),
    Case(
        "Opera's and old browsers' words",
        """\
Error: no price
    at Anonymous function (http://shop.test/app.js:9:7)
    at Global code (http://shop.test/app.js:40:1)
""",
        "Error",
        "no price",
        [("http://shop.test/app.js", 40, "Global code"), ("http://shop.test/app.js", 9, None)],
    ),
    Case(
        "Opera, before it took V8",
        """\
Error thrown at line 42, column 12 in <anonymous function: make>(x) in http://shop.test/app.js:
    this.undef();
called from line 27, column 8 in run(options) in http://shop.test/app.js:
    var error = this.make();
called from line 18, column 4 in http://shop.test/index.html:
    run();
""",
        None,
        None,
        [
            ("http://shop.test/index.html", 18, None),
            ("http://shop.test/app.js", 27, "run"),
            ("http://shop.test/app.js", 42, "make"),
        ],
    ),
    Case(
        "Opera 9",
        """\
  Line 44 of linked script http://shop.test/app.js
    this.undef();
  Line 31 of linked script http://shop.test/app.js: In function run
    ex = ex || this.make();
""",
        None,
        None,
        [("http://shop.test/app.js", 31, "run"), ("http://shop.test/app.js", 44, None)],
    ),
    Case(
        "Firefox 3, with a place that is nowhere",
        """\
()@http://shop.test/a.js:44
bar(1)@http://shop.test/a.js:13
@:0
foo@http://shop.test/a.js:20
""",
        None,
        None,
        [
            ("http://shop.test/a.js", 20, "foo"),
            ("http://shop.test/a.js", 13, "bar(1)"),
            ("http://shop.test/a.js", 44, "()"),
        ],
    ),
    Case(
        "Firefox's console, with names of nested functions",
        """\
Uncaught TypeError: cart is undefined
    total https://shop.test/app.js:12
    checkout https://shop.test/app.js:30
    <anonymous> https://shop.test/app.js:44
""",
        "TypeError",
        "cart is undefined",
        [
            ("https://shop.test/app.js", 44, None),
            ("https://shop.test/app.js", 30, "checkout"),
            ("https://shop.test/app.js", 12, "total"),
        ],
    ),
    Case(
        "Chrome's console, copied",
        """\
app.js:12 Uncaught TypeError: Cannot read properties of null (reading 'price')
    at total (app.js:12:20)
    at HTMLButtonElement.onclick ((index):9:3)
total @ app.js:12
onclick @ (index):9
""",
        "TypeError",
        "Cannot read properties of null (reading 'price')",
        [("(index)", 9, "HTMLButtonElement.onclick"), ("app.js", 12, "total")],
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
        "src/cart.ts(12,5): error TS2304: Cannot find name 'price'.\n",
        "Tests: 1 failed, 3 passed\nat 12:30\n",
        "look at this (see https://shop.test/app.js:12:3)",
        "GET https://shop.test/app.js 404 (Not Found)\nPOST https://shop.test/pay 500\n",
        "diff --git a/cart.js b/cart.js\n@@ -1,2 +1,3 @@\n+at('x:1:2')\n",
    ],
)
def test_no_frame_where_no_trace_is(text: str) -> None:
    assert list(parse(text).frames()) == []


def test_each_error_of_an_aggregate_is_a_member_of_it() -> None:
    trace = parse(
        """AggregateError: All promises were rejected
    at run (/srv/app/main.js:10:11) {
  [errors]: [
    Error: boom
        at first (/srv/app/a.js:3:9) {
      [cause]: Error: refused
          at dial (/srv/app/net.js:2:4)
    },
    TypeError: Cannot read properties of undefined (reading 'x')
        at second (/srv/app/b.js:7:5)
  ]
}
RangeError: of another time
    at later (/srv/app/c.js:1:1)
"""
    )
    named = {one.message: at for at, one in enumerate(trace.exceptions)}
    group = named["All promises were rejected"]
    told = [(one.message, one.relation, one.of) for one in trace.exceptions if one.relation]
    assert sorted(told, key=str) == [
        ("Cannot read properties of undefined (reading 'x')", "member", group),
        ("boom", "member", group),
        ("refused", "cause", named["boom"]),
    ]
