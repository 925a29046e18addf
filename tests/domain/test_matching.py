"""Which of several equal findings is which, and what may bring a resolved one back."""

from hefesto_api.domain.identity import Fingerprints, Known, Seen, match
from hypothesis import given
from hypothesis import strategies as st


@given(st.integers(1, 30), st.integers(0, 29))
def test_equal_lines_lose_the_one_that_was_removed(count: int, removed: int) -> None:
    prints = Fingerprints(1, "e", "c", "s", "t")
    removed %= count
    known = [Known(str(n), "R", n * 10, None, prints) for n in range(count)]
    landmark = Fingerprints(1, "x", "", "", "")
    seen = [Seen(n, "R", n * 10 - (n > removed), None, prints) for n in range(count) if n != removed]
    outcome = match(
        [*known, Known("mark", "R", 5, None, landmark)], [*seen, Seen("mark", "R", 5, None, landmark)]
    )
    assert outcome.gone == [str(removed)]
    assert all(pair.known == str(pair.seen) for pair in outcome.pairs)


def test_landmarks_tell_where_equal_lines_went() -> None:
    twin, mark = Fingerprints(1, "e", "c", "s", "t"), Fingerprints(1, "m", "", "", "")
    known = [
        Known("mark", "R", 1, None, mark),
        Known("a", "R", 10, None, twin),
        Known("b", "R", 110, None, twin),
    ]
    seen = [Seen("mark", "R", 101, None, mark), Seen("now", "R", 111, None, twin)]
    assert match(known, seen).gone == ["b"]


def test_what_is_open_is_taken_before_what_is_resolved() -> None:
    prints = Fingerprints(1, "e", "c", "s", "t")
    known = [Known("old", "R", 5, None, prints, open=False), Known("new", "R", 900, None, prints)]
    outcome = match(known, [Seen(1, "R", 5, None, prints)])
    assert [pair.known for pair in outcome.pairs] == ["new"]
    assert outcome.gone == []


def test_text_alone_reopens_nothing() -> None:
    known = [Known("old", "R", 5, "f", Fingerprints(1, "e", "c", "s", "t"), open=False)]
    seen = [Seen(1, "R", 5, "g", Fingerprints(1, "E", "C", "S", "t"))]
    assert match(known, seen).fresh == [1]


def test_prints_of_an_older_version_are_found_by_their_place() -> None:
    known = [Known("old", "R", 5, "f", Fingerprints(0, "e", "c", "s", "t"))]
    now = Fingerprints(1, "E", "C", "S", "T")
    assert [pair.how for pair in match(known, [Seen(1, "R", 5, "f", now)]).pairs] == ["position"]
    assert match(known, [Seen(1, "R", 6, "f", now)]).pairs == []
