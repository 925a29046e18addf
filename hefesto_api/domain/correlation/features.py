"""What speaks for and against a candidate, each as a number to be weighed.

A feature is a name and a value between -1 and 1 or so; `weights` says what each adds to the log odds.
"""

from __future__ import annotations

import re
from functools import lru_cache
from math import log
from typing import TYPE_CHECKING, Final

from hefesto_api.domain.correlation import candidates as c
from hefesto_api.domain.correlation import message
from hefesto_api.domain.correlation.flow import calls_indirectly
from hefesto_api.domain.correlation.names import likeness, misspelt, rarity, words_shared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hefesto_api.domain.code import FunctionFacts
    from hefesto_api.domain.correlation.candidates import Candidate, Scene

ON_THE_SPOT: Final = frozenset({message.TYPE, message.ARGUMENTS, message.INDEX, message.NAME})
SHORT: Final = 40  # lines: a longer function of such a name does more than to hand on
GENERIC: Final = frozenset(
    [
        "__call__", "__exit__", "__enter__", "__getattr__", "__getattribute__", "__get__", "_execute",
        "apply", "call", "decorated", "decorator", "dispatch", "dispatch_request", "execute",
        "executemany", "inner", "invoke", "main", "proxy", "run", "send", "wrap", "wrapped", "wrapper",
        "_wrapped", "_wrapper", "_inner", "_wrapped_view", "__iter__", "__next__", "next", "emit",
        "reraise", "retry", "handle",
    ]
)  # fmt: skip
TESTS = re.compile(r"(^|/)(tests?|testing|test_[^/]*|[^/]*_test\.[a-z]+|conftest\.py|spec|__tests__)(/|$)")
FILLED_IN = re.compile(r"%\(?\w*\)?[srdi]|\{[^{}]*\}")
CHECKING = re.compile(r"^_*(check|validate|ensure|assert|verify|require|raise|fail|error|abort)")
SQL = re.compile(
    r"\b(SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|WHERE|JOIN|ORDER BY|GROUP BY|VALUES|OVER|PRAGMA)\b"
)
GETTING = re.compile(
    r"^_*(get|find|lookup|resolve|load|fetch|read|parse|decode|encode|to|from|as|convert)(_|$|[A-Z])"
)
RAISED_AGAIN = re.compile(
    r"\braise\b(?!\s+\w*(Error|Exception|Exit|Warning)\b)|with_traceback|reraise|six\.raise"
)


def of_scene(scene: Scene) -> Iterator[tuple[Candidate, dict[str, float]]]:
    """Yield each candidate with its features, in the order of the candidates."""
    weights = rarity(scene)
    top = scene.trace[0] if scene.trace else None
    missing = missing_name(scene)
    is_lone, almost = misspelt(scene, missing) if missing is not None else (False, set())
    for one in scene.found.values():
        found = _features(scene, one, top, weights)
        if one is top and is_lone:
            found["nobody else uses the missing name"] = 1.0
        if one in almost:
            found["sets a name almost like the missing one"] = 1.0
        yield one, found


def _features(
    scene: Scene, one: Candidate, top: Candidate | None, weights: dict[str, float]
) -> dict[str, float]:
    function = one.place.function
    found = dict(_position(scene, one))
    found.update(_pattern(scene, one, function))
    found.update(_error(scene, one, function, top))
    if overlap := words_shared(scene, one, weights):
        found["shares words with the message"] = overlap
    if one.relation != c.TRACE and (alike := likeness(one, top)):
        same = (
            top is not None and function.name == top.place.function.name
        )  # one of many, more often than not
        found["has the name of what crashed" if same else "named like what crashed"] = alike
    found["size"] = log(min(max(function.lines, 1), 200)) / log(200) - 0.5
    found["branches"] = log(min(max(function.cyclomatic, 1), 50)) / log(50) - 0.3
    return found


def missing_name(scene: Scene) -> str | None:
    """Return the name that was not there, if it may be misspelt: a key, an attribute of our own class."""
    told = scene.told
    if told.kind == message.KEY and not told.member:
        return told.keys[0] if told.keys else None
    return told.member if told.owner and scene.program.classes_named(told.owner) else None


def _position(scene: Scene, one: Candidate) -> Iterator[tuple[str, float]]:
    """How it hangs on the trace, and how far out there."""
    depth = log(1 + one.position)
    if one.relation == c.TRACE:
        yield "in the trace", 1.0
        if one.position == 0:
            yield "innermost in the project", 1.0
        yield "calls away from the crash", depth
    elif one.relation == c.CAUSE:
        yield "in the trace of a cause", 1.0
        if one.position == 0:
            yield "innermost of a cause", 1.0
        yield "calls away from the crash", depth
    else:
        yield f"not in the trace: {one.relation}", 1.0
        yield "hangs on an outer call", depth
        if one.choices > 1:
            yield "one of several of that name", log(one.choices)
    if c.CONTEXT in one.also and one.relation == c.TRACE and one.position > 0:
        yield "handled another error", 1.0
    elif c.CAUSE in one.also and one.relation == c.TRACE:
        yield "also in the trace of a cause", 1.0
    depth_of_project = len(scene.trace)
    if one.relation == c.TRACE and depth_of_project == 1:
        yield "the only function of the project in the trace", 1.0


def _pattern(scene: Scene, one: Candidate, function: FunctionFacts) -> Iterator[tuple[str, float]]:
    """What kind of function it is."""
    if function.delegates and one.relation in (c.TRACE, c.CAUSE):
        yield "only hands on", 1.0
    if (function.name in GENERIC and function.lines <= SHORT) or "decorator" in function.qualified_name:
        yield "a dispatcher or a wrapper", 1.0
    if TESTS.search(one.place.path.lower()):
        yield "test code", 1.0
    if function.name == "<module>":
        yield "a module's own code", 1.0
    if function.name in ("__init__", "__new__", "constructor"):
        yield "makes an object", 1.0
    elif function.name.startswith("__") and function.name.endswith("__"):
        yield "a special method", 1.0
    if "." in function.qualified_name and function.class_name != function.qualified_name.rpartition(".")[0]:
        yield "inside of another function", 1.0
    if CHECKING.match(function.name):
        yield "checks things", 1.0
    facts = scene.program.code[one.place.path]
    callers = len(facts.callers_of.get(function.name, ()))
    if callers > 1:
        yield "called from many places", min(log(callers) / 3, 1.0)
    if one.relation == c.TRACE and one.frame is not None and one.frame.code and one.position > 0:
        code = one.frame.code
        if RAISED_AGAIN.search(code):
            yield "only raises again what came", 1.0


def _error(
    scene: Scene, one: Candidate, function: FunctionFacts, top: Candidate | None
) -> Iterator[tuple[str, float]]:
    """How it fits the error."""
    told = scene.told
    raises = top is not None and raises_here(top, scene)
    if one is top:
        if told.kind in ON_THE_SPOT and not calls_indirectly(one, told):
            yield "an error that is mostly made where it shows", 1.0
        if raises:
            yield "raises it itself", 1.0
            if told.kind == message.OTHER:
                yield "raises an error of its own kind", 1.0
            if CHECKING.match(function.name):
                yield "a check that fails", 1.0
            if is_lookup(one, told):
                yield "a lookup that finds nothing", 1.0
        if crashed_outside(scene):
            yield "what it calls in a library crashed", 1.0
        if scene.flow.given:
            where = "came from the project" if scene.flow.origin else "came from outside"
            yield f"{'raises' if raises else 'crashes'} over what it was given, which {where}", 1.0
        if misses_own(one, told):
            yield "misses an attribute of its own object", 1.0
        if calls_indirectly(one, told):
            yield "calls what it was handed", 1.0
    elif one.relation == c.TRACE and raises and one.position == 1:
        yield "calls what raises it", 1.0
    if one is scene.flow.origin:
        refused = raises and top is not None and not is_lookup(top, told)
        yield "made the value that was " + ("refused" if refused else "handed in"), 1.0
    elif one in scene.flow.hands_on:
        yield "only hands on what it was given", 1.0
    yield from _kind(one, function, told)
    if top is not None and asks_for_type(top, function.name):
        yield "answers whether it is of a type", 1.0
    if told.member and told.owner and top is not None and one is not top and misses_own(top, told):
        yield from _should_set(scene, one, function, told)
    if function.name in told.called and function.name != "__init__":
        yield "named in the message", 1.0


def _kind(one: Candidate, function: FunctionFacts, told: message.Told) -> Iterator[tuple[str, float]]:
    """What the kind of error makes likely."""
    feeds = one.relation in (c.LINE, c.READ, c.MADE, c.RETURNS, c.STEP, c.BEFORE)
    if one.gives:
        yield "gives the value at fault", 1.0
    if told.is_none and feeds and function.returns_none:
        yield "may return nothing", 1.0
        if one.gives:
            yield "may have returned the nothing at fault", 1.0
    elif told.is_none and feeds and function.returns_value:
        yield "always returns something", 1.0
    if told.kind == message.ARGUMENTS and function.name in told.called:
        yield "has the signature", 1.0
    if told.kind == message.UNIMPLEMENTED and one.relation == c.FAMILY:
        yield "may have to implement it", 1.0
    if told.kind in (message.KEY, message.INDEX) and feeds and function.returns_value:
        yield "gives the collection", 1.0
    if told.kind == message.DATABASE:
        if c.RUNS_SQL.match(function.name):
            yield "only runs the statement", 1.0
        elif makes_sql(function):
            yield "makes the statement", 1.0
    if told.member and (told.member in function.stores):
        yield "sets the attribute", 1.0
    elif told.kind == message.KEY and any(
        key in function.stores or key in function.texts for key in told.keys
    ):
        yield "knows the key", 1.0
    if told.owner and (function.class_name or "").rpartition(".")[2] == told.owner:
        yield "of the type that is told of", 1.0
    if says(function, told):
        yield "has the text of the message", 1.0


def is_lookup(one: Candidate, told: message.Told) -> bool:
    """Tell whether a function that raised only says that there is nothing of what it was asked for."""
    function = one.place.function
    getting = GETTING.match(function.name) and function.lines < 40
    return told.kind in (message.LOOKUP, message.KEY) or bool(getting)


def asks_for_type(one: Candidate, special: str) -> bool:
    """Tell whether a function asks for the type of something, and this special method answers."""
    asked = {"__subclasscheck__": "issubclass", "__instancecheck__": "isinstance"}.get(special)
    return asked is not None and any(call.name == asked for call in one.place.function.calls)


def misses_own(one: Candidate, told: message.Told) -> bool:
    """Tell whether the attribute that is not there is one that the function looks for on its own object."""
    return told.member is not None and any(
        access.name == told.member and access.receiver in ("self", "this", "cls")
        for access in one.place.function.attributes
    )


def _should_set(
    scene: Scene, one: Candidate, function: FunctionFacts, told: message.Told
) -> Iterator[tuple[str, float]]:
    """Say whether a function is where an object gets the attribute that it lacks."""
    of_type = (function.class_name or "").rpartition(".")[2] == told.owner
    related = of_type or one.relation in (c.SIBLING, c.INHERITED, c.FAMILY)
    if related and told.member in function.stores:
        yield "sets the missing attribute of its object", 1.0
    elif of_type and function.name == "__init__":
        yield "makes the object without the attribute", 1.0


def raises_here(one: Candidate, scene: Scene) -> bool:
    """Tell whether a function of the trace raised the error by a statement of its own."""
    if crashed_outside(scene):
        return False
    if one.frame is not None and one.frame.code:
        return one.frame.code.lstrip().startswith(("raise", "throw", "panic("))
    return any(abs(each.line - one.line) <= 1 for each in one.place.function.raised)


def crashed_outside(scene: Scene) -> bool:
    """Tell whether the crash itself was in code that is not the project's."""
    frames = scene.crash.frames
    return bool(frames) and frames[-1].project_path is None


def makes_sql(function: FunctionFacts) -> bool:
    """Tell whether a function writes SQL."""
    return "sql" in function.name.lower() or any(SQL.search(text) for text in function.texts)


def says(function: FunctionFacts, told: message.Told) -> bool:
    """Tell whether a text in the function is the pattern of the message."""
    return any(len(piece) >= 10 and piece in told.text for piece in map(longest_piece, function.texts))


@lru_cache(maxsize=20_000)
def longest_piece(text: str) -> str:
    """Return the longest part of a text between what is filled in."""
    return max((piece.strip() for piece in FILLED_IN.split(text)), key=len)
