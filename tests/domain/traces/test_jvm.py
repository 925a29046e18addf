# ruff: noqa: E501 (traces are as wide as they are printed)
"""Java, Kotlin and Scala: causes, suppressed exceptions, modules, loaders, logs."""

import pytest
from hefesto_api.domain.traces import crash_frame, in_app_frame, parse
from tests.domain.traces.cases import Case, check, place, places

PLAIN = """\
Exception in thread "main" java.lang.IllegalStateException: no stock: B-17
\tat java.base/java.util.Objects.requireNonNull(Objects.java:233)
\tat com.acme.shop.Stock.take(Stock.java:41)
\tat app//com.acme.shop.Main.main(Main.java:9)
"""
KIND, MESSAGE = "java.lang.IllegalStateException", "no stock: B-17"
FRAMES: list[tuple[str | None, int | None, str | None]] = [
    ("Main.java", 9, "com.acme.shop.Main.main"),
    ("Stock.java", 41, "com.acme.shop.Stock.take"),
    ("Objects.java", 233, "java.util.Objects.requireNonNull"),
]
FLAT: list[tuple[str | None, int | None, str | None]] = [("Main.java", 9, "com.acme.Main.main")]

CASES = [
    Case("plain, with modules and a loader", PLAIN, KIND, MESSAGE, FRAMES, in_app=1),
    Case(
        "a log's prefix before each line",
        "".join(
            f"2026-03-04T05:06:07.89{n}Z ERROR [http-1] {line}\n" for n, line in enumerate(PLAIN.splitlines())
        ),
        KIND,
        MESSAGE,
        FRAMES,
        in_app=1,
    ),
    Case(
        "logcat",
        "".join(f"E/AndroidRuntime( 321): {line}\n" for line in PLAIN.splitlines()),
        KIND,
        MESSAGE,
        FRAMES,
        in_app=1,
    ),
    Case("lost indentation", PLAIN.replace("\t", ""), KIND, MESSAGE, FRAMES, in_app=1),
    Case(
        "JSON",
        '{"stack_trace":"' + PLAIN.replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t") + '"}',
        KIND,
        MESSAGE,
        FRAMES,
        in_app=1,
    ),
    Case("no header", PLAIN.split("\n", 1)[1], None, None, FRAMES, in_app=1),
    Case(
        "native, generated, lambda and unknown places",
        """\
java.lang.NullPointerException
\tat jdk.internal.reflect.NativeMethodAccessorImpl.invoke0(Native Method)
\tat com.acme.Service$$EnhancerBySpringCGLIB$$1a2b.pay(<generated>)
\tat com.acme.Jobs$$Lambda$14/0x0000000800066840.run(Unknown Source)
\tat com.acme.Jobs.<init>(Jobs.kt)
\tat com.acme.Jobs.lambda$run$0(Jobs.kt:7) ~[jobs.jar!/:1.2]
""",
        "java.lang.NullPointerException",
        "",
        [
            ("Jobs.kt", 7, "com.acme.Jobs.lambda$run$0"),
            ("Jobs.kt", None, "com.acme.Jobs.<init>"),
            (None, None, "com.acme.Jobs$$Lambda$14/0x0000000800066840.run"),
            (None, None, "com.acme.Service$$EnhancerBySpringCGLIB$$1a2b.pay"),
            (None, None, "jdk.internal.reflect.NativeMethodAccessorImpl.invoke0"),
        ],
        in_app=2,
    ),
    Case(
        "a message of several lines",
        """\
org.acme.sql.QueryException: ERROR: column "prise" does not exist
  Hint: Perhaps you meant "price".
  Position: 8
\tat com.acme.Main.main(Main.java:9)
""",
        "org.acme.sql.QueryException",
        'ERROR: column "prise" does not exist\nHint: Perhaps you meant "price".\nPosition: 8',
        FLAT,
    ),
    Case(
        "a logger's words before the type",
        """\
12:00:01 ERROR c.a.Main - payment failed java.lang.RuntimeException: card declined
\tat com.acme.Main.main(Main.java:9)
""",
        "java.lang.RuntimeException",
        "card declined",
        FLAT,
    ),
    Case(
        "lines of another thread between",
        PLAIN.replace("\tat app", "GET /health 200\n\tat app"),
        KIND,
        MESSAGE,
        FRAMES,
        in_app=1,
    ),
    Case(
        "a Kotlin test's name with blanks",
        """\
org.opentest4j.AssertionFailedError: expected: <1> but was: <2>
\tat com.acme.StockTest.takes the last one(StockTest.kt:12)
""",
        "org.opentest4j.AssertionFailedError",
        "expected: <1> but was: <2>",
        [("StockTest.kt", 12, "com.acme.StockTest.takes the last one")],
    ),
    Case(
        "a circle of causes, and frames that were left out",
        """\
com.acme.A: one
\tat com.acme.Main.main(Main.java:9)
Caused by: com.acme.B: two
\tat com.acme.Main.b(Main.java:14)
\t... 1 more
Caused by: [CIRCULAR REFERENCE: com.acme.A: one]
""",
        "com.acme.A",
        "one",
        [("Main.java", 14, "com.acme.Main.b"), ("Main.java", 9, "com.acme.Main.main")],
    ),
    Case(
        "Android",
        """\
03-04 05:06:07.123  4321  4321 E AndroidRuntime: FATAL EXCEPTION: main
03-04 05:06:07.123  4321  4321 E AndroidRuntime: Process: com.acme.shop, PID: 4321
03-04 05:06:07.123  4321  4321 E AndroidRuntime: java.lang.NullPointerException: Attempt to invoke virtual method 'int com.acme.Item.price()' on a null object reference
03-04 05:06:07.123  4321  4321 E AndroidRuntime: \tat com.acme.shop.CartActivity.total(CartActivity.kt:31)
03-04 05:06:07.123  4321  4321 E AndroidRuntime: \tat android.app.Activity.performCreate(Activity.java:8051)
""",
        "java.lang.NullPointerException",
        "Attempt to invoke virtual method 'int com.acme.Item.price()' on a null object reference",
        [
            ("Activity.java", 8051, "android.app.Activity.performCreate"),
            ("CartActivity.kt", 31, "com.acme.shop.CartActivity.total"),
        ],
    ),
    Case(
        "Android Studio's window",
        """\
2026-03-04 05:06:07.123 4321-4321/com.acme.shop E/AndroidRuntime: FATAL EXCEPTION: main
    Process: com.acme.shop, PID: 4321
    java.lang.IllegalStateException: no stock
        at com.acme.shop.CartActivity.total(CartActivity.kt:31)
""",
        "java.lang.IllegalStateException",
        "no stock",
        [("CartActivity.kt", 31, "com.acme.shop.CartActivity.total")],
    ),
    Case(
        "sbt and Scala's names",
        """\
[error] (run-main-0) java.util.NoSuchElementException: None.get
[error] java.util.NoSuchElementException: None.get
[error] \tat scala.None$.get(Option.scala:529)
[error] \tat shop.Cart$.$anonfun$total$1(Cart.scala:12)
[error] \tat shop.Main$.main(Main.scala:5)
[error] \tat shop.Main.main(Main.scala)
""",
        "java.util.NoSuchElementException",
        "None.get",
        [
            ("Main.scala", None, "shop.Main.main"),
            ("Main.scala", 5, "shop.Main$.main"),
            ("Cart.scala", 12, "shop.Cart$.$anonfun$total$1"),
            ("Option.scala", 529, "scala.None$.get"),
        ],
        in_app=2,
    ),
    Case(
        "a coroutine's boundary, and jars",
        """\
java.io.IOException: unexpected end
\tat com.acme.Net.read(Net.kt:44) ~[app.jar:1.2]
\tat _COROUTINE._BOUNDARY._(CoroutineDebugging.kt:46)
\tat com.acme.Net$load$2.invokeSuspend(Net.kt:20) [app.jar:1.2]
\tat kotlinx.coroutines.DispatchedTask.run(DispatchedTask.kt:106)
""",
        "java.io.IOException",
        "unexpected end",
        [
            ("DispatchedTask.kt", 106, "kotlinx.coroutines.DispatchedTask.run"),
            ("Net.kt", 20, "com.acme.Net$load$2.invokeSuspend"),
            ("CoroutineDebugging.kt", 46, "_COROUTINE._BOUNDARY._"),
            ("Net.kt", 44, "com.acme.Net.read"),
        ],
    ),
    Case(
        "Clojure",
        """\
Exception in thread "main" java.lang.ArithmeticException: Divide by zero
\tat clojure.lang.Numbers.divide(Numbers.java:188)
\tat shop.cart$share.invokeStatic(cart.clj:12)
\tat shop.cart$share.invoke(cart.clj:10)
""",
        "java.lang.ArithmeticException",
        "Divide by zero",
        [
            ("cart.clj", 10, "shop.cart$share.invoke"),
            ("cart.clj", 12, "shop.cart$share.invokeStatic"),
            ("Numbers.java", 188, "clojure.lang.Numbers.divide"),
        ],
        in_app=1,
    ),
    Case(
        "Gradle",
        """\
* What went wrong:
Execution failed for task ':test'.
> no stock

* Exception is:
org.gradle.api.tasks.TaskExecutionException: Execution failed for task ':test'.
\tat org.gradle.api.internal.tasks.execution.ExecuteActionsTaskExecuter.lambda$x$1(ExecuteActionsTaskExecuter.java:145)
\tat com.acme.Plugin.apply(Plugin.groovy:12)
""",
        "org.gradle.api.tasks.TaskExecutionException",
        "Execution failed for task ':test'.",
        [
            ("Plugin.groovy", 12, "com.acme.Plugin.apply"),
            (
                "ExecuteActionsTaskExecuter.java",
                145,
                "org.gradle.api.internal.tasks.execution.ExecuteActionsTaskExecuter.lambda$x$1",
            ),
        ],
        in_app=0,
    ),
    Case(
        "root cause first, as Logback may print it",
        """\
java.sql.SQLException: timeout
\tat com.acme.Orders.save(Orders.java:48)
\t... 1 common frames omitted
Wrapped by: com.acme.OrderFailed: order 7
\tat com.acme.Orders.place(Orders.java:30)
\tat com.acme.Main.main(Main.java:9)
""",
        "com.acme.OrderFailed",
        "order 7",
        [
            ("Orders.java", 48, "com.acme.Orders.save"),
            ("Main.java", 9, "com.acme.Main.main"),
            ("Orders.java", 30, "com.acme.Orders.place"),
        ],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_reads(case: Case) -> None:
    check(case, "java")


NESTED = """\
com.acme.OrderFailed: order 7
\tat com.acme.Orders.place(Orders.java:30)
\tat com.acme.Main.main(Main.java:9)
\tSuppressed: java.io.IOException: close failed
\t\tat com.acme.Connection.close(Connection.java:77)
\t\t... 2 more
\tCaused by: java.lang.Error: socket
\t\tat com.acme.Socket.close(Socket.java:5)
Caused by: java.sql.SQLException: timeout
\tat org.postgresql.Driver.run(Driver.java:11)
\tat com.acme.Orders.save(Orders.java:48)
\t... 1 more
"""


def test_the_first_printed_is_primary_and_causes_stand_before_it() -> None:
    trace = parse(NESTED)
    got = [(raised.type, raised.relation, raised.of, raised.omitted) for raised in trace.exceptions]
    assert got == [
        ("java.sql.SQLException", "cause", 3, 1),
        ("java.lang.Error", "cause", 2, 0),
        ("java.io.IOException", "suppressed", 3, 2),
        ("com.acme.OrderFailed", None, None, 0),
    ]
    assert trace.primary == 3
    assert places(trace)[:2] == [
        ("Orders.java", 48, "com.acme.Orders.save"),
        ("Driver.java", 11, "org.postgresql.Driver.run"),
    ]
    assert place(crash_frame(trace)) == ("Orders.java", 30, "com.acme.Orders.place")


def test_a_cause_answers_where_the_primary_is_all_library() -> None:
    trace = parse(NESTED)
    of_socket = in_app_frame(trace, lambda frame: frame.file == "Orders.java" and frame.line == 48)
    assert place(of_socket) == ("Orders.java", 48, "com.acme.Orders.save")


def test_the_loader_and_module_are_no_part_of_the_name() -> None:
    assert [frame.module for frame in parse(PLAIN).frames()] == ["app/", None, "java.base"]


@pytest.mark.parametrize(
    "text",
    [
        "We met at the office (see Plan.md:12) and at noon.",
        "INFO c.a.Main - started at com.acme.Main (pid 12)",
        "at once (maybe)",
        'System.out.println("at com.acme.Main.main(Main.java:9)");',
    ],
)
def test_no_frame_where_no_trace_is(text: str) -> None:
    assert list(parse(text).frames()) == []
