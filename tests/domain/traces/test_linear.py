"""Work in proportion to the text, whoever wrote it: counted in calls, as clocks depend on the machine."""

import sys
from types import FrameType

import pytest
from hefesto_api.domain.traces import parse
from tests.domain.traces.samples import LINES

CRAFTED = [
    "forEach@[native code]\n",
    "a@b:1\n",
    "http://a/b.js:1:2\n",
    "   at A.B()\n",
    "   at A.B() in x\n",
    "at \n",
    "at a.b(c:1)\nx\n",
    "** (A) b\n",
    "** (\n",
    "a.rb:1:in `x': boom\n",
    "a.rb:1: b (C)\n",
    "#0 \n",
    "#0 0x1\n",
    "#0 a(1): b\n\n",
    "Call Stack:\n",
    "Stack trace:\n",
    "stack backtrace:\n",
    "Fatal error\n",
    "goroutine 1 [running]:\n",
    "x()\n",
    "x()\n.go:1\n",
    "Cell In[1]\n",
    "<ipython-input-1-2> in x()\n",
    "Traceback (most recent call last)\n",
    "A\t\tTraceback (most recent call last)\n",
    "<ipython-input-1-2> in x()\n-> 1\ta\n",
    "-> 1\ta\n",
    'File "a", line 1, in b\nException Type: A at /\n',
    'File "a", line 1\n',
    "Caused by: a\n",
    "Error: a\n",
    "0   a 0x1 b\n",
    "package:a b\n",
    "thread 'a' panicked at 'b\n",
    "stack backtrace:\n 1: <unknown>\n",
    '{a,b,1,[]}\n[{file,"a"},{line,x}]\n',
    "a.exs:3: (file)\n",
    "a.py:1: in b\n",
    "a.py:1:\na.py:1: in b\n",
    "─ Traceback (most recent call last) ─\n│ a\n",
    "called from line 1, column 2 in a:\n",
    "a http://b:1\n",
    "/a.php:1\n",
    "@ 0x1 a\n",
    "a(+0x1)[0x1]\n",
    "a+0x1/0x2\n",
]


def calls(text: str) -> int:
    """How many calls, of Python and of C, it takes to read a text."""
    count = 0

    def counted(frame: FrameType, event: str, arg: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        parse(text)
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("line", CRAFTED)
@pytest.mark.parametrize("between", ["", "\n", "some other line\n", "Error: a\n"])
def test_four_times_the_lines_take_four_times_the_work(line: str, between: str) -> None:
    assert calls((line + between) * 200) < 4.6 * calls((line + between) * 50) + 500


def test_any_line_of_a_trace_may_be_repeated() -> None:
    steep = [line for line in LINES if calls(f"{line}\n" * 80) > 4.6 * calls(f"{line}\n" * 20) + 500]
    assert not steep


@pytest.mark.parametrize(
    "piece", ["at ", "a.", "a::", "a\\", "(", '"', "::", "Error", "'", "@", ":1", " in ", "{", "["]
)
def test_one_long_line_is_no_more_than_a_line(piece: str) -> None:
    assert calls(piece * 20_000) < 2_000
