"""Complexity and size: what the structure of a file alone says about how hard it is to read and change.

Every measure comes from `FileStructure`, so every language with a grammar is judged by the same rules.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from hefesto_api.analyzers.catalogue import detection
from hefesto_api.analyzers.shingles import is_generated
from hefesto_api.domain.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from hefesto_api.analyzers.base import ParsedFile
    from hefesto_api.domain.finding import Detection
    from hefesto_api.domain.structure import ClassSpan, Function

CYCLOMATIC: Final = "HEF-CPX-CYCLOMATIC"
COGNITIVE: Final = "HEF-CPX-COGNITIVE"
LONG_FUNCTION: Final = "HEF-SMELL-LONG-FUNCTION"
TOO_MANY_PARAMETERS: Final = "HEF-SMELL-TOO-MANY-PARAMETERS"
DEEP_NESTING: Final = "HEF-SMELL-DEEP-NESTING"
LARGE_CLASS: Final = "HEF-SMELL-LARGE-CLASS"

_DOCSTRING: Final = re.compile(r"""[rRuU]?("{3}|'{3})""")
_OPTION: Final = re.compile(r"\b(?:option|argument)\(")
_COGNITIVE_STEPS: Final = ((50, Severity.CRITICAL), (25, Severity.HIGH), (15, Severity.MEDIUM))


@dataclass(frozen=True)
class ComplexityCheck:
    """McCabe's cyclomatic and SonarSource's cognitive complexity of every function.

    `thresholds` are the cyclomatic numbers from which a function is LOW, MEDIUM, HIGH, CRITICAL; a number
    that is reached counts.
    """

    thresholds: tuple[int, int, int, int] = (5, 10, 15, 20)
    name: str = "complexity"
    languages: frozenset[str] = frozenset()

    def check(self, file: ParsedFile) -> Iterable[Detection]:
        """Yield a detection for each function and measure that reaches a threshold."""
        if is_machine_made(file):
            return
        steps = tuple(zip(reversed(self.thresholds), reversed(Severity), strict=True))
        for function in file.structure.functions:
            if reached := _reached(function.cyclomatic, steps):
                yield self._complex(CYCLOMATIC, "cyclomatic", function.cyclomatic, reached, function)
            if reached := _reached(function.cognitive, _COGNITIVE_STEPS):
                yield self._complex(COGNITIVE, "cognitive", function.cognitive, reached, function)

    def _complex(
        self, rule_id: str, measure: str, value: int, reached: tuple[int, Severity], function: Function
    ) -> Detection:
        limit, severity = reached
        return _of_function(
            rule_id,
            self.name,
            function,
            f"{function.qualified_name} has a {measure} complexity of {value} "
            f"({severity.lower()} from {limit}): {_driver(function)}.",
            severity=severity,
            recommendation=_simplify(function),
            metadata={
                "cyclomatic": function.cyclomatic,
                "cognitive": function.cognitive,
                "threshold": limit,
            },
        )


@dataclass(frozen=True)
class SmellCheck:
    """Functions and classes that are larger, deeper or wider than the limits; a limit itself is allowed."""

    max_function_lines: int = 50
    max_parameters: int = 5
    max_nesting: int = 4
    max_class_methods: int = 25
    max_class_lines: int = 500
    name: str = "smells"
    languages: frozenset[str] = field(default=frozenset())

    def check(self, file: ParsedFile) -> Iterable[Detection]:
        """Yield a detection for each limit that a function or class exceeds."""
        if is_machine_made(file):
            return
        yield from self._long_ones(file)
        for function in file.structure.functions:
            if function.parameters > self.max_parameters and not _is_command(file, function):
                yield self._wide(function)
            if function.nesting > self.max_nesting:
                yield self._deep(function)

    def _long_ones(self, file: ParsedFile) -> Iterable[Detection]:
        """Yield functions and classes with too much code; it is counted only where a span is long."""
        functions, classes = file.structure.functions, file.structure.classes
        longest = max((function.lines for function in functions), default=0)
        if longest > self.max_function_lines or any(self._may_be_large(span) for span in classes):
            code = _code_before(file, self._spans(functions, classes))
            for function, lines in zip(functions, _own_lines(functions, code), strict=True):
                if lines > self.max_function_lines:
                    yield self._long(function, lines)
            for span in classes:
                lines = _between(code, span.start_line, span.end_line)
                if span.methods > self.max_class_methods or lines > self.max_class_lines:
                    yield self._large(span, lines)

    def _spans(
        self, functions: Sequence[Function], classes: Sequence[ClassSpan]
    ) -> Iterator[tuple[int, int]]:
        """Yield (first line, last line) of what may be too long."""
        for function in functions:
            if function.lines > self.max_function_lines:
                yield function.start_line, function.end_line
        for span in classes:
            if self._may_be_large(span):
                yield span.start_line, span.end_line

    def _may_be_large(self, span: ClassSpan) -> bool:
        lines = span.end_line - span.start_line + 1
        return span.methods > self.max_class_methods or lines > self.max_class_lines

    def _long(self, function: Function, lines: int) -> Detection:
        return _of_function(
            LONG_FUNCTION,
            self.name,
            function,
            f"{function.qualified_name} has {lines} lines of code (limit {self.max_function_lines}).",
            severity=_grade(lines, self.max_function_lines, high=4.0),
            recommendation=_split(function),
            metadata={"lines": lines, "limit": self.max_function_lines},
        )

    def _wide(self, function: Function) -> Detection:
        return _of_function(
            TOO_MANY_PARAMETERS,
            self.name,
            function,
            f"{function.qualified_name} takes {function.parameters} parameters "
            f"(limit {self.max_parameters}).",
            severity=_grade(function.parameters, self.max_parameters, high=3.0),
            recommendation=_narrow(function),
            metadata={"parameters": function.parameters, "limit": self.max_parameters},
        )

    def _deep(self, function: Function) -> Detection:
        return _of_function(
            DEEP_NESTING,
            self.name,
            function,
            f"{function.qualified_name} nests blocks {function.nesting} deep (limit {self.max_nesting}).",
            severity=_grade(function.nesting, self.max_nesting, high=2.0),
            metadata={"nesting": function.nesting, "limit": self.max_nesting},
        )

    def _large(self, span: ClassSpan, lines: int) -> Detection:
        excess = max(span.methods / self.max_class_methods, lines / self.max_class_lines)
        return detection(
            LARGE_CLASS,
            tool=self.name,
            line=span.start_line,
            end_line=span.end_line,
            message=f"{span.qualified_name} has {span.methods} methods and {lines} lines of code "
            f"(limits {self.max_class_methods} and {self.max_class_lines}).",
            severity=_grade(excess, 1, high=3.0),
            symbol=span.qualified_name,
            class_name=span.qualified_name,
            metadata={"methods": span.methods, "lines": lines},
        )


def _of_function(rule_id: str, tool: str, function: Function, message: str, **fields: Any) -> Detection:
    return detection(
        rule_id,
        tool=tool,
        line=function.start_line,
        end_line=function.end_line,
        message=message,
        symbol=function.qualified_name,
        class_name=function.class_name,
        **fields,
    )


def _reached(value: int, steps: Iterable[tuple[int, Severity]]) -> tuple[int, Severity] | None:
    """Return the highest step (given highest first) that the value reaches."""
    for limit, severity in steps:
        if value >= limit:
            return limit, severity
    return None


def _grade(value: float, limit: int, *, high: float) -> Severity:
    """LOW up to a fifth over the limit, HIGH from `high` times the limit, MEDIUM between."""
    if value >= limit * high:
        return Severity.HIGH
    return Severity.MEDIUM if value > limit * 1.2 else Severity.LOW


def is_machine_made(file: ParsedFile) -> bool:
    """Tell whether a file was minified or generated: nobody reads it, so nobody needs it readable."""
    return len(file.content) > 200 * (len(file.lines) + 10) or is_generated(file.content)


def _code_before(file: ParsedFile, spans: Iterable[tuple[int, int]]) -> list[int]:
    """Return, for each line number n from 0 on, how many of the first n lines are code, within some spans.

    Blank lines, lines of comment and texts that stand alone (docstrings) are none. Lines outside the spans
    (each from a definition on, so never inside a text) are not looked at: that is most of most files.
    """
    before = [0]
    for first, last in sorted(spans):
        seen = len(before) - 1
        if last > seen:
            before += [before[-1]] * (first - 1 - seen)
            _count(file, max(first, seen + 1), last, before)
    before += [before[-1]] * (len(file.lines) + 1 - len(before))
    return before


def _count(file: ParsedFile, first: int, last: int, before: list[int]) -> None:
    """Append to `before` for each line of a span."""
    comments = ("#",) if file.language == "python" else ("//", "/*", "*")
    count, until = before[-1], ""
    for line in file.lines[first - 1 : last]:
        text = line.strip()
        if until:
            until = "" if until in text else until
        elif not text:
            pass
        elif text.startswith(comments):
            until = "*/" if text.startswith("/*") and "*/" not in text else ""
        elif (
            file.language == "python"
            and ('"""' in text or "'''" in text)  # half the price of the expression, for every line
            and (opening := _DOCSTRING.match(text))
        ):
            until = opening[1] if opening[1] not in text[opening.end() :] else ""
        else:
            count += 1
        before.append(count)


def _between(code: Sequence[int], first: int, last: int) -> int:
    most = len(code) - 1
    return code[min(last, most)] - code[min(first - 1, most)]


def _own_lines(functions: Sequence[Function], code: Sequence[int]) -> list[int]:
    """Return each function's lines of code without those of the functions directly inside it.

    A closure is judged by itself: counting it in its host too would report the same lines twice, and call
    every module wrapper and decorator factory long. One sweep with a stack, whatever the nesting.
    """
    lines = [_between(code, function.start_line, function.end_line) for function in functions]
    own = list(lines)
    order = sorted(range(len(functions)), key=lambda i: (functions[i].start_line, -functions[i].end_line))
    hosts: list[int] = []
    for index in order:
        while hosts and functions[hosts[-1]].end_line < functions[index].end_line:
            hosts.pop()
        if hosts and functions[hosts[-1]].start_line < functions[index].start_line:
            own[hosts[-1]] -= lines[index]
        hosts.append(index)
    return own


def _driver(function: Function) -> str:
    """Say in words where the paths come from, as far as the metrics tell."""
    if _is_nested(function):
        return f"conditions stand inside conditions, {function.nesting} levels deep"
    if function.cognitive >= 2 * function.cyclomatic:
        return "most of it in functions that are defined inside"
    if function.cognitive <= function.cyclomatic // 2:
        return "many alternatives side by side, or conditions joined by and/or"
    if function.lines > 80:
        return f"many separate steps in {function.lines} lines"
    return f"branches and loops, {_levels(function.nesting)} deep"


def _levels(nesting: int) -> str:
    return "one level" if nesting <= 1 else f"{nesting} levels"


def _is_nested(function: Function) -> bool:
    return function.nesting >= 4 or (function.nesting > 1 and function.cognitive >= 2 * function.cyclomatic)


def _simplify(function: Function) -> str:
    if _is_nested(function):
        return (
            "Return early for the exceptional cases (guard clauses), and extract the innermost block of "
            f"{function.name} into a function with a name that says what it decides."
        )
    if function.cognitive <= function.cyclomatic // 2:
        return (
            f"Replace the chain of alternatives in {function.name} by a lookup table or by one function for "
            "each case, and give long conditions a name."
        )
    return (
        f"Extract each step of {function.name} that can be named (reading, checking, deciding, writing) into "
        "its own function, and test those one by one."
    )


def _split(function: Function) -> str:
    return (
        f"Find the stretches of {function.name} that a comment or a blank line sets apart, and extract each "
        "into a function named after what it does; hand over what it needs, return what it makes."
    )


def _is_command(file: ParsedFile, function: Function) -> bool:
    """Tell whether decorators declare the parameters one by one, as command line frameworks ask for it."""
    head = file.lines[function.start_line - 1 : function.start_line + function.parameters]
    return any(line.lstrip().startswith("@") and _OPTION.search(line) for line in head)


def _narrow(function: Function) -> str:
    owner = "the object's settings" if function.class_name else "what belongs together"
    return (
        f"Group {owner} into one parameter object (a dataclass, struct or options type), or split "
        f"{function.name} where some parameters serve only part of it. Make flags separate functions."
    )
