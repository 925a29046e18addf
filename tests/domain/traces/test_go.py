"""Go: panics, fatal errors and signals, goroutines, and what servers and test runners print around them."""

import pytest
from hefesto_api.domain.traces import parse
from tests.domain.traces.cases import Case, check, places

CASES = [
    Case(
        "a test's panic, recovered and raised again",
        """\
--- FAIL: TestTotal (0.00s)
panic: runtime error: integer divide by zero [recovered]
	panic: runtime error: integer divide by zero

goroutine 19 [running]:
testing.tRunner.func1.2({0x5125e0, 0x61cdc0})
	/usr/local/go/src/testing/testing.go:1545 +0x238
testing.tRunner.func1()
	/usr/local/go/src/testing/testing.go:1548 +0x397
panic({0x5125e0?, 0x61cdc0?})
	/usr/local/go/src/runtime/panic.go:914 +0x21f
example.com/shop/cart.Share(...)
	/srv/shop/cart/cart.go:15
example.com/shop/cart.TestShare(0x0?)
	/srv/shop/cart/cart_test.go:9 +0x1d
testing.tRunner(0xc0000a4680, 0x54a5c8)
	/usr/local/go/src/testing/testing.go:1595 +0xff
created by testing.(*T).Run in goroutine 1
	/usr/local/go/src/testing/testing.go:1648 +0x3ad
FAIL	example.com/shop/cart	0.006s
FAIL
""",
        "panic",
        "runtime error: integer divide by zero",
        [
            ("/usr/local/go/src/testing/testing.go", 1595, "testing.tRunner"),
            ("/srv/shop/cart/cart_test.go", 9, "example.com/shop/cart.TestShare"),
            ("/srv/shop/cart/cart.go", 15, "example.com/shop/cart.Share"),
            ("/usr/local/go/src/runtime/panic.go", 914, "panic"),
            ("/usr/local/go/src/testing/testing.go", 1548, "testing.tRunner.func1"),
            ("/usr/local/go/src/testing/testing.go", 1545, "testing.tRunner.func1.2"),
        ],
        crash=2,
        in_app=2,
    ),
    Case(
        "a handler's panic that the server caught",
        """\
2026/03/04 05:06:07 http: panic serving 127.0.0.1:51234: no such order
goroutine 35 [running]:
net/http.(*conn).serve.func1()
	/usr/local/go/src/net/http/server.go:1868 +0xb9
panic({0x653b60?, 0x7116a0?})
	/usr/local/go/src/runtime/panic.go:920 +0x270
main.(*Shop).order(0xc0001a6000, {0x7142e8, 0xc0001c00e0}, 0xc0001b6100)
	/srv/shop/http.go:44 +0x1a5
net/http.HandlerFunc.ServeHTTP(0xc000138b40?, {0x7142e8?, 0xc0001c00e0?}, 0x0?)
	/usr/local/go/src/net/http/server.go:2136 +0x29
created by net/http.(*Server).Serve in goroutine 1
	/usr/local/go/src/net/http/server.go:3086 +0x5cb
""",
        "panic",
        "no such order",
        [
            ("/usr/local/go/src/net/http/server.go", 2136, "net/http.HandlerFunc.ServeHTTP"),
            ("/srv/shop/http.go", 44, "main.(*Shop).order"),
            ("/usr/local/go/src/runtime/panic.go", 920, "panic"),
            ("/usr/local/go/src/net/http/server.go", 1868, "net/http.(*conn).serve.func1"),
        ],
        crash=1,
        in_app=1,
    ),
    Case(
        "a fatal error of the runtime",
        """\
fatal error: concurrent map writes

goroutine 21 [running]:
main.(*Stock).put(...)
	/srv/shop/stock.go:31
main.fill.func1()
	/srv/shop/stock.go:18 +0x65
created by main.fill in goroutine 1
	/srv/shop/stock.go:17 +0x4f

goroutine 1 [semacquire]:
sync.runtime_Semacquire(0xc0000140f8?)
	/usr/local/go/src/runtime/sema.go:62 +0x25
main.main()
	/srv/shop/main.go:12 +0x90
exit status 2
""",
        "fatal error",
        "concurrent map writes",
        [
            ("/srv/shop/stock.go", 18, "main.fill.func1"),
            ("/srv/shop/stock.go", 31, "main.(*Stock).put"),
        ],
    ),
    Case(
        "a signal, with the address",
        """\
panic: runtime error: invalid memory address or nil pointer dereference
[signal SIGSEGV: segmentation violation code=0x1 addr=0x8 pc=0x47a1c5]

goroutine 1 [running]:
main.(*Cart).Total(0x0)
	/srv/shop/cart.go:12 +0x5
main.main()
	/srv/shop/main.go:8 +0x1b
""",
        "panic",
        "runtime error: invalid memory address or nil pointer dereference",
        [("/srv/shop/main.go", 8, "main.main"), ("/srv/shop/cart.go", 12, "main.(*Cart).Total")],
    ),
    Case(
        "all goroutines asleep",
        """\
fatal error: all goroutines are asleep - deadlock!

goroutine 1 [chan receive]:
main.main()
	/tmp/sandbox/prog.go:9 +0x36
""",
        "fatal error",
        "all goroutines are asleep - deadlock!",
        [("/tmp/sandbox/prog.go", 9, "main.main")],
    ),
    Case(
        "an error's value, on Windows",
        """\
panic: open C:\\shop\\price.json: The system cannot find the file specified.

goroutine 1 [running]:
main.load({0xc00000a0c8, 0x17})
	C:/Users/ana/shop/load.go:23 +0x10b
main.main()
	C:/Users/ana/shop/main.go:9 +0x25
exit status 2
""",
        "panic",
        "open C:\\shop\\price.json: The system cannot find the file specified.",
        [
            ("C:/Users/ana/shop/main.go", 9, "main.main"),
            ("C:/Users/ana/shop/load.go", 23, "main.load"),
        ],
    ),
    Case(
        "a goroutine's stack of minutes, a method of a generic type, and an argument that is a struct",
        """\
panic: (*errors.errorString) 0xc000012250

goroutine 7 [running, locked to thread]:
github.com/acme/shop/internal/store.(*Store[...]).Get(0xc00007e000, {0x1, 0x2})
	/home/ana/go/pkg/mod/github.com/acme/shop@v1.2.3/internal/store/store.go:77 +0x12f
main.run.func2.1()
	/srv/shop/run.go:40 +0x2a
created by main.run.func2
	/srv/shop/run.go:38 +0x85
""",
        "panic",
        "(*errors.errorString) 0xc000012250",
        [
            ("/srv/shop/run.go", 40, "main.run.func2.1"),
            (
                "/home/ana/go/pkg/mod/github.com/acme/shop@v1.2.3/internal/store/store.go",
                77,
                "github.com/acme/shop/internal/store.(*Store[...]).Get",
            ),
        ],
        in_app=0,
    ),
    Case(
        "debug.Stack in a log",
        """\
time="2026-03-04T05:06:07Z" level=error msg="recovered" err="boom"
goroutine 33 [running]:
runtime/debug.Stack()
	/usr/local/go/src/runtime/debug/stack.go:24 +0x65
main.recovered()
	/srv/shop/recover.go:14 +0x1f
panic({0x4a1f20, 0x4e4d30})
	/usr/local/go/src/runtime/panic.go:884 +0x213
main.pay(...)
	/srv/shop/pay.go:9
main.main()
	/srv/shop/main.go:8 +0x25
""",
        None,
        None,
        [
            ("/srv/shop/main.go", 8, "main.main"),
            ("/srv/shop/pay.go", 9, "main.pay"),
            ("/usr/local/go/src/runtime/panic.go", 884, "panic"),
            ("/srv/shop/recover.go", 14, "main.recovered"),
            ("/usr/local/go/src/runtime/debug/stack.go", 24, "runtime/debug.Stack"),
        ],
        crash=1,
        in_app=1,
    ),
    Case(
        "pkg/errors",
        """\
order 7 failed: no stock
main.take
	/srv/shop/stock.go:12
main.order
	/srv/shop/order.go:30
main.main
	/srv/shop/main.go:8
runtime.main
	/usr/local/go/src/runtime/proc.go:250
runtime.goexit
	/usr/local/go/src/runtime/asm_amd64.s:1594
""",
        None,
        None,
        [
            ("/usr/local/go/src/runtime/asm_amd64.s", 1594, "runtime.goexit"),
            ("/usr/local/go/src/runtime/proc.go", 250, "runtime.main"),
            ("/srv/shop/main.go", 8, "main.main"),
            ("/srv/shop/order.go", 30, "main.order"),
            ("/srv/shop/stock.go", 12, "main.take"),
        ],
    ),
    Case(
        "a signal from outside",
        """\
SIGQUIT: quit
PC=0x46a1e1 m=0 sigcode=0

goroutine 0 [idle]:
runtime.futex()
	/usr/local/go/src/runtime/sys_linux_amd64.s:557 +0x21
runtime.mcall()
	/usr/local/go/src/runtime/asm_amd64.s:458 +0x4e
""",
        "SIGQUIT",
        "quit",
        [
            ("/usr/local/go/src/runtime/asm_amd64.s", 458, "runtime.mcall"),
            ("/usr/local/go/src/runtime/sys_linux_amd64.s", 557, "runtime.futex"),
        ],
        in_app=None,
    ),
    Case(
        "cgo, a signal, and elided frames",
        """\
fatal error: unexpected signal during runtime execution
[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x7f2a]

runtime stack:
runtime.throw({0x5a0, 0x2a})
	/usr/local/go/src/runtime/panic.go:1077 +0x5c
runtime.sigpanic()
	/usr/local/go/src/runtime/signal_unix.go:845 +0x3e9

goroutine 1 [syscall]:
runtime.cgocall(0x401000, 0xc000)
	/usr/local/go/src/runtime/cgocall.go:157 +0x4b
main._Cfunc_draw(0x0)
	_cgo_gotypes.go:45 +0x48
...24 frames elided...
main.main()
	/srv/shop/main.go:11 +0x17
""",
        "fatal error",
        "unexpected signal during runtime execution",
        [
            ("/srv/shop/main.go", 11, "main.main"),
            ("_cgo_gotypes.go", 45, "main._Cfunc_draw"),
            ("/usr/local/go/src/runtime/cgocall.go", 157, "runtime.cgocall"),
        ],
        crash=1,
        in_app=0,
    ),
    Case(
        "a custom error, printed with its type",
        """\
panic: main.NoStock{sku:"B-17"} [recovered, repanicked]

goroutine 6 [running]:
main.take({0x4b1234, 0x4})
	/srv/shop/stock.go:12 +0x1d
""",
        "panic",
        'main.NoStock{sku:"B-17"}',
        [("/srv/shop/stock.go", 12, "main.take")],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_reads(case: Case) -> None:
    check(case, "go")


def test_other_goroutines_are_kept_apart() -> None:
    trace = parse(next(case for case in CASES if "fatal error of the runtime" in case.name).text)
    assert [(other.note, len(other.frames)) for other in trace.others] == [("goroutine 1 [semacquire]", 2)]


@pytest.mark.parametrize(
    "text",
    [
        "# example.com/shop\n./cart.go:12:5: undefined: price\n./cart.go:14:2: missing return\n",
        "ok  \texample.com/shop\t0.012s\n--- PASS: TestTotal (0.00s)\n    cart_test.go:9: took 3 ms\n",
        "--- FAIL: TestTotal (0.00s)\n    cart_test.go:15: got 3, want 4\nFAIL\n",
        "cart.go:12: Printf format %d has arg x of wrong type string",
        "2026/03/04 05:06:07 main.go:22: listening on :8080\n2026/03/04 05:06:08 main.go:31: ready\n",
        "level=info caller=main.go:12 msg=started\nlevel=info caller=main.go:15 msg=ready\n",
        "a goroutine 1 [running]: is where it starts",
    ],
)
def test_no_frame_where_no_trace_is(text: str) -> None:
    assert places(parse(text)) == []
