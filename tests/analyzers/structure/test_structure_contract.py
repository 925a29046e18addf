"""What holds for every language, whatever the bytes."""

import subprocess
import sys
import time

import pytest
from hefesto_api.analyzers import structure
from tests.analyzers.structure.reading import read

ONE_FUNCTION = {
    "python": b"def f(a, b):\n    return a\n",
    "javascript": b"function f(a, b) {\n  return a\n}\n",
    "typescript": b"function f(a: number, b: string) {\n  return a\n}\n",
    "tsx": b"function f(a: number, b: string) {\n  return <p>{a}</p>\n}\n",
    "java": b"class C { int f(int a, int b) {\n  return a;\n} }\n",
    "go": b"package p\nfunc f(a, b int) int {\n  return a\n}\n",
}
COMMENT = {"python": b"#"}
BEFORE = {"java": b"class C { void f() {", "go": b"package p\nfunc f() {", "python": b"def f():\n "}
LONG = 5_000  # what is quadratic takes seconds at ten times this
SECONDS = 60  # a guard against hours, no measurement
every_language = pytest.mark.parametrize("language", sorted(structure.LANGUAGES))


def test_every_language_has_an_example() -> None:
    assert set(ONE_FUNCTION) == set(structure.LANGUAGES)


@pytest.mark.parametrize(
    ("path", "language"),
    [
        ("a/b.py", "python"),
        ("B.PYI", "python"),
        ("a.mjs", "javascript"),
        ("a.jsx", "javascript"),
        ("a.d.ts", "typescript"),
        ("a.tsx", "tsx"),
        ("A.java", "java"),
        ("a.go", "go"),
        ("py", None),
        ("a.py/b.txt", None),
        (".py", None),
        ("", None),
    ],
)
def test_language_of(path: str, language: str | None) -> None:
    assert structure.language_of(path) == language


@every_language
def test_one_function(language: str) -> None:
    found = read(language, ONE_FUNCTION[language])
    (function,) = found.functions
    assert function.name == "f"
    assert (function.cyclomatic, function.cognitive, function.nesting, function.parameters) == (1, 0, 0, 2)
    assert function.lines == function.end_line - function.start_line + 1
    assert found.language == language
    assert found.error_line == 0


@every_language
@pytest.mark.parametrize("change", ["crlf", "cr", "bom", "no end"])
def test_the_way_lines_end_changes_nothing(language: str, change: str) -> None:
    content = ONE_FUNCTION[language]
    changed = {
        "crlf": content.replace(b"\n", b"\r\n"),
        "cr": content.replace(b"\n", b"\r"),
        "bom": b"\xef\xbb\xbf" + content,
        "no end": content.rstrip(b"\n"),
    }[change]
    assert read(language, changed) == read(language, content)


@every_language
def test_comments_are_no_code(language: str) -> None:
    content = ONE_FUNCTION[language]
    mark = COMMENT.get(language, b"//")
    with_comments = mark + b" one\n\n" + content + b"\n  " + mark + b" two"
    found = read(language, with_comments)
    assert found.lines == content.count(b"\n") + 4
    assert found.lines_of_code == content.count(b"\n")


@every_language
def test_the_first_line_that_cannot_be_read(language: str) -> None:
    found = read(language, ONE_FUNCTION[language] + b"\n\n)]}\n")
    assert found.error_line == ONE_FUNCTION[language].count(b"\n") + 3
    assert [function.name for function in found.functions] == ["f"]


@every_language
@pytest.mark.parametrize(
    ("content", "lines"),
    [(b"", 0), (b"\n", 1), (b" \n\t\n", 2), (b"\xef\xbb\xbf", 1)],
    ids=["nothing", "an end", "blanks", "a mark"],
)
def test_files_without_code(language: str, content: bytes, lines: int) -> None:
    found = read(language, content)
    assert (found.lines, found.functions, found.classes, found.error_line) == (lines, (), (), 0)


def hostile(language: str, kind: str) -> bytes:
    """Return what a grammar or a recursion could fall over."""
    begin = BEFORE.get(language, b"function f() {")
    and_also = b"a and " if language == "python" else b"a && "
    branch = b"if a: pass\n elif b: pass\n " if language == "python" else b"if (a) {} else "
    return {
        "garbage": bytes(i * 7919 % 256 for i in range(LONG)),
        "not utf-8": ONE_FUNCTION[language] + b"\xff\xfe\x80" * 100,
        "nul": b"\0" * LONG * 4,
        "brackets never closed": b"{([" * LONG * 10,
        "parentheses": b"(" * LONG + b"a" + b")" * LONG,
        "nested blocks": begin + b"{" * LONG + b"}" * LONG,
        "nested ifs": begin + b"if (a) {" * LONG,
        "a chain of ifs": begin + branch * LONG,
        "a chain of operators": begin + b" return " + and_also * LONG + b"a",
        "nested functions": begin + b"f = function () {" * LONG,
        "one long line": begin + b"x = " + b"a + b * " * LONG * 4 + b"1",
        "many functions": ONE_FUNCTION[language] * LONG,
        "many errors": b"class def ( } ] func \n" * LONG,
    }[kind]


KINDS = (
    "garbage",
    "not utf-8",
    "nul",
    "brackets never closed",
    "parentheses",
    "nested blocks",
    "nested ifs",
    "a chain of ifs",
    "a chain of operators",
    "nested functions",
    "one long line",
    "many functions",
    "many errors",
)


@every_language
@pytest.mark.parametrize("kind", KINDS)
def test_hostile_input_is_read_in_linear_time(language: str, kind: str) -> None:
    content = hostile(language, kind)
    began = time.process_time()
    found = read(language, content)
    assert time.process_time() - began < SECONDS
    for function in found.functions:
        assert 1 <= function.start_line <= function.end_line <= found.lines
        assert function.lines == function.end_line - function.start_line + 1
        assert function.cyclomatic >= 1


def test_nesting_deeper_than_a_cursor_counts() -> None:
    # At 65,536 levels the cursor's count wraps around: without a limit this takes a minute.
    content = b"function f() {" * 40_000 + b"}" * 40_000
    began = time.process_time()
    found = read("javascript", content)
    assert time.process_time() - began < SECONDS
    assert len(found.functions) == 30_000  # two levels each


def test_qualified_names_stay_short() -> None:
    content = b"const longName = () => {" * 3_000 + b"}" * 3_000
    assert max(len(function.qualified_name) for function in read("javascript", content).functions) < 500


@every_language
def test_only_the_grammar_of_the_language_is_loaded(language: str) -> None:
    code = (
        "import sys; from hefesto_api.analyzers import structure as s;"
        f"s.extract({language!r}, b'', s.parse({language!r}, b''));"
        "print(sorted(m for m in sys.modules if m.startswith('tree_sitter_') and '.' not in m))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    wheel = "tree_sitter_typescript" if language == "tsx" else f"tree_sitter_{language}"
    assert result.stdout.strip() == str([wheel])
