# ruff: noqa: E501 (traces are as wide as they are printed)
"""Rust: panics before and since 1.73, backtraces short and full, errors with their causes."""

import pytest
from hefesto_api.domain.traces import parse
from tests.domain.traces.cases import Case, check, places

CASES = [
    Case(
        "a full backtrace, with addresses and hashes",
        """\
thread 'main' panicked at 'index out of bounds: the len is 3 but the index is 9', src/cart.rs:21:14
stack backtrace:
   0:     0x55d0c7c5ff3a - std::backtrace_rs::backtrace::libunwind::trace::h8f2e3ab2a8a7cd8d
                               at /rustc/84c898d65adf2f39a5a98507f1fe0ce10a2b8dbc/library/std/src/../../backtrace/src/backtrace/libunwind.rs:93:5
   1:     0x55d0c7c7a6ae - core::panicking::panic_bounds_check::h11ddf5d8b3a01a02
                               at /rustc/84c898d65adf2f39a5a98507f1fe0ce10a2b8dbc/library/core/src/panicking.rs:159:5
   2:     0x55d0c7c5a0f5 - shop::cart::Cart::price::h5a1d2c3b4e5f6a7b
                               at /srv/shop/src/cart.rs:21:14
   3:     0x55d0c7c5a2c4 - shop::main::h0123456789abcdef
                               at /srv/shop/src/main.rs:9:5
   4:     0x7f2b1a829d90 - __libc_start_call_main
                               at ./csu/../sysdeps/nptl/libc_start_call_main.h:58:16
   5:                0x0 - <unknown>
""",
        "panic",
        "index out of bounds: the len is 3 but the index is 9",
        [
            ("./csu/../sysdeps/nptl/libc_start_call_main.h", 58, "__libc_start_call_main"),
            ("/srv/shop/src/main.rs", 9, "shop::main"),
            ("/srv/shop/src/cart.rs", 21, "shop::cart::Cart::price"),
            (
                "/rustc/84c898d65adf2f39a5a98507f1fe0ce10a2b8dbc/library/core/src/panicking.rs",
                159,
                "core::panicking::panic_bounds_check",
            ),
            (
                "/rustc/84c898d65adf2f39a5a98507f1fe0ce10a2b8dbc/library/std/src/../../backtrace/src/backtrace/libunwind.rs",
                93,
                "std::backtrace_rs::backtrace::libunwind::trace",
            ),
        ],
        crash=2,
        in_app=2,
    ),
    Case(
        "an assertion of several lines, since 1.73, in a test",
        """\
---- cart::tests::adds stdout ----
thread 'cart::tests::adds' panicked at src/cart.rs:88:9:
assertion `left == right` failed: wrong total
  left: 3
 right: 4
stack backtrace:
   0: rust_begin_unwind
             at /rustc/82e1608dfa6e0b5569232559e3d385fea5a93112/library/std/src/panicking.rs:645:5
   1: core::panicking::panic_fmt
             at /rustc/82e1608dfa6e0b5569232559e3d385fea5a93112/library/core/src/panicking.rs:72:14
   2: core::panicking::assert_failed
   3: shop::cart::tests::adds
             at ./src/cart.rs:88:9
   4: shop::cart::tests::adds::{{closure}}
             at ./src/cart.rs:85:14
note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.

failures:
    cart::tests::adds
""",
        "panic",
        "assertion `left == right` failed: wrong total\nleft: 3\nright: 4",
        [
            ("./src/cart.rs", 85, "shop::cart::tests::adds::{{closure}}"),
            ("./src/cart.rs", 88, "shop::cart::tests::adds"),
            (None, None, "core::panicking::assert_failed"),
            (
                "/rustc/82e1608dfa6e0b5569232559e3d385fea5a93112/library/core/src/panicking.rs",
                72,
                "core::panicking::panic_fmt",
            ),
            (
                "/rustc/82e1608dfa6e0b5569232559e3d385fea5a93112/library/std/src/panicking.rs",
                645,
                "rust_begin_unwind",
            ),
        ],
        crash=1,
        in_app=1,
    ),
    Case(
        "unwrap on an error, whose text holds quotes and commas",
        """\
thread 'main' panicked at 'called `Result::unwrap()` on an `Err` value: Os { code: 2, kind: NotFound, message: "No such file" }', src/main.rs:4:37
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
""",
        "panic",
        'called `Result::unwrap()` on an `Err` value: Os { code: 2, kind: NotFound, message: "No such file" }',
        [("src/main.rs", 4, None)],
    ),
    Case(
        "with the thread's number, as since 1.91",
        """\
thread 'main' (12345) panicked at src/main.rs:2:5:
explicit panic
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
""",
        "panic",
        "explicit panic",
        [("src/main.rs", 2, None)],
    ),
    Case(
        "on Windows",
        """\
thread 'main' panicked at src\\main.rs:7:10:
called `Option::unwrap()` on a `None` value
stack backtrace:
   0: std::panicking::begin_panic_handler
             at /rustc/9fc6b43126469e3858e2fe86cafb4f0fd5068869\\library/std\\src\\panicking.rs:665
   1: core::panicking::panic_fmt
             at /rustc/9fc6b43126469e3858e2fe86cafb4f0fd5068869\\library/core\\src\\panicking.rs:74
   2: shop::main
             at .\\src\\main.rs:7
   3: core::ops::function::FnOnce::call_once<void (*)(),tuple$<> >
             at /rustc/9fc6b43126469e3858e2fe86cafb4f0fd5068869\\library\\core\\src\\ops\\function.rs:250
""",
        "panic",
        "called `Option::unwrap()` on a `None` value",
        [
            (
                "/rustc/9fc6b43126469e3858e2fe86cafb4f0fd5068869\\library\\core\\src\\ops\\function.rs",
                250,
                "core::ops::function::FnOnce::call_once<void (*)(),tuple$<> >",
            ),
            (".\\src\\main.rs", 7, "shop::main"),
            (
                "/rustc/9fc6b43126469e3858e2fe86cafb4f0fd5068869\\library/core\\src\\panicking.rs",
                74,
                "core::panicking::panic_fmt",
            ),
            (
                "/rustc/9fc6b43126469e3858e2fe86cafb4f0fd5068869\\library/std\\src\\panicking.rs",
                665,
                "std::panicking::begin_panic_handler",
            ),
        ],
        crash=1,
        in_app=1,
    ),
    Case(
        "anyhow, with a backtrace",
        """\
Error: cannot read the prices

Caused by:
    0: cannot open prices.toml
    1: No such file or directory (os error 2)

Stack backtrace:
   0: anyhow::error::<impl anyhow::Error>::msg
             at /home/ana/.cargo/registry/src/index.crates.io-6f17d22bba15001f/anyhow-1.0.75/src/error.rs:79:36
   1: shop::prices::load
             at ./src/prices.rs:12:9
   2: shop::main
             at ./src/main.rs:6:5
""",
        "Error",
        "cannot read the prices",
        [
            ("./src/main.rs", 6, "shop::main"),
            ("./src/prices.rs", 12, "shop::prices::load"),
            (
                "/home/ana/.cargo/registry/src/index.crates.io-6f17d22bba15001f/anyhow-1.0.75/src/error.rs",
                79,
                "anyhow::error::<impl anyhow::Error>::msg",
            ),
        ],
        crash=1,
        in_app=1,
    ),
    Case(
        "the compiler's own",
        """\
error: internal compiler error: unexpected panic

thread 'rustc' panicked at compiler/rustc_middle/src/ty/mod.rs:120:13:
not yet implemented
stack backtrace:
   0: <rustc_errors::HandlerInner>::emit_diagnostic
   1: rustc_middle::ty::probe
   2: rustc_driver::run_compiler
note: the compiler unexpectedly panicked. this is a bug.
""",
        "panic",
        "not yet implemented",
        [
            (None, None, "rustc_driver::run_compiler"),
            (None, None, "rustc_middle::ty::probe"),
            (
                "compiler/rustc_middle/src/ty/mod.rs",
                120,
                "<rustc_errors::HandlerInner>::emit_diagnostic",
            ),
        ],
    ),
    Case(
        "a second panic after the first",
        """\
thread 'worker' panicked at src/a.rs:3:5:
first
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
thread 'main' panicked at src/b.rs:9:20:
called `Result::unwrap()` on an `Err` value: Any { .. }
""",
        "panic",
        "first",
        [("src/b.rs", 9, None), ("src/a.rs", 3, None)],
        crash=1,
        in_app=1,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_reads(case: Case) -> None:
    check(case, "rust")


@pytest.mark.parametrize(
    "text",
    [
        "error[E0308]: mismatched types\n --> src/main.rs:3:5\n  |\n3 |     total()\n  |     ^^^^^^^ expected `i32`\n",
        "warning: unused variable: `x`\n  --> src/cart.rs:12:9\n",
        "test cart::tests::adds ... ok\ntest result: ok. 3 passed; 0 failed\n",
        "[2026-03-04T05:06:07Z INFO  shop::main] listening at src/main.rs:12\n",
        "He said that the thread panicked at noon, and that nobody was there.",
        "   0: first\n   1: second\n   2: third\n",
        "Caused by:\n    0: cannot open prices.toml\n    1: No such file or directory (os error 2)\n",
    ],
)
def test_no_frame_where_no_trace_is(text: str) -> None:
    assert places(parse(text)) == []
