"""GitHub's line hash: its published vectors, and a slow reading of the same description."""

from hefesto_api.formats.line_hash import line_hashes
from hypothesis import given
from hypothesis import strategies as st


def test_the_hash_of_nothing() -> None:
    assert line_hashes("", [1]) == {1: "c129715d7a2bc9a3:1"}


def test_blanks_and_tabs_do_not_count() -> None:
    assert line_hashes(" a\nb\n  \t\tc\n d", range(9)) == {
        1: "271789c17abda88f:1",
        2: "54703d4cd895b18:1",
        3: "180aee12dab6264:1",
        4: "a23a3dc5e078b07b:1",
    }


def test_line_ends_are_all_alike() -> None:
    assert line_hashes("a\r\nb\rc\n", [1, 2, 3]) == line_hashes("a\nb\nc\n", [1, 2, 3])


def test_equal_lines_are_counted() -> None:
    far = "x = 1\n" + "y" * 200 + "\n"
    first, second = line_hashes(far * 2, [1, 3]).values()
    assert (first[:-2], first[-2:], second[-2:]) == (second[:-2], ":1", ":2")


def slowly(text: str) -> dict[int, str]:
    """Push each unit through a ring of 100, as the description says."""
    data = text.encode("utf-16-le", "surrogatepass")
    units = [int.from_bytes(data[at : at + 2], "little") for at in range(0, len(data), 2)]
    hashes: dict[int, str] = {}
    counts: dict[int, int] = {}
    pending: list[tuple[int, int]] = []  # (line, units pushed before it)
    pushed: list[int] = []
    line, fresh, after_cr = 0, True, False
    for unit in [*units, 65535]:
        if unit in (32, 9) or (unit == 10 and after_cr):
            after_cr = False
            continue
        after_cr = unit == 13
        current = 10 if unit == 13 else unit
        if fresh:
            line += 1
            pending.append((line, len(pushed)))
        fresh = current == 10
        pushed.append(current)
    pushed += [0] * 100
    for number, start in pending:
        value = 0
        for unit in pushed[start : start + 100]:
            value = (value * 37 + unit) % 2**64
        counts[value] = counts.get(value, 0) + 1
        hashes[number] = f"{value:x}:{counts[value]}"
    return hashes


@given(st.text(st.sampled_from("ab \t\r\n😀é"), max_size=300))
def test_every_line_is_hashed_as_described(text: str) -> None:
    assert line_hashes(text, range(1, 400)) == slowly(text)
