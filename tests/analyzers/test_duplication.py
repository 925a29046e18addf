"""Blocks that stand twice are found at both places, in linear time, and nothing else is."""

import random
import time

import pytest
from hefesto_api.analyzers import duplication
from hefesto_api.domain.finding import Detection, Severity
from tests.analyzers.sources import parsed

LONG = 20_000  # lines: who compared each with each would take minutes


def block(size: int, seed: int = 1) -> list[str]:
    """Return lines that no other seed makes."""
    rng = random.Random(seed)  # noqa: S311 - a test's data
    return [f"    total_{seed}_{line} = price({rng.randrange(10**9)}, rate={line})" for line in range(size)]


def found_in(files: dict[str, list[str]]) -> dict[str, list[Detection]]:
    sources = {path: parsed("\n".join(lines) + "\n", path) for path, lines in files.items()}
    return duplication.duplicates(
        {path: (duplication.shingles(source), source.structure) for path, source in sources.items()}
    )


def places(files: dict[str, list[str]]) -> dict[str, list[tuple[int, int]]]:
    return {path: [(one.line, one.end_line) for one in found] for path, found in found_in(files).items()}


def test_both_places_are_named_exactly() -> None:
    common = block(15)
    found = found_in({"a.py": [*block(20, 2), *common, *block(5, 3)], "b.py": [*block(3, 4), *common]})
    (one,), (two,) = found["a.py"], found["b.py"]
    assert (one.line, one.end_line, two.line, two.end_line) == (21, 35, 4, 18)
    assert one.metadata == {"lines": 15, "other": [{"path": "b.py", "line": 4}]}
    assert two.metadata == {"lines": 15, "other": [{"path": "a.py", "line": 21}]}
    assert "b.py" in one.message


@pytest.mark.parametrize("size", range(10, 40))
@pytest.mark.parametrize("offset", [0, 1, 7])
def test_every_block_of_ten_lines_is_found_wherever_it_stands(size: int, offset: int) -> None:
    common = block(size, 99)
    found = places({"a.py": [*block(offset, 5), *common, *block(3, 6)], "b.py": [*block(11, 7), *common]})
    assert found == {"a.py": [(offset + 1, offset + size)], "b.py": [(12, 11 + size)]}


def test_nine_lines_are_too_few() -> None:
    assert places({"a.py": [*block(9), *block(20, 2)], "b.py": [*block(9), *block(20, 3)]}) == {}


def test_ten_short_lines_are_too_little() -> None:
    short = [f"a{line} = {line}" for line in range(12)]
    assert places({"a.py": short, "b.py": short}) == {}


def test_white_space_blank_lines_and_comments_do_not_matter() -> None:
    common = block(12)
    loose = [part for line in common for part in ("        " + line.strip().replace(" = ", "="), "", "# why")]
    assert places({"a.py": common, "b.py": loose}) == {"a.py": [(1, 12)], "b.py": [(1, 34)]}


def test_a_changed_line_ends_the_block() -> None:
    common = block(30)
    changed = [*common[:12], "    other = 1", *common[13:]]
    assert places({"a.py": common, "b.py": changed}) == {
        "a.py": [(1, 12), (14, 30)],
        "b.py": [(1, 12), (14, 30)],
    }


def test_within_one_file() -> None:
    found = found_in({"a.py": [*block(12), *block(20, 2), *block(12)]})
    assert [(one.line, one.end_line) for one in found["a.py"]] == [(1, 12), (33, 44)]
    assert found["a.py"][0].metadata["other"] == [{"path": "a.py", "line": 33}]
    assert "same file" in found["a.py"][0].message


def test_a_block_that_repeats_itself_at_once() -> None:
    assert places({"a.py": block(12) * 2})["a.py"] == [(1, 12), (13, 24)]


def test_a_table_of_like_lines_is_no_duplicate() -> None:
    assert places({"a.py": ["    row(1, 'a', 'b', 'c', 'd', 'e'),"] * 500}) == {}


def test_other_languages_and_no_comparison_with_text() -> None:
    js = [line.strip() + ";" for line in block(12)]
    assert places({"a.js": js, "b.ts": js}) == {"a.js": [(1, 12)], "b.ts": [(1, 12)]}
    assert places({"a.txt": js, "b.txt": js}) == {}


@pytest.mark.parametrize(
    "head",
    [
        [f"import module_{n}_with_a_long_name" for n in range(20)],
        ["from shop.orders.values import (", *[f"    name_{n}_that_is_quite_long," for n in range(20)], ")"],
        ['"""', *[f"Line {n} of a licence that stands everywhere." for n in range(20)], '"""'],
        [f"# Line {n} of a licence that stands in every file." for n in range(20)],
    ],
)
def test_heads_that_every_file_has_are_left_out(head: list[str]) -> None:
    assert places({"a.py": [*head, *block(20, 2)], "b.py": [*head, *block(20, 3)]}) == {}


def test_comments_and_imports_of_other_languages_are_left_out() -> None:
    head = ["/*", *[f"Line {n} of a licence that stands everywhere." for n in range(20)], " */"]
    head += [f'const module{n} = require("module-{n}-with-a-long-name");' for n in range(20)]
    assert places({"a.js": [*head, *block(20, 2)], "b.js": [*head, *block(20, 3)]}) == {}


@pytest.mark.parametrize(
    "path", ["tests/test_a.py", "shop/migrations/0002_a.py", "vendor/a.py", "shop_pb2.py", "app.min.js"]
)
def test_tests_migrations_and_vendored_code_are_left_out(path: str) -> None:
    assert places({path: block(20), "a.py": block(20)}) == {}


def test_generated_files_are_left_out() -> None:
    assert places({"a.py": ["# Code generated by x. DO NOT EDIT.", *block(20)], "b.py": block(20)}) == {}


@pytest.mark.parametrize(
    ("size", "severity"),
    [
        (10, Severity.LOW),
        (29, Severity.LOW),
        (30, Severity.MEDIUM),
        (99, Severity.MEDIUM),
        (100, Severity.HIGH),
    ],
)
def test_severity_by_length(size: int, severity: Severity) -> None:
    assert found_in({"a.py": block(size), "b.py": block(size)})["a.py"][0].severity is severity


def test_many_places_name_at_most_five() -> None:
    files = {f"p{number:02}.py": block(20) for number in range(12)}
    found = found_in(files)
    assert sorted(found) == sorted(files)
    for path, (one,) in found.items():
        others = [other["path"] for other in one.metadata["other"]]
        assert 1 <= len(others) <= 5
        assert path not in others


def test_a_short_run_inside_a_longer_one_is_not_reported_twice() -> None:
    common = block(40)
    found = places({"a.py": common, "b.py": common, "c.py": common[10:25]})
    assert found["a.py"] == found["b.py"] == [(1, 40)]
    assert found["c.py"] == [(1, 15)]


def test_the_enclosing_function_is_named() -> None:
    body = block(12)
    found = found_in({"a.py": ["class Shop:", "  def pay(self):", *body], "b.py": ["def other():", *body]})
    assert (found["a.py"][0].symbol, found["a.py"][0].class_name) == ("Shop.pay", "Shop")


def test_order_of_the_files_does_not_matter() -> None:
    files = {"a.py": [*block(30), *block(12, 2)], "b.py": block(30), "c.py": [*block(12, 2), *block(30)[5:]]}
    assert found_in(files) == found_in(dict(reversed(files.items())))


@pytest.mark.parametrize("seed", range(12))
def test_against_a_slow_search(seed: int) -> None:
    """Every run of ten lines that stands in both files meets something reported.

    What a report leaves out is at most the nine lines by which an overlapping run goes further.
    """
    rng = random.Random(seed)  # noqa: S311 - a test's data
    stock = [block(rng.randrange(4, 25), number) for number in range(6)]
    texts = [[line for _ in range(8) for line in rng.choice(stock)] for _ in range(2)]
    found = places({"a.py": texts[0], "b.py": texts[1]})
    covered = {line for first, last in found.get("a.py", []) for line in range(first, last + 1)}
    a, b = texts
    for i in range(len(a) - 9):
        if any(a[i : i + 10] == b[j : j + 10] for j in range(len(b) - 9)):
            assert covered.intersection(range(i + 1, i + 11))


def seconds(files: dict[str, list[str]]) -> float:
    source = {path: parsed("\n".join(lines), path) for path, lines in files.items()}
    packed = {path: (duplication.shingles(one), one.structure) for path, one in source.items()}
    begun = time.process_time()
    duplication.duplicates(packed)
    return time.process_time() - begun


def test_a_hundred_times_the_copies_take_about_a_hundred_times_as_long() -> None:
    one = parsed("\n".join(block(60)), "a.py")
    packed = (duplication.shingles(one), one.structure)
    begun = time.process_time()
    found = duplication.duplicates({f"p{number}.py": packed for number in range(20_000)})
    assert time.process_time() - begun < 60
    assert len(found) == 20_000


@pytest.mark.parametrize("period", [1, 2, 3, 9, 10, 12, 17, 100])
def test_long_repetition_takes_a_moment(period: int) -> None:
    rows = block(period) * (LONG // period)
    assert seconds({"a.py": rows, "b.py": rows}) < 5


def test_words_of_few_lines_take_a_moment() -> None:
    rng = random.Random(7)  # noqa: S311 - a test's data
    for letters in (2, 3, 5):
        rows = [rng.choice(block(letters)) for _ in range(LONG)]
        assert seconds({"a.py": rows, "b.py": rows[LONG // 2 :] + rows[: LONG // 2]}) < 10


def test_empty_files_have_no_shingles() -> None:
    assert duplication.shingles(parsed("")) == b""
    assert duplication.duplicates({}) == {}


def test_shingles_depend_on_the_content_and_on_being_a_test() -> None:
    text = "\n".join(block(40))
    packed = duplication.shingles(parsed(text, "a.py"))
    assert packed
    assert duplication.shingles(parsed(text, "shop/b.py")) == packed
    assert duplication.shingles(parsed(text, "tests/test_b.py")) == b""
