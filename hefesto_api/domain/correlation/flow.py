"""Where the value at fault may have come from: parameters are followed outwards through the trace."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from hefesto_api.domain.correlation.message import ARGUMENTS, IMPORT, INDEX, KEY, UNIMPLEMENTED
from hefesto_api.domain.correlation.message import NAME as NAME_ERROR

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hefesto_api.domain.code import Access, Call, FunctionFacts
    from hefesto_api.domain.correlation.candidates import Candidate
    from hefesto_api.domain.correlation.message import Told

NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*")
OWN = re.compile(r"(?<![\w.])(?:self|this|cls)\.[A-Za-z_]\w*")
RETURNED = "return"
LINES_OFF = 1
HANDLER = "context"
CALL = re.compile(r"\w\(")
# Whatever the values are: nobody looked at them.
NO_VALUE = frozenset({ARGUMENTS, NAME_ERROR, IMPORT, UNIMPLEMENTED})
BOUND = frozenset({"self", "cls", "this"})


class Flow(NamedTuple):
    """What the crashed line works on.

    `given` are the parameters of the innermost function in it that nothing there tests. `origin` is the
    function of the trace that made the value: the first one out that does not just hand on what it got;
    None where the value comes from outside of the project. `hands_on` are those in between. `source` is the
    function in which the value came about, as far as it could be followed, and `at_fault` the names that it
    has on the line there: `x`, `self.x`, or `f()` for what a call gave.
    """

    given: frozenset[str] = frozenset()
    origin: Candidate | None = None
    hands_on: tuple[Candidate, ...] = ()
    source: Candidate | None = None
    at_fault: frozenset[str] = frozenset()


def follow(trace: Sequence[Candidate], told: Told) -> Flow:
    """Follow the value that the innermost function stumbled over."""
    if not trace:
        return Flow()
    top = trace[0]
    if told.kind in NO_VALUE and not calls_indirectly(top, told):
        return Flow(source=top)
    blamed = blamed_at(top, told)
    given = (blamed or names_at(top)) & parameters(top.place.function)
    if not given:
        return Flow(source=top, at_fault=blamed)
    between: list[Candidate] = []
    callee = top
    for one in trace[1:]:
        if one.index != callee.index - 1:  # somebody else's code stands between the two
            break
        if not hands_on(one, callee):
            return Flow(given, one, tuple(between), one, handed(one, callee))
        between.append(one)
        callee = one
    return Flow(given, None, tuple(between))


def parameters(function: FunctionFacts) -> frozenset[str]:
    """Return the names of a function's parameters, but for the one it is bound by."""
    return frozenset(one.lstrip("*.{ ") for one in function.parameters) - BOUND


def calls_indirectly(one: Candidate, told: Told) -> bool:
    """Tell whether the call whose arguments do not fit goes by another name than the function has."""
    names = [name for name in told.called if not name.startswith("__")]
    code = one.frame.code if one.frame is not None else None
    if told.kind != ARGUMENTS or not names or not code or not CALL.search(code):
        return False
    return not any(name in code for name in names)


def blamed_at(one: Candidate, told: Told) -> frozenset[str]:
    """Return what on a line lacks the attribute or the item that is missed; none if it is unclear."""
    function = one.place.function
    accesses: Iterable[Access | Call]
    if told.member:
        everything: list[Access | Call] = [*function.attributes, *function.calls]
        accesses = (each for each in everything if each.name == told.member)
    elif told.kind in (KEY, INDEX) or told.no_collection:
        accesses = function.subscripts
    elif told.is_none and told.unpacks:
        near = (call for call in function.calls if abs(call.line - one.line) <= LINES_OFF)
        return frozenset(f"{call.name}()" for call in near if call.into)
    else:
        return frozenset()
    found = {each.receiver for each in accesses if abs(each.line - one.line) <= LINES_OFF}
    return frozenset(name for each in found if each for name in (each, each.partition(".")[0]))


def own_at(one: Candidate) -> frozenset[str]:
    """Return the attributes of its own object (`self.x`) that a function's line in the trace reads."""
    if one.frame is not None and one.frame.code:
        return frozenset(OWN.findall(one.frame.code))
    accesses = (each for each in one.place.function.attributes if each.line == one.line)
    return frozenset(f"{each.receiver}.{each.name}" for each in accesses if each.receiver in BOUND)


def handed(one: Candidate, callee: Candidate) -> frozenset[str]:
    """Return what a function gave to the next one in the trace."""
    name = callee.place.function.name
    near = min(
        (call for call in one.place.function.calls if call.name == name),
        key=lambda call: abs(call.line - one.line),
        default=None,
    )
    if near is None:
        return frozenset()
    return (
        frozenset(part for each in near.arguments if each for part in (each, each.partition(".")[0])) - BOUND
    )


def names_at(one: Candidate) -> frozenset[str]:
    """Return the names on a function's line in the trace: as it was shown, else from the facts."""
    if one.frame is not None and one.frame.code:
        code = one.frame.code
        if code.count("(") > code.count(")") and code.lstrip().startswith(("raise", "throw")):
            return parameters(one.place.function)  # what it is raised with stands on lines that are not shown
        return frozenset(NAME.findall(code))
    function, line = one.place.function, one.line
    found = {argument for call in function.calls if call.line == line for argument in call.arguments}
    found |= {
        access.receiver for access in (*function.attributes, *function.subscripts) if access.line == line
    }
    return frozenset(name.partition(".")[0] for name in found)


def hands_on(one: Candidate, callee: Candidate) -> bool:
    """Tell whether a function calls the next with nothing but what it was given itself."""
    if HANDLER in one.also:  # it was in trouble before, and chose to go on with this
        return False
    function, name = one.place.function, callee.place.function.name
    calls = [call for call in function.calls if call.name == name]
    near = min(calls, key=lambda call: abs(call.line - one.line), default=None)
    if near is None:
        return function.delegates
    own = parameters(function)
    return bool(near.arguments) and all(each.partition(".")[0].lstrip("*") in own for each in near.arguments)
