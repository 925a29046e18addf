"""The same crash has the same fingerprint, whatever its lines and values; another crash has another."""

from __future__ import annotations

from typing import Any

import pytest
from hefesto_api.domain.alert import Cause, IncomingAlert, ReportedFrame
from hefesto_api.domain.grouping import (
    fingerprint,
    former_type,
    grouped,
    plain_function,
    plain_message,
    plain_place,
    plain_type,
)
from hefesto_api.domain.traces import Frame
from hypothesis import given
from hypothesis import strategies as st

PYTHON = """Traceback (most recent call last):
  File "/srv/releases/{release}/shop/api.py", line {line}, in checkout
    user = load_user(uid)
  File "/usr/lib/python3.11/json/decoder.py", line {line}, in raw_decode
    return users[uid]
  File "/srv/releases/{release}/shop/db.py", line {line}, in {function}
    return users[uid]
{error}: {message}
"""
GO = """panic: runtime error: {message}

goroutine {number} [running]:
main.(*Server).handle.func{number}(0xc0000{number}, 0x1)
\t/srv/shop/main.go:{number} +0x1f
main.main()
\t/srv/shop/main.go:5 +0x2
"""
JAVA = """java.lang.IllegalStateException: order {number}
\tat com.shop.Orders.lambda$place${number}(Orders.java:{number})
\tat com.shop.Orders.place(Orders.java:{number})
Caused by: {cause}: row {number}
\tat com.shop.Rows.read(Rows.java:{number})
\t... {number} more
"""


def alert(**fields: Any) -> IncomingAlert:
    return IncomingAlert(**{"alert_id": "a", "source": "native", **fields})


def python(**said: Any) -> IncomingAlert:
    dull = {"release": 1, "line": 42, "function": "load_user", "error": "KeyError", "message": "'uid'"}
    return alert(stacktrace=PYTHON.format(**{**dull, **said}))


def test_lines_values_and_folders_of_releases_do_not_matter() -> None:
    same = fingerprint(python())
    assert fingerprint(python(line=57)) == same
    assert fingerprint(python(message="'91'")) == same
    assert fingerprint(python(release="20261121093000")) == fingerprint(python(release="20261122110000"))


def test_another_function_or_another_error_is_another_crash() -> None:
    found = {
        fingerprint(one) for one in (python(), python(function="load_order"), python(error="IndexError"))
    }
    assert len(found) == 3


def test_the_same_function_of_another_file_is_another_crash() -> None:
    trace = python().stacktrace or ""
    assert fingerprint(alert(stacktrace=trace.replace("db.py", "cache.py"))) != fingerprint(python())


def test_where_an_error_type_is_defined_does_not_matter() -> None:
    assert fingerprint(python(error="shop.errors.Lost")) == fingerprint(python(error="Lost"))


def test_digits_of_an_error_type_are_of_its_name() -> None:
    assert fingerprint(python(error="Http404")) != fingerprint(python(error="Http500"))
    structured = [alert(error_type=one, frames=frames("load")) for one in ("ORA-00942", "ORA-01017")]
    assert fingerprint(structured[0]) != fingerprint(structured[1])
    words = [alert(error_type=one, error_message="no") for one in ("S3Error", "S4Error")]
    assert fingerprint(words[0]) != fingerprint(words[1])


def test_what_the_former_version_made_of_a_type_with_digits_is_still_known() -> None:
    """Both were one then; where nothing changed there is nothing to look for."""
    one, other = (grouped(python(error=name)) for name in ("Http404", "Http500"))
    assert one.former is not None
    assert one.former == other.former
    assert one.former.fingerprint not in {one.fingerprint, other.fingerprint}
    assert grouped(python()).former is None


def test_functions_of_libraries_do_not_matter_beside_the_applications_own() -> None:
    trace = python().stacktrace or ""
    newer = trace.replace("raw_decode", "scan_once").replace("decoder.py", "scanner.py")
    assert fingerprint(alert(stacktrace=newer)) == fingerprint(python())


def test_the_project_decides_what_is_its_own() -> None:
    """Where it holds of nothing, the guess does."""
    one, other = python(), python(function="load_order")

    def is_api(frame: Frame) -> bool:
        return "api.py" in (frame.file or "")

    assert fingerprint(one, is_api) == fingerprint(other, is_api)
    assert fingerprint(one, lambda _: False) == fingerprint(one)


@pytest.mark.parametrize("depth", [2, 90])
def test_the_depth_of_a_recursion_does_not_matter(depth: int) -> None:
    frame = '  File "/srv/shop/tree.py", line 3, in walk\n    walk(child)\n'
    trace = f"Traceback (most recent call last):\n{frame * depth}RecursionError: too deep\n"
    once = f"Traceback (most recent call last):\n{frame}RecursionError: too deep\n"
    assert fingerprint(alert(stacktrace=trace)) == fingerprint(alert(stacktrace=once))


def test_numbers_of_closures_and_addresses_do_not_matter() -> None:
    said = "index out of range [{n}] with length 3"
    one, other = (alert(stacktrace=GO.format(number=n, message=said.format(n=n))) for n in (12, 34))
    assert fingerprint(one) == fingerprint(other)
    nil = alert(stacktrace=GO.format(number=12, message="invalid memory address or nil pointer dereference"))
    assert fingerprint(one) != fingerprint(nil)


def test_what_caused_an_error_matters() -> None:
    one, other = (JAVA.format(number=n, cause="java.sql.SQLException") for n in (7, 8))
    another = JAVA.format(number=7, cause="java.io.IOException")
    assert fingerprint(alert(stacktrace=one)) == fingerprint(alert(stacktrace=other))
    assert fingerprint(alert(stacktrace=one)) != fingerprint(alert(stacktrace=another))


def frames(*functions: str, file: str = "shop/db.py", line: int = 1) -> tuple[ReportedFrame, ...]:
    return tuple(ReportedFrame(file=file, line=line, function=one) for one in functions)


def test_frames_count_like_a_printed_trace() -> None:
    printed = alert(
        stacktrace="Traceback (most recent call last):\n"
        '  File "/srv/app/shop/db.py", line 42, in load_user\n'
        "KeyError: 'uid'\n"
    )
    structured = alert(error_type="KeyError", error_message="'x'", frames=frames("load_user", line=7))
    assert fingerprint(structured) == fingerprint(printed)


def test_frames_that_the_sender_takes_for_a_library_do_not_matter() -> None:
    library = ReportedFrame(file="x/retry.py", function="call", in_app=False)
    own = frames("load_user")
    assert fingerprint(alert(error_type="E", frames=(library, *own))) == fingerprint(
        alert(error_type="E", frames=own)
    )


def test_causes_of_structured_errors_matter() -> None:
    def of(cause: str) -> str:
        return fingerprint(alert(error_type="E", frames=frames("f_one"), causes=(Cause(error_type=cause),)))

    assert of("KeyError") != of("IndexError")


def test_minified_names_are_told_apart_by_their_message() -> None:
    bundle = "https://shop.example/static/main.{build}.js"

    def crash(build: str, message: str) -> str:
        trace = f"TypeError: {message}\n    at t ({bundle.format(build=build)}:1:234)\n"
        return fingerprint(alert(stacktrace=trace))

    assert crash("3f2a1b9c", "x is null") == crash("77c0ffee1", "x is null")
    assert crash("3f2a1b9c", "x is null") != crash("3f2a1b9c", "n.map is not a function")


def test_without_a_trace_the_senders_group_decides() -> None:
    one = alert(group_id="g1", error_message="5xx at 7%")
    assert fingerprint(one) == fingerprint(alert(group_id="g1", error_message="latency"))
    assert fingerprint(one) != fingerprint(alert(group_id="g2", error_message="5xx at 7%"))
    assert fingerprint(one) != fingerprint(alert(group_id="g1", source="grafana"))


def test_without_a_group_the_message_without_its_values_decides() -> None:
    def told(message: str, **fields: Any) -> str:
        return fingerprint(alert(error_type="Timeout", error_message=message, **fields))

    assert told("order 91 took 30.5 s") == told("order 7 took 31 s")
    assert told("order 91 took 30 s") != told("user 91 took 30 s")
    assert told("x", service_name="shop") != told("x", service_name="pay")


def test_alerts_that_say_nothing_are_not_one() -> None:
    assert fingerprint(alert(alert_id="1")) != fingerprint(alert(alert_id="2"))


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("no user 'ann' in \"eu\"", "no user # in #"),
        ("can't open the user's file", "can't open the user's file"),
        ("at 0x7ffe12 of 550e8400-e29b-41d4-a716-446655440000", "at # of #"),
        ("commit 3f1c9e7a0b of ann@shop.example", "commit # of #"),
        ("deadbeef is a word, deadbee1 is a hash", "deadbeef is a word, # is a hash"),
        ("took  1,234.5 ms\n at 10:00:01", "took # ms at #"),
    ],
)
def test_what_differs_each_time_is_taken_out_of_a_message(text: str, plain: str) -> None:
    assert plain_message(text) == plain


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("main.(*Server).handle.func1.2", "main.(*Server).handle.func"),
        ("com.shop.Orders.lambda$place$3", "com.shop.Orders.lambda$place"),
        ("com.shop.Orders$1.run", "com.shop.Orders.run"),
        ("shop::load::h0123456789abcdef", "shop::load"),
        ("Shop.<Place>d__12.MoveNext", "Shop.<Place>d__.MoveNext"),
        ("block (2 levels) in place", "block in place"),
        ("handler+0x1f", "handler"),
        ("load_v2", "load_v2"),
        ("sha256", "sha256"),
    ],
)
def test_what_an_edit_or_a_build_changes_is_taken_out_of_a_name(name: str, plain: str) -> None:
    assert plain_function(name) == plain


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("Http404", "Http404"),
        ("shop.v2.errors.Http404", "Http404"),
        ("core::num::ParseInt2Error", "ParseInt2Error"),
        ("2FAError", "2FAError"),
        ("ORA-00942", "ORA-00942"),
        ("SQLSTATE[42S02]", "SQLSTATE[42S02]"),
        ("<class 'shop.errors.Http404'>", "Http404"),
        ("Uncaught TypeError:", "TypeError"),
        ("Order 91", "Order #"),
        ("com.shop.Foo$1", "Foo"),
        ("com.shop.Foo$1$2", "Foo"),
        ("com.shop.Foo$1Local", "Local"),
        ("com.shop.Foo$Inner2", "Inner2"),
        ("com.shop.Foo$$Lambda$14/0x0000000800c03000", "Lambda"),
        ("com.shop.Foo@1b6d35", "Foo"),
        ("lambda#0x7f00112233", "lambda"),
        ("#<Class:0x00007f00112233>", "#<Class>"),
        ("<>f__AnonymousType12", "<>f__AnonymousType"),
        ("class@anonymous\0/srv/shop/orders.php:7$0", "class@anonymous"),
    ],
)
def test_of_a_types_name_only_what_names_nothing_is_left_out(name: str, plain: str) -> None:
    assert plain_type(name) == plain


@pytest.mark.parametrize(
    "name", ["KeyError", "shop.errors.Lost", "Uncaught TypeError:", "*errors.errorString"]
)
def test_a_type_without_digits_is_named_as_before(name: str) -> None:
    """Whoever had no digits in a type's name keeps every fingerprint."""
    assert plain_type(name) == former_type(name)


@pytest.mark.parametrize(
    ("file", "plain"),
    [
        ("/srv/app/shop/db.py", "shop/db.py"),
        ("C:\\shop\\Orders.cs", "shop/Orders.cs"),
        ("https://shop.example/static/main.3f2a1b9c.js?v=2#x", "static/main.js"),
        ("db.py", "db.py"),
    ],
)
def test_a_place_is_the_end_of_a_path(file: str, plain: str) -> None:
    assert plain_place(file) == plain


@given(st.text(), st.text(), st.text(), st.lists(st.text()))
def test_any_text_has_a_fingerprint(trace: str, message: str, kind: str, names: list[str]) -> None:
    found = fingerprint(
        alert(stacktrace=trace, error_message=message, error_type=kind, frames=frames(*names))
    )
    assert len(found) == 32
