"""Go, Rust, Ruby, PHP, .NET, C, Swift, Dart and Elixir: how each prints a crash."""

import pytest
from hefesto_api.domain.traces import parse
from tests.domain.traces.cases import Case, check, places

GO = [
    Case(
        "panic",
        """\
panic: assignment to entry in nil map

goroutine 1 [running]:
main.(*Cart).add(0xc000012345, {0x4b1234, 0x4})
\t/srv/shop/cart.go:21 +0x1d
main.main()
\t/srv/shop/main.go:8 +0x25
exit status 2
""",
        "panic",
        "assignment to entry in nil map",
        [("/srv/shop/main.go", 8, "main.main"), ("/srv/shop/cart.go", 21, "main.(*Cart).add")],
    ),
    Case(
        "a signal, recovered, with the runtime between",
        """\
panic: runtime error: invalid memory address or nil pointer dereference
goroutine 34 [running]:
net/http.(*conn).serve.func1()
\t/usr/local/go/src/net/http/server.go:1854 +0xbf
panic({0x6a1f20, 0x8c4d30})
\t/usr/local/go/src/runtime/panic.go:890 +0x263
runtime.sigpanic()
\t/usr/local/go/src/runtime/signal_unix.go:835 +0x2f6
shop/orders.Place(...)
\t/srv/shop/orders/place.go:40
created by net/http.(*Server).Serve
\t/usr/local/go/src/net/http/server.go:3102 +0x4db
""",
        "panic",
        "runtime error: invalid memory address or nil pointer dereference",
        [
            ("/srv/shop/orders/place.go", 40, "shop/orders.Place"),
            ("/usr/local/go/src/runtime/signal_unix.go", 835, "runtime.sigpanic"),
            ("/usr/local/go/src/runtime/panic.go", 890, "panic"),
            ("/usr/local/go/src/net/http/server.go", 1854, "net/http.(*conn).serve.func1"),
        ],
        crash=0,
        in_app=0,
    ),
]
RUST = [
    Case(
        "without a backtrace, since 1.73",
        """\
thread 'main' panicked at src/cart.rs:12:5:
no price for B-17
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
""",
        "panic",
        "no price for B-17",
        [("src/cart.rs", 12, None)],
    ),
    Case(
        "unwrap, with a backtrace",
        """\
thread 'tokio-runtime-worker' panicked at 'called `Option::unwrap()` on a `None` value', src/cart.rs:12:5
stack backtrace:
   0: rust_begin_unwind
             at /rustc/90c5418/library/std/src/panicking.rs:584:5
   1: core::panicking::panic
             at /rustc/90c5418/library/core/src/panicking.rs:48:5
   2: shop::cart::total
             at ./src/cart.rs:12:5
   3: shop::main::h0123456789abcdef
             at ./src/main.rs:4:9
note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.
""",
        "panic",
        "called `Option::unwrap()` on a `None` value",
        [
            ("./src/main.rs", 4, "shop::main"),
            ("./src/cart.rs", 12, "shop::cart::total"),
            ("/rustc/90c5418/library/core/src/panicking.rs", 48, "core::panicking::panic"),
            ("/rustc/90c5418/library/std/src/panicking.rs", 584, "rust_begin_unwind"),
        ],
        crash=1,
        in_app=1,
    ),
]
RUBY = [
    Case(
        "new order, old quotes",
        """\
/srv/shop/cart.rb:12:in `total': undefined method `price' for nil:NilClass (NoMethodError)
\tfrom /usr/lib/ruby/gems/2.7.0/gems/rack-2.2.3/lib/rack.rb:4:in `call'
\tfrom bin/shop.rb:3:in `<main>'
""",
        "NoMethodError",
        "undefined method `price' for nil:NilClass",
        [
            ("bin/shop.rb", 3, "<main>"),
            ("/usr/lib/ruby/gems/2.7.0/gems/rack-2.2.3/lib/rack.rb", 4, "call"),
            ("/srv/shop/cart.rb", 12, "total"),
        ],
    ),
    Case(
        "old order",
        """\
Traceback (most recent call last):
\t1: from shop.rb:9:in `<main>'
shop.rb:2:in `total': no price (RuntimeError)
""",
        "RuntimeError",
        "no price",
        [("shop.rb", 9, "<main>"), ("shop.rb", 2, "total")],
    ),
    Case(
        "new quotes",
        """\
shop.rb:5:in 'Integer#/': divided by 0 (ZeroDivisionError)
\tfrom shop.rb:5:in 'Cart#share'
\tfrom shop.rb:9:in '<main>'
""",
        "ZeroDivisionError",
        "divided by 0",
        [("shop.rb", 9, "<main>"), ("shop.rb", 5, "Cart#share"), ("shop.rb", 5, "Integer#/")],
    ),
    Case(
        "Rails",
        """\
ActiveRecord::RecordNotFound (Couldn't find Order with 'id'=7):

app/models/order.rb:12:in `load'
app/controllers/orders_controller.rb:8:in `show'
""",
        "ActiveRecord::RecordNotFound",
        "Couldn't find Order with 'id'=7",
        [("app/controllers/orders_controller.rb", 8, "show"), ("app/models/order.rb", 12, "load")],
    ),
]
PHP = [
    Case(
        "uncaught",
        """\
PHP Fatal error:  Uncaught App\\NoStock: no stock in /srv/app/Cart.php:12
Stack trace:
#0 /srv/app/vendor/till/src/Till.php(40): App\\Cart->take('B-17', Array)
#1 [internal function]: {closure}(Object(App\\Order))
#2 {main}
  thrown in /srv/app/Cart.php on line 12
""",
        "App\\NoStock",
        "no stock",
        [
            (None, None, "{closure}"),
            ("/srv/app/vendor/till/src/Till.php", 40, "App\\Cart->take"),
            ("/srv/app/Cart.php", 12, None),
        ],
    ),
    Case(
        "a fatal error alone",
        "PHP Parse error:  syntax error, unexpected '}' in /srv/app/a.php on line 3\n",
        "Parse error",
        "syntax error, unexpected '}'",
        [("/srv/app/a.php", 3, None)],
    ),
]
DOTNET = [
    Case(
        "inner exceptions come first",
        """\
Unhandled exception. System.InvalidOperationException: order failed
 ---> System.ArgumentNullException: no price (Parameter 'price')
   at Shop.Cart.Total(Decimal price) in C:\\shop\\Cart.cs:line 12
   --- End of inner exception stack trace ---
   at Shop.Orders.<Place>d__3.MoveNext() in C:\\shop\\Orders.cs:line 40
--- End of stack trace from previous location ---
   at System.Runtime.CompilerServices.TaskAwaiter.ThrowForNonSuccess(Task task)
   at Shop.Program.Main(String[] args) in C:\\shop\\Program.cs:line 5
""",
        "System.InvalidOperationException",
        "order failed",
        [
            ("C:\\shop\\Cart.cs", 12, "Shop.Cart.Total"),
            ("C:\\shop\\Program.cs", 5, "Shop.Program.Main"),
            (None, None, "System.Runtime.CompilerServices.TaskAwaiter.ThrowForNonSuccess"),
            ("C:\\shop\\Orders.cs", 40, "Shop.Orders.<Place>d__3.MoveNext"),
        ],
    ),
    Case(
        "German",
        """\
System.DivideByZeroException: Es wurde versucht, durch 0 zu teilen.
   bei Shop.Cart.Share(Int32 count) in /srv/Cart.cs:Zeile 7
""",
        "System.DivideByZeroException",
        "Es wurde versucht, durch 0 zu teilen.",
        [("/srv/Cart.cs", 7, "Shop.Cart.Share")],
    ),
]
NATIVE = [
    Case(
        "gdb",
        """\
Program received signal SIGSEGV, Segmentation fault.
#0  0x0000555555555131 in total (cart=0x0) at src/cart.c:12
#1  main (argc=1, argv=0x7ffe) at src/main.c:4
#2  0x00007ffff7df0083 in __libc_start_main () from /lib/x86_64-linux-gnu/libc.so.6
""",
        "SIGSEGV",
        "Segmentation fault",
        [(None, None, "__libc_start_main"), ("src/main.c", 4, "main"), ("src/cart.c", 12, "total")],
    ),
    Case(
        "AddressSanitizer",
        """\
==7==ERROR: AddressSanitizer: heap-use-after-free on address 0x602 at pc 0x4f bp 0x7f sp 0x7e
READ of size 4 at 0x602 thread T0
    #0 0x4f in __asan_memcpy /build/llvm/compiler-rt/lib/asan/asan_interceptors.cpp:22:3
    #1 0x50 in shop::Cart::total(int, char const*) const /srv/shop/cart.cpp:12:5
    #2 0x51 in main /srv/shop/main.cpp:4:1
    #3 0x52  (/lib/x86_64-linux-gnu/libc.so.6+0x29d8f)

0x602 is located 0 bytes inside of 4-byte region
freed by thread T0 here:
    #0 0x60 in free (/srv/shop/shop+0x60)
    #1 0x61 in drop /srv/shop/cart.cpp:30:1
""",
        "heap-use-after-free",
        "heap-use-after-free on address 0x602 at pc 0x4f bp 0x7f sp 0x7e",
        [
            ("/srv/shop/main.cpp", 4, "main"),
            ("/srv/shop/cart.cpp", 12, "shop::Cart::total(int, char const*) const"),
            ("/build/llvm/compiler-rt/lib/asan/asan_interceptors.cpp", 22, "__asan_memcpy"),
        ],
        crash=1,
        in_app=1,
    ),
]
SWIFT = [
    Case(
        "a failed assertion",
        """\
Shop/Cart.swift:12: Fatal error: no price
Current stack trace:
0    libswiftCore.so                    0x00007f58 _assertionFailure(_:_:file:line:flags:) + 441
1    shop                               0x00005611 Cart.total() + 120
""",
        "Fatal error",
        "no price",
        [
            (None, None, "Cart.total()"),
            (None, None, "_assertionFailure(_:_:file:line:flags:)"),
            ("Shop/Cart.swift", 12, None),
        ],
    ),
]
DART = [
    Case(
        "unhandled",
        """\
Unhandled exception:
Bad state: no price
#0      Cart.total (package:shop/cart.dart:12:5)
<asynchronous suspension>
#1      main.<anonymous closure> (file:///srv/shop/bin/main.dart:4:3)
#2      _rootRun (dart:async/zone.dart:1399:13)
""",
        "StateError",
        "no price",
        [
            ("dart:async/zone.dart", 1399, "_rootRun"),
            ("file:///srv/shop/bin/main.dart", 4, "main.<anonymous closure>"),
            ("package:shop/cart.dart", 12, "Cart.total"),
        ],
    ),
]
ELIXIR = [
    Case(
        "a server's error",
        """\
05:06:07.123 [error] GenServer Shop.Cart terminating
** (ArithmeticError) bad argument in arithmetic expression
    (shop 0.1.0) lib/shop/cart.ex:12: Shop.Cart.total/1
    (stdlib 4.0) gen_server.erl:1120: :gen_server.try_dispatch/4
    (elixir 1.14.0) Enum.map/2
Last message: :total
""",
        "ArithmeticError",
        "bad argument in arithmetic expression",
        [
            (None, None, "Enum.map/2"),
            ("gen_server.erl", 1120, ":gen_server.try_dispatch/4"),
            ("lib/shop/cart.ex", 12, "Shop.Cart.total/1"),
        ],
    ),
]
ALL = {
    "go": GO,
    "rust": RUST,
    "ruby": RUBY,
    "php": PHP,
    "csharp": DOTNET,
    "c": NATIVE,
    "swift": SWIFT,
    "dart": DART,
    "elixir": ELIXIR,
}
CASES = [case for cases in ALL.values() for case in cases]


@pytest.mark.parametrize(
    ("language", "case"),
    [(language, case) for language, cases in ALL.items() for case in cases],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_reads(language: str, case: Case) -> None:
    check(case, language)


@pytest.mark.parametrize(
    ("language", "case"),
    [(language, case) for language, cases in ALL.items() for case in cases],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_reads_behind_a_container_name(language: str, case: Case) -> None:
    trace = parse("".join(f"app_1  | {line}\n" for line in case.text.splitlines()))
    assert (trace.language, places(trace)) == (language, case.frames)


@pytest.mark.parametrize(
    "text",
    [
        "#1 Fix the cart in main\n#2 Fix the till at the shop",
        "| # | file | line |\n|---|---|---|\n| #0 | a.c | 12 |",
        "cart.go:12:5: undefined: price\ncart.go:14:2: missing return",
        "cart.rb:3: warning: unused variable",
        "error[E0425]: cannot find value `x`\n --> src/main.rs:3:5",
        "lib/shop/cart.ex:12: warning: variable is unused",
        "Compiling shop in debug at 12:30:11\nListening on package:shop",
        "** (1) the first footnote\n** (2) the second",
        "  0: shop::main\n  1: shop::cart",
        "src/cart.c:12:5: error: expected ';' before '}' token",
        "1. total() at noon\n2. share() in the evening",
    ],
)
def test_no_frame_where_no_trace_is(text: str) -> None:
    assert list(parse(text).frames()) == []
