"""Complexity and size are judged by the same rules in every language, and only past their limits."""

import pytest
from hefesto_api.analyzers import smells
from hefesto_api.analyzers.base import ParsedFile
from hefesto_api.domain.finding import Detection, Severity
from hefesto_api.domain.structure import ClassSpan, FileStructure, Function

LINES = ["x = 1"] * 2000


def file_of(
    *functions: Function, classes: tuple[ClassSpan, ...] = (), lines: list[str] | None = None
) -> ParsedFile:
    text = "\n".join(lines or LINES)
    shape = FileStructure("python", 2000, 2000, functions, classes)
    return ParsedFile("a.py", "python", text.encode(), text, text.split("\n"), None, shape)


def function(name: str = "f", /, **fields: int) -> Function:
    known = {"start": 1, "end": 10, "cyclomatic": 1, "cognitive": 0, "nesting": 0, "parameters": 0} | fields
    return Function(
        qualified_name=f"Shop.{name}",
        name=name,
        class_name="Shop",
        start_line=known["start"],
        end_line=known["end"],
        cyclomatic=known["cyclomatic"],
        cognitive=known["cognitive"],
        nesting=known["nesting"],
        parameters=known["parameters"],
        lines=known["end"] - known["start"] + 1,
    )


def complexity(**fields: int) -> list[tuple[str, Severity]]:
    found = smells.ComplexityCheck().check(file_of(function(**fields)))
    return [(one.rule_id, one.severity) for one in found]


def smell(**fields: int) -> list[tuple[str, Severity]]:
    found = smells.SmellCheck().check(file_of(function(**fields)))
    return [(one.rule_id, one.severity) for one in found]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (4, None),
        (5, Severity.LOW),
        (9, Severity.LOW),
        (10, Severity.MEDIUM),
        (15, Severity.HIGH),
        (19, Severity.HIGH),
        (20, Severity.CRITICAL),
        (400, Severity.CRITICAL),
    ],
)
def test_cyclomatic_threshold_that_is_reached_counts(value: int, expected: Severity | None) -> None:
    assert complexity(cyclomatic=value) == ([(smells.CYCLOMATIC, expected)] if expected else [])


@pytest.mark.parametrize(
    ("value", "expected"),
    [(14, None), (15, Severity.MEDIUM), (25, Severity.HIGH), (49, Severity.HIGH), (50, Severity.CRITICAL)],
)
def test_cognitive_complexity_is_a_rule_of_its_own(value: int, expected: Severity | None) -> None:
    assert complexity(cognitive=value) == ([(smells.COGNITIVE, expected)] if expected else [])


def test_thresholds_are_settings() -> None:
    check = smells.ComplexityCheck((2, 3, 4, 7))
    (found,) = check.check(file_of(function(cyclomatic=6)))
    assert found.severity is Severity.HIGH
    assert found.metadata["threshold"] == 4


def test_complexity_names_the_function_and_its_span() -> None:
    (found,) = smells.ComplexityCheck().check(
        file_of(function("pay", start=7, end=30, cyclomatic=12, cognitive=9))
    )
    assert (found.line, found.end_line) == (7, 30)
    assert (found.symbol, found.class_name) == ("Shop.pay", "Shop")
    assert found.metadata["cyclomatic"] == 12
    assert found.metadata["cognitive"] == 9
    assert "Shop.pay" in found.message
    assert "12" in found.message
    assert "pay" in found.recommendation


def test_the_message_says_what_drives_it() -> None:
    nested, flat = (
        next(iter(smells.ComplexityCheck().check(file_of(one)))).message
        for one in (
            function(cyclomatic=12, nesting=6, cognitive=12),
            function(cyclomatic=12, nesting=1, cognitive=1),
        )
    )
    assert "6 levels" in nested
    assert "side by side" in flat


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"end": 50}, None),
        ({"end": 51}, Severity.LOW),
        ({"end": 61}, Severity.MEDIUM),
        ({"end": 200}, Severity.HIGH),
    ],
)
def test_long_functions_by_how_long(fields: dict[str, int], expected: Severity | None) -> None:
    assert smell(**fields) == ([(smells.LONG_FUNCTION, expected)] if expected else [])


@pytest.mark.parametrize(
    ("count", "expected"),
    [(5, None), (6, Severity.LOW), (7, Severity.MEDIUM), (14, Severity.MEDIUM), (15, Severity.HIGH)],
)
def test_more_parameters_than_the_limit(count: int, expected: Severity | None) -> None:
    assert smell(parameters=count) == ([(smells.TOO_MANY_PARAMETERS, expected)] if expected else [])


@pytest.mark.parametrize(("depth", "expected"), [(4, None), (5, Severity.MEDIUM), (8, Severity.HIGH)])
def test_nesting_past_the_limit(depth: int, expected: Severity | None) -> None:
    assert smell(nesting=depth) == ([(smells.DEEP_NESTING, expected)] if expected else [])


def test_lines_of_an_inner_function_are_not_the_outer_ones() -> None:
    outer, inner = function("outer", start=1, end=100), function("inner", start=5, end=95)
    found = list(smells.SmellCheck().check(file_of(outer, inner)))
    assert [(one.symbol, one.metadata["lines"]) for one in found] == [("Shop.inner", 91)]


def test_comments_docstrings_and_blank_lines_make_no_function_long() -> None:
    body = ["    # why", "", '    """One', "    text.", '    """', "    x = 1"] * 20
    source = file_of(function(end=121), lines=["def f():", *body])
    assert list(smells.SmellCheck().check(source)) == []
    longer = file_of(function(end=361), lines=["def f():", *body * 3])
    (found,) = smells.SmellCheck().check(longer)
    assert found.metadata["lines"] == 61


def classes_found(span: ClassSpan) -> list[Detection]:
    return list(smells.SmellCheck().check(file_of(classes=(span,))))


def test_class_with_many_methods_or_lines() -> None:
    assert classes_found(ClassSpan("Shop", 1, 500, 25)) == []
    (many,) = classes_found(ClassSpan("Shop", 3, 100, 26))
    assert (many.line, many.end_line, many.symbol, many.severity) == (3, 100, "Shop", Severity.LOW)
    (long,) = classes_found(ClassSpan("Shop", 1, 1600, 2))
    assert long.severity is Severity.HIGH


def test_options_declared_by_decorators_are_no_long_parameter_list() -> None:
    lines = ["@click.command()", *['@click.option("--x")'] * 7, "def run(a, b, c, d, e, g, h): ..."]
    assert list(smells.SmellCheck().check(file_of(function(parameters=7, end=9), lines=lines))) == []


@pytest.mark.parametrize(
    "head", ["# @generated by tool", "# Code generated by protoc. DO NOT EDIT.", "# Auto-generated"]
)
def test_generated_files_are_not_judged(head: str) -> None:
    source = file_of(function(cyclomatic=30, end=300), lines=[head, *LINES])
    assert list(smells.ComplexityCheck().check(source)) == []
    assert list(smells.SmellCheck().check(source)) == []


def test_minified_files_are_not_judged() -> None:
    source = file_of(function(cyclomatic=30, nesting=9), lines=["x=1;" * 2000])
    assert list(smells.ComplexityCheck().check(source)) == []
    assert list(smells.SmellCheck().check(source)) == []


def test_a_word_about_generating_is_no_generated_file() -> None:
    source = file_of(function(cyclomatic=30), lines=['"""Reads reports generated by the shop."""', *LINES])
    assert len(list(smells.ComplexityCheck().check(source))) == 1


def test_deeply_nested_functions_take_linear_time() -> None:
    nest = [function(f"f{i}", start=i, end=40_000 - i) for i in range(1, 20_000)]
    assert len(list(smells.SmellCheck().check(file_of(*nest)))) <= len(nest)
