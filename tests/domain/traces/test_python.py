# ruff: noqa: E501, W291 (traces are as wide as they are printed)
"""Python's tracebacks, as they are printed and as they come out of logs and issues."""

import pytest
from hefesto_api.domain.traces import parse
from tests.domain.traces.cases import Case, check, places

PLAIN = """Traceback (most recent call last):
  File "/srv/shop/app.py", line 10, in <module>
    main()
    ~~~~^^
  File "/srv/shop/orders.py", line 55, in place
    raise KeyError(sku)
KeyError: 'B-17'
"""
FRAMES: list[tuple[str | None, int | None, str | None]] = [
    ("/srv/shop/app.py", 10, "<module>"),
    ("/srv/shop/orders.py", 55, "place"),
]

CASES = [
    Case("plain, with carets", PLAIN, "KeyError", "'B-17'", FRAMES),
    Case(
        "a log's prefix before each line",
        "".join(
            f"2026-03-04 05:06:0{n % 10},12{n % 10} ERROR shop.worker: {line}\n"
            for n, line in enumerate(PLAIN.splitlines())
        ),
        "KeyError",
        "'B-17'",
        FRAMES,
    ),
    Case(
        "a container's name before each line",
        "".join(f"web_1  | {line}\n" for line in PLAIN.splitlines()),
        "KeyError",
        "'B-17'",
        FRAMES,
    ),
    Case(
        "a JSON string",
        '{"level":"error","exc":"' + PLAIN.replace('"', '\\"').replace("\n", "\\n") + '","pid":7}',
        "KeyError",
        "'B-17'",
        FRAMES,
    ),
    Case("escaped line ends", PLAIN.replace("\n", "\\n"), "KeyError", "'B-17'", FRAMES),
    Case("Windows line ends", PLAIN.replace("\n", "\r\n"), "KeyError", "'B-17'", FRAMES),
    Case(
        "lost indentation",
        "\n".join(line.strip() for line in PLAIN.splitlines()),
        "KeyError",
        "'B-17'",
        FRAMES,
    ),
    Case("no header", PLAIN.split("\n", 1)[1], "KeyError", "'B-17'", FRAMES),
    Case("cut off before the exception", PLAIN.rsplit("KeyError", 1)[0], None, None, FRAMES),
    Case("colours", PLAIN.replace("File", "\x1b[35mFile\x1b[0m"), "KeyError", "'B-17'", FRAMES),
    Case(
        "of a lower floor",
        """\
Traceback (most recent call last):
  File "/srv/shop/db.py", line 8, in load
    rows = session.scalars(query).all()
  File "/srv/venv/lib/python3.12/site-packages/sqlalchemy/engine/result.py", line 1768, in all
    return self._allrows()
  [Previous line repeated 12 more times]
  File "/usr/lib/python3.12/json/decoder.py", line 340, in decode
    obj, end = self.raw_decode(s)
json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)
""",
        "json.decoder.JSONDecodeError",
        "Expecting value: line 1 column 1 (char 0)",
        [
            ("/srv/shop/db.py", 8, "load"),
            ("/srv/venv/lib/python3.12/site-packages/sqlalchemy/engine/result.py", 1768, "all"),
            ("/usr/lib/python3.12/json/decoder.py", 340, "decode"),
        ],
        in_app=0,
    ),
    Case(
        "a syntax error",
        """\
Traceback (most recent call last):
  File "run.py", line 1, in <module>
    import settings
  File "/srv/settings.py", line 4
    DEBUG = = True
            ^
SyntaxError: invalid syntax
""",
        "SyntaxError",
        "invalid syntax",
        [("run.py", 1, "<module>"), ("/srv/settings.py", 4, None)],
    ),
    Case(
        "IPython",
        """\
---------------------------------------------------------------------------
ZeroDivisionError                         Traceback (most recent call last)
Cell In[3], line 2
      1 total = 5
----> 2 share(total, 0)

File ~/code/shares.py:14, in share(total, count)
     12 def share(total, count):
     13     # as equal as can be
---> 14     return total / count

ZeroDivisionError: division by zero
""",
        "ZeroDivisionError",
        "division by zero",
        [("Cell In[3]", 2, None), ("~/code/shares.py", 14, "share")],
    ),
    Case(
        "IPython, its blanks turned to tabs by a web form, in a long file",
        """\
---------------------------------------------------------------------------
ValueError\t\t\t\t\t Traceback (most recent call last)
<ipython-input-4-21d3dea0fcb9> in <module>
----> 1 order(3)
~/code/lib/shop/orders.py in order(count)
\t 1260\t def order(count):
-> 1261\t\t return box(count)
\t 1262
C:\\work\\lib\\shop\\boxes.py in box(count)
\t 85\t\t else:
---> 86\t\t\t raise ValueError(count)
ValueError: 3
""",
        "ValueError",
        "3",
        [
            ("<ipython-input-4-21d3dea0fcb9>", 1, "<module>"),
            ("~/code/lib/shop/orders.py", 1261, "order"),
            ("C:\\work\\lib\\shop\\boxes.py", 86, "box"),
        ],
    ),
    Case(
        "the text of Django's page of an error",
        """\
Traceback (most recent call last):
  File "/srv/lib/django/core/handlers/exception.py", line 55, in inner
    response = get_response(request)
  File "/srv/shop/views.py", line 20, in cart
    return max(prices)

Exception Type: ValueError at /cart/?page=2
Exception Value: max() arg is an empty sequence
Raised during: shop.views.cart
""",
        "ValueError",
        "max() arg is an empty sequence",
        [("/srv/lib/django/core/handlers/exception.py", 55, "inner"), ("/srv/shop/views.py", 20, "cart")],
    ),
    Case(
        "the text of Django's page of an error that says nothing",
        """\
Traceback (most recent call last):
  File "/srv/shop/views.py", line 20, in cart
    raise shop.Empty
Exception Type: shop.Empty
""",
        "shop.Empty",
        "",
        [("/srv/shop/views.py", 20, "cart")],
    ),
    Case(
        "an assertion without a message",
        """\
Traceback (most recent call last):
  File "check.py", line 3, in verify
    assert total > 0
AssertionError
""",
        "AssertionError",
        "",
        [("check.py", 3, "verify")],
    ),
    Case(
        "another stream between the frames",
        """\
Traceback (most recent call last):
  File "a.py", line 1, in one
    two()
GET /health 200
  File "b.py", line 2, in two
    three()
ValueError: bad
""",
        "ValueError",
        "bad",
        [("a.py", 1, "one"), ("b.py", 2, "two")],
    ),
    Case(
        "faulthandler, innermost first",
        """\
Fatal Python error: Segmentation fault

Current thread 0x00007f1 (most recent call first):
  File "/srv/native.py", line 30 in decode
  File "/srv/main.py", line 4 in <module>
""",
        "Fatal Python error",
        "Segmentation fault",
        [("/srv/main.py", 4, "<module>"), ("/srv/native.py", 30, "decode")],
    ),
    Case(
        "celery's line before the traceback",
        """\
[2026-03-04 05:06:07,123: ERROR/ForkPoolWorker-1] Task shop.pay[1f2e] raised unexpected: ValueError('no price')
Traceback (most recent call last):
  File "/srv/venv/lib/python3.11/site-packages/celery/app/trace.py", line 451, in trace_task
    R = retval = fun(*args, **kwargs)
                 ^^^^^^^^^^^^^^^^^^^^
  File "/srv/shop/tasks.py", line 12, in pay
    raise ValueError("no price")
ValueError: no price
""",
        "ValueError",
        "no price",
        [
            ("/srv/venv/lib/python3.11/site-packages/celery/app/trace.py", 451, "trace_task"),
            ("/srv/shop/tasks.py", 12, "pay"),
        ],
    ),
    Case(
        "cut off in the middle",
        """\
Traceback (most recent call last):
  File "/srv/shop/app.py", line 10, in <module>
    main()
[...]
  File "/srv/shop/orders.py", line 55, in place
    raise KeyError(sku)
KeyError: 'B-17'
""",
        "KeyError",
        "'B-17'",
        FRAMES,
    ),
    Case(
        "pytest's short form",
        """\
Traceback (most recent call last):
  File "/srv/shop/app.py", line 10, in <module>
  File "/srv/shop/orders.py", line 55, in place
shop.errors.NoStock
""",
        "shop.errors.NoStock",
        "",
        FRAMES,
    ),
    Case(
        "notes below the message",
        PLAIN + "While selling B-17\nand nothing else\n",
        "KeyError",
        "'B-17'",
        FRAMES,
    ),
    Case(
        "the interpreter's prompt",
        """\
>>> total(None)
Traceback (most recent call last):
  File "<stdin>", line 1, in <module>
  File "/srv/shop/cart.py", line 3, in total
    return cart.price
           ^^^^^^^^^^
AttributeError: 'NoneType' object has no attribute 'price'
>>> exit()
""",
        "AttributeError",
        "'NoneType' object has no attribute 'price'",
        [("<stdin>", 1, "<module>"), ("/srv/shop/cart.py", 3, "total")],
    ),
    Case(
        "on Windows",
        """\
Traceback (most recent call last):
  File "C:\\Users\\Ana Lima\\shop\\app.py", line 4, in <module>
    import till
  File "C:\\Python311\\Lib\\site-packages\\till\\__init__.py", line 2, in <module>
    from till._drawer import Drawer
ImportError: DLL load failed while importing _drawer: The specified module could not be found.
""",
        "ImportError",
        "DLL load failed while importing _drawer: The specified module could not be found.",
        [
            ("C:\\Users\\Ana Lima\\shop\\app.py", 4, "<module>"),
            ("C:\\Python311\\Lib\\site-packages\\till\\__init__.py", 2, "<module>"),
        ],
        in_app=0,
    ),
    Case(
        "a message of several lines",
        """\
Traceback (most recent call last):
  File "/srv/shop/db.py", line 8, in load
    cursor.execute(query)
psycopg2.errors.UndefinedColumn: column "prise" does not exist
LINE 1: SELECT prise FROM item
               ^
HINT:  Perhaps you meant "price".

2026-03-04 05:06:08 INFO next
""",
        "psycopg2.errors.UndefinedColumn",
        'column "prise" does not exist',
        [("/srv/shop/db.py", 8, "load")],
    ),
    Case(
        "wrapped in a single record of a log",
        r"ERROR:root:failed\nTraceback (most recent call last):\n  File \"/srv/shop/cart.py\", line 3, in total\n"
        r"    return price\nNameError: name 'price' is not defined\n",
        "NameError",
        "name 'price' is not defined",
        [("/srv/shop/cart.py", 3, "total")],
    ),
    Case(
        "pytest",
        """\
=================================== FAILURES ===================================
__________________________________ test_total __________________________________

    def test_total():
>       assert total({}) == 3

tests/test_cart.py:5: 
_ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _
shop/cart.py:12: in total
    return price(cart)
_ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _

    def price(cart):
>       return cart["price"]
E       KeyError: 'price'

shop/cart.py:8: KeyError
=========================== short test summary info ============================
FAILED tests/test_cart.py::test_total - KeyError: 'price'
""",
        "KeyError",
        "'price'",
        [("tests/test_cart.py", 5, None), ("shop/cart.py", 12, "total"), ("shop/cart.py", 8, None)],
    ),
    Case(
        "rich",
        """\
╭─────────────────────────────── Traceback (most recent call last) ────────────────────────────────╮
│ /srv/shop/app.py:10 in <module>                                                                  │
│                                                                                                  │
│    9                                                                                             │
│ ❱ 10 main()                                                                                      │
│                                                                                                  │
│ /srv/shop/orders.py:55 in place                                                                  │
│                                                                                                  │
│ ❱ 55 │   raise KeyError(sku)                                                                     │
╰──────────────────────────────────────────────────────────────────────────────────────────────────╯
KeyError: 'B-17'
""",
        "KeyError",
        "'B-17'",
        FRAMES,
    ),
    Case(
        "two services that write at once",
        """\
web_1     | Traceback (most recent call last):
db_1      | 2026-03-04 05:06:07 UTC LOG:  checkpoint starting
web_1     |   File "/srv/shop/app.py", line 10, in <module>
db_1      | 2026-03-04 05:06:07 UTC LOG:  checkpoint complete
web_1     |     main()
web_1     |   File "/srv/shop/orders.py", line 55, in place
web_1     |     raise KeyError(sku)
web_1     | KeyError: 'B-17'
""",
        "KeyError",
        "'B-17'",
        FRAMES,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_reads(case: Case) -> None:
    check(case, "python")


@pytest.mark.parametrize(
    ("between", "relation"),
    [
        ("During handling of the above exception, another exception occurred:", "context"),
        ("The above exception was the direct cause of the following exception:", "cause"),
    ],
)
def test_a_chain_ends_in_what_came_out(between: str, relation: str) -> None:
    second = PLAIN.replace("KeyError: 'B-17'", "shop.errors.OrderFailed: no such thing")
    trace = parse(f"{PLAIN}\n{between}\n\n{second}")
    assert [raised.type for raised in trace.exceptions] == ["KeyError", "shop.errors.OrderFailed"]
    assert trace.primary == 1
    assert (trace.exceptions[0].relation, trace.exceptions[0].of) == (relation, 1)
    assert places(trace) == FRAMES + FRAMES


def test_a_group_and_its_members() -> None:
    trace = parse("""\
  + Exception Group Traceback (most recent call last):
  |   File "/srv/jobs.py", line 20, in run
  |     async with asyncio.TaskGroup() as group:
  | ExceptionGroup: unhandled errors in a TaskGroup (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/srv/jobs.py", line 7, in fetch
    |     raise OSError("gone")
    | OSError: gone
    +---------------- 2 ----------------
    | ValueError: never raised
    +------------------------------------
""")
    assert [(raised.type, raised.relation, raised.of) for raised in trace.exceptions] == [
        ("ExceptionGroup", None, None),
        ("OSError", "member", 0),
        ("ValueError", "member", 0),
    ]
    assert trace.primary == 0
    assert places(trace) == [("/srv/jobs.py", 20, "run"), ("/srv/jobs.py", 7, "fetch")]


def test_repetitions_are_counted_and_source_is_kept() -> None:
    trace = parse(PLAIN.replace("    main()", "    main()\n  [Previous line repeated 996 more times]"))
    assert trace.exceptions[0].omitted == 996
    assert [frame.code for frame in trace.frames()] == ["main()", "raise KeyError(sku)"]


def test_what_was_skipped_is_told_with_its_line() -> None:
    trace = parse(PLAIN.replace("KeyError: 'B-17'", "GET /health 200\nKeyError: 'B-17'"))
    assert [(unread.line, unread.text) for unread in trace.unread] == [(7, "GET /health 200")]
    assert trace.exceptions[0].type == "KeyError"


@pytest.mark.parametrize(
    "text",
    [
        "print('File \"x.py\", line 3, in f')",
        "Traceback (most recent call last): is what you will see",
        'See File "setup.py", line 3 for the version.',
        "src/app.py:10:1: E501 line too long (120 > 110)",
        "INFO done at 12:30:11 in 3 s",
        "shop/cart.py:12: error: Incompatible types in assignment\nFound 1 error in 1 file\n",
        "shop/cart.py:12: DeprecationWarning: use price()\n  total()\n",
        "FAILED tests/test_cart.py::test_total - KeyError: 'price'\n= 1 failed, 3 passed in 0.12s =\n",
    ],
)
def test_no_frame_where_no_trace_is(text: str) -> None:
    assert list(parse(text).frames()) == []
