"""Where the value at fault may have come from: parameters are followed outwards through the trace."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hefesto_api.domain.code import FunctionFacts
    from hefesto_api.domain.correlation.candidates import Candidate

NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*")
HANDLER = "context"
BOUND = frozenset({"self", "cls", "this"})


class Flow(NamedTuple):
    """What the crashed line works on.

    `given` are the parameters of the innermost function in it that nothing there tests. `origin` is the
    function of the trace that made the value: the first one out that does not just hand on what it got;
    None where the value comes from outside of the project. `hands_on` are those in between.
    """

    given: frozenset[str] = frozenset()
    origin: Candidate | None = None
    hands_on: tuple[Candidate, ...] = ()


def follow(trace: Sequence[Candidate]) -> Flow:
    """Follow the value that the innermost function stumbled over."""
    if not trace:
        return Flow()
    top = trace[0]
    given = names_at(top) & parameters(top.place.function)
    if not given:
        return Flow()
    between: list[Candidate] = []
    callee = top
    for one in trace[1:]:
        if one.index != callee.index - 1:  # somebody else's code stands between the two
            break
        if not hands_on(one, callee):
            return Flow(frozenset(given), one, tuple(between))
        between.append(one)
        callee = one
    return Flow(frozenset(given), None, tuple(between))


def parameters(function: FunctionFacts) -> frozenset[str]:
    """Return the names of a function's parameters, but for the one it is bound by."""
    return frozenset(one.lstrip("*.{ ") for one in function.parameters) - BOUND


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
