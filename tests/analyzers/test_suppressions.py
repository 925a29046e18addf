"""Comments that ask not to report are recorded where they speak of something, else reported themselves."""

import time

import pytest
from hefesto_api.analyzers import suppressions
from hefesto_api.analyzers.base import SourceFile, ToolFailure
from hefesto_api.analyzers.catalogue import detection
from hefesto_api.analyzers.examination import Examination, examine
from hefesto_api.analyzers.registry import Thresholds
from hefesto_api.domain.finding import Detection, Suppression
from tests.analyzers.sources import parsed

SQL = "HEF-SEC-SQL-INJECTION"
LONG = "HEF-SMELL-LONG-FUNCTION"


def sql(line: int, end_line: int | None = None) -> Detection:
    return detection(SQL, tool="ruff", line=line, end_line=end_line or line)


def applied(text: str, *found: Detection, path: str = "a.py") -> list[Detection]:
    return suppressions.apply(parsed(text, path), found)


def given(text: str, *found: Detection, path: str = "a.py") -> Suppression | None:
    """Return the suppression of the first detection; nothing must have been complained of."""
    first, *rest = applied(text, *found, path=path)
    assert len(rest) == len(found) - 1
    return first.suppression


def complaints(text: str, *found: Detection, path: str = "a.py") -> list[tuple[int, str]]:
    return [
        (one.line, one.message)
        for one in applied(text, *found, path=path)
        if one.rule_id == suppressions.UNUSED
    ]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("a.py", "run(x)  # hefesto: ignore[{}] reviewed"),
        ("a.js", "run(x);  // hefesto: ignore[{}] reviewed"),
        ("a.js", "run(x);  /* hefesto: ignore[{}] reviewed */"),
        ("a.ts", "run(x);  // hefesto: ignore[{}] reviewed"),
        ("main.go", "var x = 1  // hefesto: ignore[{}] reviewed"),
        ("A.java", "class A {{}}  /* hefesto: ignore[{}] reviewed */"),
        ("deploy.sh", "run x  # hefesto: ignore[{}] reviewed"),
    ],
)
@pytest.mark.parametrize("name", [SQL.lower(), "sql_injection", "ruff:S608", "S608", f"long_function, {SQL}"])
def test_on_the_line_in_any_comment_by_any_name(path: str, line: str, name: str) -> None:
    assert given(line.format(name) + "\n", sql(1), path=path) == Suppression("hefesto", 1, "reviewed")


def test_without_brackets_it_means_every_rule() -> None:
    both = applied("run(x)  # hefesto: ignore\n", sql(1), detection(LONG, tool="smells", line=1))
    assert [one.suppression for one in both] == [Suppression("hefesto", 1)] * 2


def test_alone_on_the_line_above() -> None:
    assert given("# hefesto: ignore[sql_injection] why\n# more\nrun(x)\n", sql(3)) == Suppression(
        "hefesto", 1, "why"
    )


def test_other_lines_and_rules_are_not_meant() -> None:
    text = "run(x)  # hefesto: ignore[sql_injection]\nrun(y)\n"
    first, second = applied(text, sql(1), sql(2))
    assert first.suppression is not None
    assert second.suppression is None
    other = detection(LONG, tool="smells", line=1)
    assert applied(text, sql(1), other)[1].suppression is None


def test_a_comment_behind_code_does_not_speak_of_the_next_line() -> None:
    assert applied("x = 1  # hefesto: ignore[sql_injection]\nrun(y)\n", sql(2))[0].suppression is None


FUNCTION = """@route
def pay(  # hefesto: ignore[long_function] generated elsewhere
    order,
):
    run(order)
    return order
"""


def test_at_the_head_of_a_function() -> None:
    found = detection(LONG, tool="smells", line=1, end_line=6, symbol="pay")
    assert given(FUNCTION, found) == Suppression("hefesto", 2, "generated elsewhere")


def test_inside_a_function_it_does_not_speak_of_the_function() -> None:
    text = "def pay(order):\n    run(order)\n    return order  # hefesto: ignore\n"
    found = detection(LONG, tool="smells", line=1, end_line=3)
    assert applied(text, found)[0].suppression is None


def test_above_a_decorated_function() -> None:
    text = "# hefesto: ignore[long_function]\n@route\ndef pay(order):\n    return order\n"
    assert given(text, detection(LONG, tool="smells", line=2, end_line=4)) is not None


def test_the_whole_file() -> None:
    text = "x = 1\n# hefesto: ignore-file[sql_injection] a fixture\nrun(x)\nrun(x)\n"
    assert [one.suppression for one in applied(text, sql(3), sql(4))] == [
        Suppression("hefesto", 2, "a fixture")
    ] * 2


def test_the_whole_file_only_near_its_top() -> None:
    text = "x = 1\n" * 30 + "# hefesto: ignore-file[sql_injection]\nrun(x)\n"
    assert applied(text, sql(32))[0].suppression is None


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("a.py", 'run("# hefesto: ignore[sql_injection]")'),
        ("a.py", 'run("x # noqa")'),
        ("a.py", 'run("x # nosec")'),
        ("a.js", "run('// hefesto: ignore')"),
        ("a.js", "run(`// hefesto: ignore`)"),
        ("main.go", "var x = `// hefesto: ignore`"),
        ("a.py", "run(x)  # see hefesto: ignore in the manual"),
        ("a.py", "run(x)  # noqanything"),
        ("a.py", "run(x)  # hefesto: ignored"),
    ],
)
def test_what_stands_in_a_text_is_no_comment(path: str, line: str) -> None:
    assert applied(line + "\n", sql(1), path=path) == [sql(1)]


@pytest.mark.parametrize(
    ("comment", "suppressed"),
    [
        ("# noqa", True),
        ("# NOQA", True),
        ("#noqa:S608", True),
        ("# noqa: E501,S608", True),
        ("# noqa: E501 S608", True),
        ("# type: ignore # noqa: S608", True),
        ("# noqa: E501", False),
        ("# noqa: S60", False),
        ("# nosec", True),
        ("# nosec B608", True),
        ("# nosec: B101,B608", True),
        ("# nosec B101", False),
    ],
)
def test_markers_of_other_tools(comment: str, suppressed: bool) -> None:
    (one,) = applied(f"run(x)  {comment}\n", sql(1))
    assert (one.suppression is not None) is suppressed
    if one.suppression:
        assert one.suppression.kind == ("nosec" if "nosec" in comment else "noqa")


def test_noqa_for_the_whole_file() -> None:
    assert given("# ruff: noqa: S608\nrun(x)\n", sql(2)) == Suppression("noqa", 1)


def test_noqa_knows_the_codes_of_what_we_measure_ourselves() -> None:
    text = "def pay(a):  # noqa: C901\n    return a\n"
    assert given(text, detection("HEF-CPX-CYCLOMATIC", tool="complexity", line=1, end_line=2)) is not None
    text = "def pay(a):  # noqa: PLR0913\n    return a\n"
    assert (
        given(text, detection("HEF-SMELL-TOO-MANY-PARAMETERS", tool="smells", line=1, end_line=2)) is not None
    )


def test_nosec_speaks_of_security_alone_and_of_any_language_that_has_it() -> None:
    assert applied("run(x)  # nosec\n", detection(LONG, tool="smells", line=1))[0].suppression is None
    assert given("package a\n\nvar x = 1 // #nosec G201\n", sql(3), path="a.go") is None
    assert given("package a\n\nvar x = 1 // #nosec\n", sql(3), path="a.go") is not None
    assert given("run(x); // # nosec\n", sql(1), path="a.js") is None


def test_the_last_line_of_a_statement_counts() -> None:
    assert given("run(\n    x,\n)  # noqa: S608\n", sql(1, 3)) == Suppression("noqa", 3)


def test_our_own_comment_is_the_one_recorded() -> None:
    text = "run(x)  # noqa: S608  # hefesto: ignore[S608] because\n"
    assert given(text, sql(1)) == Suppression("hefesto", 1, "because")


def test_comment_that_suppresses_nothing() -> None:
    ((line, message),) = complaints("x = 1\ny = 2  # hefesto: ignore[sql_injection] old\n")
    assert line == 2
    assert "Nothing" in message


def test_comment_that_names_no_rule() -> None:
    ((line, message),) = complaints("run(x)  # hefesto: ignore[sql_injektion]\n", sql(1))
    assert line == 1
    assert "sql_injektion" in message


def test_nothing_is_called_unused_while_a_tool_is_missing() -> None:
    source = parsed("y = 2  # hefesto: ignore[sql_injection]\nz = 1  # hefesto: ignore[sql_injektion]\n")
    assert [one.line for one in suppressions.apply(source, [], complete=False)] == [2]


@pytest.mark.parametrize("comment", ["# noqa: S608", "# nosec", "# hefesto: ignore[duplicated_block]"])
def test_markers_of_others_and_for_later_are_never_called_unused(comment: str) -> None:
    assert complaints(f"y = 2  {comment}\n") == []


def test_reason_is_kept_without_its_brackets() -> None:
    text = "run(x); /* hefesto: ignore[S608] - table names are constants. */\n"
    assert given(text, sql(1), path="a.js") == Suppression("hefesto", 1, "table names are constants")


def test_files_without_a_marker_pass_through() -> None:
    found = [sql(1), sql(2)]
    assert suppressions.apply(parsed("run(x)\nrun(y)\n"), found) == found


def test_columns_count_bytes_right_after_wide_characters() -> None:
    assert given("\ufeffrun('äöü€')  # hefesto: ignore[S608] ok\n", sql(1)) == Suppression("hefesto", 1, "ok")


@pytest.mark.parametrize(
    "text",
    [
        "x = 1  # hefesto: ignore[nothing_like_it]\n" * 20_000,
        "# hefesto: ignore-file[sql_injection]" * 20_000 + "\n",
        "x = 1  # noqa: " + "S608," * 100_000 + "\n",
        "x = 1  # nosec " + "B608 " * 100_000 + "\n",
        "# hefesto: ignore\n" * 20_000,
        "# hefesto:" * 50_000 + "\n",
    ],
)
def test_malice_takes_a_moment(text: str) -> None:
    source = parsed(text)
    found = [sql(line) for line in range(1, 5000)]
    begun = time.process_time()
    suppressions.apply(source, found)
    assert time.process_time() - begun < 60  # what is quadratic takes hours


def test_a_complaint_shows_its_line_like_every_finding() -> None:
    source = SourceFile("a.py", b"x = 1\ny = 2  # hefesto: ignore[sql_injection]\n", "python")
    (one,) = examine(Examination(source), Thresholds()).detections
    assert one.rule_id == suppressions.UNUSED
    assert one.line_text.startswith("y = 2")


def test_no_complaint_while_a_tool_has_failed() -> None:
    source = SourceFile("a.py", b"y = 2  # hefesto: ignore[sql_injection]\n", "python")
    assert examine(Examination(source, (), (ToolFailure("ruff", "gone"),)), Thresholds()).detections == ()
