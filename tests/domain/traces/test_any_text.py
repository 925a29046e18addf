"""Whatever the text: no exception is raised, and what is told of it agrees with itself."""

from hefesto_api.domain.traces import Trace, crash_frame, in_app_frame, parse
from hypothesis import example, given
from hypothesis import strategies as st
from tests.domain.traces.cases import Case, places
from tests.domain.traces.samples import ALL, LINES

LINE = st.sampled_from(LINES)
PIECE = st.one_of(
    LINE,
    st.builds(lambda line, cut: line[:cut], LINE, st.integers(0, 60)),
    st.builds(lambda line, cut: line[cut:], LINE, st.integers(0, 60)),
    st.text(max_size=30),
    st.sampled_from(
        ["", " ", "\\n", "\r", "\x00", "\ud800", "\x1b[31m", '"', "{", "at ", "> ", "&lt;", "[x] "]
    ),
)
TEXT = st.lists(PIECE, max_size=30).flatmap(
    lambda pieces: st.sampled_from(["\n", "\n", "\n\n", "\\n", "", "\r\n"]).map(lambda end: end.join(pieces))
)
PROSE = st.text(st.sampled_from("abcdefgh ,;"), max_size=60)


def agrees(trace: Trace, lines: int) -> None:
    count = len(trace.exceptions)
    assert (trace.primary is None) == (count == 0)
    assert trace.primary is None or 0 <= trace.primary < count
    for index, raised in enumerate(trace.exceptions):
        assert (raised.crash is None) == (not raised.frames)
        assert raised.crash is None or 0 <= raised.crash < len(raised.frames)
        assert raised.of is None or (0 <= raised.of < count and raised.of != index)
        assert (raised.relation is None) or raised.of is not None or raised.relation == "member"
    assert all(frame.line is None or 0 <= frame.line < 10**9 for frame in trace.frames())
    assert all(1 <= unread.line <= lines for unread in trace.unread)
    crash = crash_frame(trace)
    assert crash is None or crash in list(trace.frames())
    mine = in_app_frame(trace)
    assert mine is None or mine.in_app


@given(TEXT)
@example("")
@example('File "')
@example("** (")
def test_what_is_told_agrees_with_itself(text: str) -> None:
    agrees(
        parse(text), text.count("\n") + text.count("\\n") + text.count("\r") + text.count("\u2028") + 1_000
    )


@given(TEXT)
def test_the_same_text_is_read_the_same_way(text: str) -> None:
    assert parse(text) == parse(text)


@given(st.sampled_from(ALL), PROSE, PROSE)
def test_prose_around_a_trace_is_left_alone(case: Case, above: str, below: str) -> None:
    assert places(parse(f"{above}\n\n{case.text}\n{below}\n")) == case.frames


@given(st.text())
def test_no_text_raises(text: str) -> None:
    agrees(parse(text), 10**6)
