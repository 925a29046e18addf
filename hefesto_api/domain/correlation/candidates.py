"""Who may be at fault: the functions of the trace, and what is near them in the code."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from hefesto_api.domain.correlation import lookup, message
from hefesto_api.domain.correlation.flow import HANDLER, RETURNED, Flow, follow, names_at, own_at
from hefesto_api.domain.correlation.groups import unwrapped
from hefesto_api.domain.correlation.program import WORD, Place, Program

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hefesto_api.domain.code import Call, FileFacts
    from hefesto_api.domain.correlation.model import Crash, CrashFrame

MOST: Final = 200
EXPANDED: Final = 6  # functions of the trace whose surroundings are looked at
SHORT: Final = 3  # functions of the project in a trace that may have lost its outer end
CHAIN: Final = 2  # functions that hand on a result as their own, one after the other
A_STEP: Final = 3  # lines within which what was called before prepared the ground
LINES_OFF: Final = 1  # how far a statement may go on around the line that the trace names

TRACE: Final = "trace"
CAUSE: Final = "cause"
CONTEXT: Final = HANDLER
LINE: Final = "called on the line"
MADE: Final = "makes what the line works on"
RETURNS: Final = "makes what that returns"
READ: Final = "read on the line"
STEP: Final = "called right before the line"
BEFORE: Final = "called before the line"
AFTER: Final = "called elsewhere"
SIBLING: Final = "same class"
FAMILY: Final = "same method of a related class"
INHERITED: Final = "inherited by its class"
CALLER: Final = "calls it"
OWNER: Final = "of the class named"
NAMED: Final = "named in the message"
USES: Final = "uses what the message names"
SETS: Final = "sets what the line reads"
DECORATES: Final = "decorates it"
NESTED: Final = "around or within it"
NEIGHBOUR: Final = "same file"
RUNS_SQL = re.compile(
    r"^_*(execute|executemany|execute_sql|cursor|query|fetch(one|all|many)?|commit|flush|run|send)(_|$)|^__\w+__$"
)
# The nearer of two relations is kept.
ORDER: Final = (
    TRACE, CAUSE, LINE, MADE, NESTED, READ, NAMED, USES, SETS, OWNER, STEP, BEFORE, FAMILY, RETURNS,
    CALLER, DECORATES, AFTER, SIBLING, INHERITED, NEIGHBOUR,
)  # fmt: skip
RANK: Final = {name: at for at, name in enumerate(ORDER)}


class Candidate:
    """A function that may be at fault: how it hangs on the trace, and at which place there.

    `position` counts the functions of the trace from the innermost one of the project (0); for others it is
    that of the function they hang on. `line` is where to look. `choices` is how many a call could have meant.
    `gives` tells that it made the very value that the crash is about, or may have.
    """

    __slots__ = ("also", "choices", "frame", "gives", "index", "line", "place", "position", "relation")

    def __init__(self, place: Place, relation: str, position: int, line: int, choices: int = 1) -> None:
        self.place = place
        self.relation = relation
        self.position = position
        self.line = line
        self.choices = choices
        self.frame: CrashFrame | None = None
        self.index = -1  # of the frame in its exception
        self.gives = False
        self.also: set[str] = set()


class Scene:
    """A crash in its code: the candidates, and the trace's own functions from the innermost out."""

    def __init__(self, crash: Crash, code: Mapping[str, FileFacts]) -> None:
        self.crash = crash = unwrapped(crash)
        self.program = Program.of(crash, code)
        self.told = message.read(crash)
        self.found: dict[tuple[str, str], Candidate] = {}
        self.trace: list[Candidate] = []
        self.flow = Flow()
        self._walk_trace()
        self.flow = follow([one for one in self.trace if one.relation == TRACE], self.told)
        for one in self.trace[:EXPANDED]:
            self._called(one)
            self._set(one)
        self._from_message()
        for one in self.trace[:EXPANDED]:
            self._beside(one)

    def add(self, place: Place, relation: str, position: int, line: int, choices: int = 1) -> Candidate:
        """Take a candidate up, or another relation of one that is known."""
        known = self.found.get(place.key)
        if known is None:
            if len(self.found) >= MOST:
                return Candidate(place, relation, position, line, choices)
            known = self.found[place.key] = Candidate(place, relation, position, line, choices)
        elif (RANK[relation], position) < (RANK[known.relation], known.position):
            known.relation, known.position, known.choices = relation, position, choices
            known.line = line
        known.also.add(relation)
        return known

    def _walk_trace(self) -> None:
        """Take the functions of the trace, innermost first, then those of what caused it."""
        for at, crash in enumerate((self.crash, *self.crash.causes)):
            position = 0
            first = self.program.place_of(crash.frames[0]) if crash.frames else None
            outermost = first.key if first is not None else None
            seen: set[tuple[str | None, int | None, str | None]] = set()
            for index, frame in reversed(tuple(enumerate(crash.frames))):
                spot = (frame.project_path, frame.line, frame.function)
                if spot in seen or frame.project_path is None:  # a recursion comes by for thousands of times
                    continue
                seen.add(spot)
                place = self.program.place_of(frame)
                if place is None:
                    continue
                known = self.found.get(place.key)
                if known is not None and known.relation in (TRACE, CAUSE):
                    known.also.add(CAUSE if at else TRACE)
                    if at and crash.relation == CONTEXT and place.key == outermost:
                        known.also.add(CONTEXT)
                    continue
                one = self.add(place, CAUSE if at else TRACE, position, line_in(place, frame))
                one.frame, one.index = frame, index
                self.trace.append(one)
                position += 1

    def _called(self, one: Candidate) -> None:
        """Take what a function of the trace calls and reads."""
        place, line, position = one.place, one.line, one.position
        function = place.function
        if self.told.kind == message.DATABASE and RUNS_SQL.match(function.name):
            return  # the database found fault with the statement, not with how it was sent
        works_on = names_at(one) | own_at(one)
        at_fault = self.flow.at_fault if one is self.flow.source else frozenset()
        for call in function.calls:
            targets = self.program.called(place, call)
            relation = _when(call, line, works_on)
            made = relation == MADE and not at_fault.isdisjoint(call.into)
            made = made or (relation == LINE and f"{call.name}()" in at_fault)
            for target in targets:
                self._gave(target, relation, position, len(targets), made=made)
                if relation in (MADE, LINE):
                    self._returned(target, position, made)
        for access in function.attributes:
            if abs(access.line - line) <= LINES_OFF:
                targets = [found for found in self.program.called(place, access) if is_property(found)]
                made = f"{access.receiver}.{access.name}" in at_fault
                for target in targets:
                    self._gave(target, READ, position, len(targets), made=made)

    def _returned(self, one: Place, position: int, made: bool, depth: int = CHAIN) -> None:
        """Take the functions whose result another one returns as its own."""
        own = {RETURNED, *one.function.returned}
        for call in one.function.calls:
            if own.isdisjoint(call.into):
                continue
            targets = self.program.called(one, call)
            for target in targets:
                if self._gave(target, RETURNS, position, len(targets), made=made) and depth > 1:
                    self._returned(target, position, made, depth - 1)

    def _gave(self, target: Place, relation: str, position: int, choices: int, *, made: bool) -> bool:
        """Take up who gives a value; False for one of whom as much was known."""
        known = self.found.get(target.key)
        if len(self.found) >= MOST if known is None else relation in known.also and (known.gives or not made):
            return False
        found = self.add(target, relation, position, target.function.start_line, choices)
        found.gives = found.gives or made
        return True

    def _set(self, one: Candidate) -> None:
        """Take the methods that set what a function of the trace reads from its own object."""
        read = own_at(one)
        found = self.program.class_of(one.place) if read else None
        if found is None:
            return
        at_fault = self.flow.at_fault if one is self.flow.source else frozenset()
        names = {name.rpartition(".")[2] for name in read}
        blamed = {name.rpartition(".")[2] for name in at_fault & read}
        for facts, owner in [found, *self.program.bases(found[1])]:
            for method in self.program.methods(facts, owner):
                stores = names.intersection(method.function.stores)
                if not stores or method.key == one.place.key:
                    continue
                self._gave(method, SETS, one.position, 1, made=not stores.isdisjoint(blamed))
                for call in method.function.calls:
                    if set_here := read.intersection(call.into):
                        targets = self.program.called(method, call)
                        made = not at_fault.isdisjoint(set_here)
                        for target in targets:
                            self._gave(target, RETURNS, one.position, len(targets), made=made)

    def _beside(self, one: Candidate) -> None:
        """Take what stands beside a function of the trace: in it, in its class, in its file."""
        place, position = one.place, one.position
        facts = self.program.code[place.path]
        name = place.function.qualified_name
        for other in facts.functions:
            if other.qualified_name.startswith(f"{name}.") or name.startswith(f"{other.qualified_name}."):
                self.add(Place(facts.path, other), NESTED, position, other.start_line)
        if one is self.trace[-1] and len(self.trace) <= SHORT:  # further in the trace itself tells who called
            for caller in facts.callers_of.get(place.function.name, ())[:20]:
                self.add(Place(facts.path, caller), CALLER, position, caller.start_line)
        for decorator in place.function.decorators:
            for target in self.program.named(decorator.rpartition(".")[2])[:3]:
                self.add(target, DECORATES, position, target.function.start_line)
        if (found := self.program.class_of(place)) is not None:
            own, owner = found
            for method in self.program.methods(own, owner):
                self.add(method, SIBLING, position, method.function.start_line)
            for related, other_class in [*self.program.bases(owner), *self.program.heirs(owner)]:
                for method in self.program.methods(related, other_class):
                    same = method.function.name == place.function.name
                    self.add(method, FAMILY if same else INHERITED, position, method.function.start_line)
        if position == 0:
            for other in facts.functions:
                self.add(Place(facts.path, other), NEIGHBOUR, position, other.start_line)

    def _from_message(self) -> None:
        """Take what the message names: functions, methods of a type, who sets a missing attribute."""
        told = self.told
        for name in sorted(told.called | told.words):
            targets = self.program.named(name)
            if 0 < len(targets) <= 6:
                for target in targets:
                    self.add(target, NAMED, 0, target.function.start_line, len(targets))
        for facts, one, count, is_own in lookup.users(told, self.program.code.values()):
            self.add(Place(facts.path, one), USES if is_own else OWNER, 0, one.start_line, count)
        for name in sorted({*told.words, *((told.owner,) if told.owner else ())}):
            for facts, owner in self.program.classes_named(name):
                for method in self.program.methods(facts, owner):
                    self.add(method, OWNER, 0, method.function.start_line)
                for base in owner.bases:  # a metaclass answers isinstance and issubclass
                    for other, above in self.program.classes_named(base):
                        for method in self.program.methods(other, above):
                            if method.function.name in ("__instancecheck__", "__subclasscheck__", "__call__"):
                                self.add(method, OWNER, 0, method.function.start_line)


def _when(call: Call, line: int, works_on: frozenset[str]) -> str:
    """Tell when a call comes: on the line, before or after it, and whether the line works on its result."""
    if abs(call.line - line) <= LINES_OFF:
        return LINE
    if call.line > line:
        return AFTER
    if not works_on.isdisjoint(call.into):
        return MADE
    return STEP if line - call.line <= A_STEP else BEFORE


def line_in(place: Place, frame: CrashFrame) -> int:
    """Return the line in the function at hand where a frame stands, though the text may have moved.

    The line whose calls and reads are most like the shown one's; among equals the nearest to the frame's.
    """
    function, line = place.function, frame.line or 0
    shown = frozenset(WORD.findall(frame.code or ""))
    if shown:
        names: dict[int, set[str]] = {}
        seen = [
            *((one.name, one.line) for one in function.calls),
            *((one.name, one.line) for one in function.attributes),
        ]
        for name, at in seen:
            if name in shown:
                names.setdefault(at, set()).add(name)
        if names:
            best = max(map(len, names.values()))
            if len(names.get(line, ())) < best:
                likely = [at for at, have in names.items() if len(have) == best]
                return min(likely, key=lambda at: (abs(at - line), at))
    return line if function.holds(line) else function.start_line


def is_property(place: Place) -> bool:
    """Tell whether reading an attribute runs this function."""
    return any("property" in one or one.endswith((".getter", ".setter")) for one in place.function.decorators)
