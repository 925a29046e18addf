"""A finding stays the same finding through edits of real code, and different findings stay apart."""

import ast
import random
import re
import sysconfig
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import pytest
from hefesto_api.domain.finding import Detection, Group, Severity
from hefesto_api.domain.identity import (
    Fingerprints,
    Known,
    Matching,
    Seen,
    fingerprints,
    match,
    public_fingerprint,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

MODULES = ("argparse", "shlex", "csv", "fractions", "configparser", "textwrap", "zipfile", "smtplib")
real_code = st.sampled_from(MODULES)
seeds = st.integers(0, 2**32)
relaxed = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Sighting(NamedTuple):
    """A detection and who it really is: its function (by its original name) and its number in it."""

    truth: tuple[str, str, int]
    detection: Detection


@lru_cache
def source_of(module: str) -> str:
    return (Path(sysconfig.get_paths()["stdlib"]) / f"{module}.py").read_text("utf-8")


def detect(rule: str, line: int, end: int, symbol: str | None, **more: str) -> Detection:
    group = Group(more.pop("group", "security"))
    return Detection(
        rule_id=rule, analyzer=group, tool="test", severity=Severity.LOW, confidence=0.5, line=line,
        message="seen", end_line=end, symbol=symbol, **more,  # type: ignore[arg-type]
    )  # fmt: skip


def sightings(source: str, renamed: dict[str, str] | None = None) -> list[Sighting]:
    """Report every call that stands as a statement, every raise, and every function as a whole."""
    counts: dict[tuple[str, str], int] = {}
    found = []
    for symbol, rule, node in _visit(ast.parse(source), ()):
        name = (renamed or {}).get(symbol, symbol)
        counts[name, rule] = counts.get((name, rule), 0) + 1
        group = "complexity" if rule == "WHOLE" else "security"
        end = node.end_lineno or node.lineno
        detection = detect(rule, node.lineno, end, symbol or None, group=group)
        found.append(Sighting((name, rule, counts[name, rule]), detection))
    return found


def _visit(node: ast.AST, path: tuple[str, ...]) -> Iterator[tuple[str, str, ast.stmt]]:
    for child in ast.iter_child_nodes(node):
        inner = path
        if isinstance(child, ast.FunctionDef | ast.ClassDef):
            inner = (*path, child.name)
        if isinstance(child, ast.FunctionDef):
            yield ".".join(inner), "WHOLE", child
        elif isinstance(child, ast.Expr) and isinstance(child.value, ast.Call):
            yield ".".join(path), "CALL", child
        elif isinstance(child, ast.Raise):
            yield ".".join(path), "RAISE", child
        yield from _visit(child, inner)


def compare(before: str, after: str, renamed: dict[str, str] | None = None) -> Matching:
    old, new = sightings(before), sightings(after, renamed)
    known = [
        Known(repr(each.truth), each.detection.rule_id, each.detection.line, each.detection.symbol, prints)
        for each, prints in zip(old, _prints(before, old), strict=True)
    ]
    seen = [
        Seen(repr(each.truth), each.detection.rule_id, each.detection.line, each.detection.symbol, prints)
        for each, prints in zip(new, _prints(after, new), strict=True)
    ]
    return match(known, seen)


def _prints(source: str, found: list[Sighting]) -> tuple[Fingerprints, ...]:
    return fingerprints([each.detection for each in found], source.split("\n"))


def assert_same(before: str, after: str, renamed: dict[str, str] | None = None) -> None:
    outcome = compare(before, after, renamed)
    assert [pair for pair in outcome.pairs if pair.known != pair.seen] == []
    assert (outcome.gone, outcome.fresh) == ([], [])
    assert len(outcome.pairs) == len(sightings(before)) > 5


def top_level(source: str) -> list[ast.stmt]:
    return [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef | ast.ClassDef)]


def cut(source: str, node: ast.stmt) -> tuple[list[str], list[str]]:
    lines = source.split("\n")
    decorators = getattr(node, "decorator_list", [])
    start = min([node.lineno, *(each.lineno for each in decorators)]) - 1
    assert node.end_lineno is not None
    return lines[start : node.end_lineno], lines[:start] + lines[node.end_lineno :]


@relaxed
@given(real_code, seeds)
def test_lines_inserted_anywhere_change_no_identity(module: str, seed: int) -> None:
    source, chance = source_of(module), random.Random(seed)  # noqa: S311
    lines = source.split("\n")
    bodies = [node.lineno for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Expr | ast.Return)]
    for at in sorted(chance.sample(bodies, min(4, len(bodies))), reverse=True):
        indent = re.match(r"\s*", lines[at - 1]).group()  # type: ignore[union-attr]
        if _starts_statement(lines, at - 1):
            lines[at - 1 : at - 1] = [f"{indent}# a remark", f"{indent}added_{at} = {at}", ""]
    assert_same(source, "\n".join(lines))


def _starts_statement(lines: list[str], index: int) -> bool:
    try:
        ast.parse("\n".join([*lines[:index], re.sub(r"\S.*", "pass", lines[index])]))
    except SyntaxError:
        return False
    return True


@relaxed
@given(real_code, seeds)
def test_indenting_a_function_changes_no_identity(module: str, seed: int) -> None:
    source = source_of(module)
    node = random.Random(seed).choice(top_level(source))  # noqa: S311
    block, _ = cut(source, node)
    lines = source.split("\n")
    start = next(at for at in range(len(lines)) if lines[at : at + len(block)] == block)
    deeper = ["if True:", *(f"    {line}" if line.strip() else line for line in block)]
    assert_same(source, "\n".join(lines[:start] + deeper + lines[start + len(block) :]))


@relaxed
@given(real_code, seeds)
def test_moving_a_function_changes_no_identity(module: str, seed: int) -> None:
    source = source_of(module)
    node = random.Random(seed).choice(top_level(source))  # noqa: S311
    block, rest = cut(source, node)
    assert_same(source, "\n".join([*rest, "", "", *block, ""]))


@relaxed
@given(real_code, seeds)
def test_renaming_a_function_changes_no_identity_within(module: str, seed: int) -> None:
    source = source_of(module)
    node = random.Random(seed).choice(top_level(source))  # noqa: S311
    name: str = node.name  # type: ignore[attr-defined]
    lines = source.split("\n")
    at = next(i for i, line in enumerate(lines) if re.match(rf"(def|class) {name}\b", line))
    lines[at] = lines[at].replace(name, f"{name}_renamed", 1)
    old = {each.truth[0] for each in sightings(source) if each.truth[0].split(".")[0] == name}
    assert_same(
        source, "\n".join(lines), {symbol.replace(name, f"{name}_renamed", 1): symbol for symbol in old}
    )


def test_a_method_that_starts_with_a_long_comment_is_known_in_a_renamed_class() -> None:
    comment = "        # as often as it has to be said\n" * 14
    source = f"class Old:\n    def run(self):\n{comment}        return self.first() or self.last()\n"
    outcome = compare(source, source.replace("Old", "New"), {"New.run": "Old.run"})
    assert [pair.known == pair.seen for pair in outcome.pairs] == [True]


@relaxed
@given(real_code)
def test_a_comment_behind_a_finding_changes_no_identity(module: str) -> None:
    source = source_of(module)
    lines = source.split("\n")
    for each in sightings(source):
        at = each.detection.line - 1
        if each.detection.end_line == each.detection.line:
            lines[at] += "  # noqa: S603  # nosec - checked by us"
    assert_same(source, "\n".join(lines))


@relaxed
@given(real_code, seeds)
def test_removing_a_function_takes_only_its_findings(module: str, seed: int) -> None:
    source = source_of(module)
    node = random.Random(seed).choice(top_level(source))  # noqa: S311
    _, rest = cut(source, node)
    after = "\n".join(rest)
    outcome = compare(source, after)
    removed = {repr(each.truth) for each in sightings(source)} - {
        repr(each.truth) for each in sightings(after)
    }
    assert set(outcome.gone) == removed
    assert outcome.fresh == []


SNIPPET = """\
import os

def first(name, path):
    size = measure(path)
    os.system("rm -rf " + name)
    return size

def second(name, path):
    check(path)
    os.system("rm -rf " + name)
    log(name)
"""


def printed(source: str, *places: tuple[int, str | None]) -> list[Fingerprints]:
    found = [detect("R", line, line, symbol) for line, symbol in places]
    return list(fingerprints(found, source.split("\n")))


def paired(source: str, old: list[tuple[int, str]], after: str, new: list[tuple[int, str]]) -> Matching:
    known = [
        Known(f"{symbol}:{line}", "R", line, symbol, prints)
        for (line, symbol), prints in zip(old, printed(source, *old), strict=True)
    ]
    seen = [
        Seen(f"{symbol}:{line}", "R", line, symbol, prints)
        for (line, symbol), prints in zip(new, printed(after, *new), strict=True)
    ]
    return match(known, seen)


def test_renaming_variables_around_a_finding_keeps_it() -> None:
    after = SNIPPET.replace("size", "total").replace("log(name)", "log(name, path)")
    outcome = paired(SNIPPET, [(5, "first"), (10, "second")], after, [(5, "first"), (10, "second")])
    assert {(pair.known, pair.seen) for pair in outcome.pairs} == {("first:5",) * 2, ("second:10",) * 2}


def test_another_statement_is_another_finding() -> None:
    after = SNIPPET.replace(
        'os.system("rm -rf " + name)\n    return', 'os.system("rm -rf " + path)\n    return'
    )
    outcome = paired(SNIPPET, [(5, "first")], after, [(5, "first")])
    assert (outcome.gone, outcome.fresh) == (["first:5"], ["first:5"])


def test_one_changed_side_tells_twins_of_one_function_apart() -> None:
    twins = "def f(a):\n    one(a)\n    run(a)\n    two(a)\n    three(a)\n    run(a)\n    four(a)\n"
    after = twins.replace("four(a)", "fourth(a)\n    run(a)\n    fifth(a)")
    outcome = paired(twins, [(3, "f"), (6, "f")], after, [(3, "f"), (6, "f"), (8, "f")])
    assert [(pair.known, pair.seen, pair.how) for pair in outcome.pairs] == [
        ("f:3", "f:3", "exact"),
        ("f:6", "f:6", "near"),
    ]


def test_a_copy_elsewhere_is_new_and_the_original_stays() -> None:
    body = '    size = measure(path)\n    os.system("rm -rf " + name)\n    return size\n'
    copy = f"\ndef third(name, path):\n{body}"
    outcome = paired(SNIPPET, [(5, "first")], SNIPPET + copy, [(5, "first"), (15, "third")])
    assert [(pair.known, pair.seen, pair.how) for pair in outcome.pairs] == [("first:5", "first:5", "exact")]
    assert outcome.fresh == ["third:15"]


def test_two_of_three_twins_that_moved_are_left_apart() -> None:
    """Equal text in functions that are all gone: nothing says which is which."""
    lone = 'def other():\n    a = 1\n    os.system("rm -rf " + name)\n    b = 2\n'
    outcome = paired(SNIPPET, [(5, "first"), (10, "second")], lone, [(3, "other")])
    assert (outcome.pairs, len(outcome.gone), len(outcome.fresh)) == ([], 2, 1)


def test_a_renamed_rule_keeps_its_findings() -> None:
    old = fingerprints([detect("FIRST", 5, 5, "first")], SNIPPET.split("\n"))
    new = fingerprints([detect("SECOND", 5, 5, "first")], SNIPPET.split("\n"), {"SECOND": "FIRST"})
    assert old == new
    assert old != fingerprints([detect("SECOND", 5, 5, "first")], SNIPPET.split("\n"))


@pytest.mark.parametrize("group", [group for group in Group if group is not Group.SECURITY])
def test_a_finding_about_a_function_survives_its_body(group: Group) -> None:
    changed = SNIPPET.replace("size = measure(path)", "size = 0\n    for part in path:\n        size += 1")
    whole = detect("R", 3, 6, "first", group=group)
    now = detect("R", 3, 8, "first", group=group)
    (before,) = fingerprints([whole], SNIPPET.split("\n"))
    (after,) = fingerprints([now], changed.split("\n"))
    assert (before.exact, before.symbol) == (after.exact, after.symbol)


def test_a_finding_about_a_function_survives_a_new_parameter() -> None:
    whole = detect("R", 3, 6, "first", group="complexity")
    (before,) = fingerprints([whole], SNIPPET.split("\n"))
    (after,) = fingerprints([whole], SNIPPET.replace("(name, path)", "(name, path, how)").split("\n"))
    assert before.exact != after.exact
    assert before.symbol == after.symbol


def test_secrets_are_hashed_as_they_are_masked() -> None:
    shown = detect("R", 1, 1, None, line_text="password = '****'")
    assert fingerprints([shown], ["password = 'hunter2'"]) == fingerprints([shown], ["password = 'qwerty1'"])


def test_reformatting_a_call_over_several_lines_changes_nothing() -> None:
    (one,) = fingerprints([detect("R", 1, 1, None)], ["run('a', \"b\")"])
    (two,) = fingerprints([detect("R", 1, 4, None)], ["run(", "    'a',", "    'b',", ")"])
    assert one == two


@given(st.lists(st.text(), max_size=8), st.integers(-3, 12), st.integers(-3, 40), st.text(max_size=9))
def test_any_place_in_any_text_has_prints(lines: list[str], line: int, end: int, symbol: str) -> None:
    for group in Group:
        (prints,) = fingerprints([detect("R", line, end, symbol, group=group)], lines)
        assert re.fullmatch("[0-9a-f]{16}", prints.exact)
        assert re.fullmatch("[0-9a-f]{16}", prints.symbol)


def test_the_public_fingerprint_tells_files_rules_and_twins_apart() -> None:
    one = public_fingerprint("R", "a.py", "e" * 16)
    assert re.fullmatch("[0-9a-f]{32}", one)
    others = {
        public_fingerprint("R", "b.py", "e" * 16),
        public_fingerprint("Q", "a.py", "e" * 16),
        public_fingerprint("R", "a.py", "e" * 16, 2),
        public_fingerprint("R", "a.py", "f" * 16),
    }
    assert one not in others
    assert len(others) == 4
