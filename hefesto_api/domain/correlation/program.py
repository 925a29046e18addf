"""The code at hand as a graph: where a frame is, what a call means, which classes belong together."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from hefesto_api.domain.code import FileFacts, FunctionFacts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hefesto_api.domain.code import Access, Call, ClassFacts
    from hefesto_api.domain.correlation.model import Crash, CrashFrame

OWN: Final = frozenset({"self", "cls", "this", "mcs"})
COMMON: Final = 6  # definitions of a name beyond which a call through an unknown receiver says nothing
WORD = re.compile(r"[A-Za-z_]\w+")


class Place(NamedTuple):
    """A function in a file."""

    path: str
    function: FunctionFacts

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from others: the file and the qualified name."""
        return self.path, self.function.qualified_name


def last_name(function: str | None) -> str:
    """Return the last part of a function's printed name, without what languages put around it."""
    name = (function or "").strip().removesuffix("()").replace("<locals>.", "")
    name = name.rpartition("#")[2].rpartition("::")[2]
    return name if name.startswith("<") else name.rpartition(".")[2]


class Program:
    """The files of a crash, looked at as one."""

    def __init__(self, code: Mapping[str, FileFacts]) -> None:
        self.code = code
        self._named: dict[str, list[Place]] = {}
        self._classes: dict[str, list[tuple[FileFacts, ClassFacts]]] = {}
        self._modules: dict[str, list[tuple[str, FileFacts]]] = {}
        for path, facts in code.items():
            if path.endswith(".py"):
                self._modules.setdefault(path.rpartition("/")[2].removesuffix(".py"), []).append(
                    (path, facts)
                )

    @classmethod
    def of(cls, crash: Crash, code: Mapping[str, FileFacts]) -> Program:
        """Return the program of a crash; a file of the project whose code is not at hand is an empty one."""
        known = dict(code)
        for one in (crash, *crash.causes):
            for frame in one.frames:
                if frame.project_path and frame.project_path not in known:
                    known[frame.project_path] = FileFacts(frame.project_path, "")
        return cls(known)

    def place_of(self, frame: CrashFrame) -> Place | None:
        """Return the function that a frame stands in, though the lines may have moved since it crashed.

        By the name, the shown line's own names and the distance of the lines; without a name by the line.
        """
        facts = self.code.get(frame.project_path or "")
        if facts is None:
            return None
        return self._within(facts, frame) or Place(facts.path, stand_in(frame))

    def _within(self, facts: FileFacts, frame: CrashFrame) -> Place | None:
        name = last_name(frame.function)
        at_line = [one for one in facts.functions if one.holds(frame.line)]
        at_line.sort(key=lambda one: one.lines)
        named = [one for one in at_line if one.name == name] or facts.by_name.get(name, ())
        if named:
            shown = frozenset(WORD.findall(frame.code or ""))
            return Place(facts.path, min(named, key=lambda one: (-_fits(one, shown), _far(one, frame))))
        if at_line and name != "<module>" and (name.startswith("<") or at_line[0].name.startswith(name)):
            return Place(facts.path, at_line[0])  # inside of it, or its name was cut short
        return None

    def named(self, name: str) -> list[Place]:
        """Return the functions of a name, in the order of the files."""
        if name not in self._named:
            files = self.code.items()
            self._named[name] = [
                Place(path, one) for path, facts in files for one in facts.by_name.get(name, ())
            ]
        return self._named[name]

    def classes_named(self, name: str) -> list[tuple[FileFacts, ClassFacts]]:
        """Return the classes of a name."""
        last = name.rpartition(".")[2]
        if last not in self._classes:
            files = self.code.values()
            self._classes[last] = [(f, f.class_named[last]) for f in files if last in f.class_named]
        return self._classes[last]

    def class_of(self, place: Place) -> tuple[FileFacts, ClassFacts] | None:
        """Return the class of a method."""
        facts, name = self.code.get(place.path), place.function.class_name
        if facts is None or not name:
            return None
        owner = facts.classes_by_path.get(name)
        return (facts, owner) if owner is not None else None

    def methods(self, facts: FileFacts, owner: ClassFacts) -> list[Place]:
        """Return the methods that a class has itself."""
        return [Place(facts.path, one) for one in facts.by_class.get(owner.qualified_name, ())]

    def bases(self, owner: ClassFacts, depth: int = 3) -> Iterator[tuple[FileFacts, ClassFacts]]:
        """Yield the classes above a class, nearest first."""
        seen = {owner.qualified_name}
        level = [owner]
        for _ in range(depth):
            above = [
                found
                for one in level
                for base in one.bases[:8]
                for found in self.classes_named(base)
                if found[1].qualified_name not in seen
            ]
            seen.update(one.qualified_name for _, one in above)
            yield from above
            level = [one for _, one in above]

    def heirs(self, owner: ClassFacts) -> Iterator[tuple[FileFacts, ClassFacts]]:
        """Yield the classes right below a class."""
        for facts in self.code.values():
            for one in facts.heirs_of.get(owner.name, ()):
                yield facts, one

    def called(self, caller: Place, call: Call | Access) -> Sequence[Place]:
        """Return the functions that a call (or the read of an attribute) in a function may reach."""
        receiver, name = call.receiver, call.name
        if receiver is None:
            return self._plain(caller, name)
        root = receiver.partition(".")[0]
        if receiver in OWN or receiver.startswith("super"):
            found = self._own(caller, name, above=receiver.startswith("super"))
            if found:
                return found
        if root not in OWN:
            facts = self.code[caller.path]
            module = facts.taken_from.get(root, root)
            stem = module.rpartition(".")[2]
            inside = [
                Place(path, one)
                for each in dict.fromkeys((root, stem))
                for path, other in self._modules.get(each, ())
                for one in other.by_name.get(name, ())
            ]
            if inside:
                return inside
            for owning, owner in self.classes_named(receiver.rpartition(".")[2].removesuffix("()")):
                found = [one for one in self.methods(owning, owner) if one.function.name == name]
                if found:
                    return found
        anywhere = [one for one in self.named(name) if one.function.class_name]
        return anywhere if len(anywhere) <= COMMON else ()

    def _plain(self, caller: Place, name: str) -> Sequence[Place]:
        """Find a plain name: nested here, in this file, a class to be made, imported."""
        facts = self.code[caller.path]
        here = [
            one
            for one in facts.by_name.get(name, ())
            if not one.class_name or one.class_name == caller.function.class_name
        ]
        if here:
            return [Place(facts.path, one) for one in here]
        for owning, owner in self.classes_named(name):
            makers = [
                one
                for one in self.methods(owning, owner)
                if one.function.name in ("__init__", "__new__", "constructor", name)
            ]
            if makers:
                return makers
        others = [one for one in self.named(name) if not one.function.class_name]
        return others if len(others) <= COMMON else ()

    def _own(self, caller: Place, name: str, *, above: bool) -> list[Place]:
        """Find a method through the class of the caller and those above; where none has it, below."""
        found = self.class_of(caller)
        if found is None:
            return []
        chain = [] if above else [found]
        for facts, owner in [*chain, *self.bases(found[1])]:
            here = [one for one in self.methods(facts, owner) if one.function.name == name]
            if here:
                return here
        return [
            one
            for facts, owner in self.heirs(found[1])
            for one in self.methods(facts, owner)
            if one.function.name == name
        ]


def stand_in(frame: CrashFrame) -> FunctionFacts:
    """Return what is known of a function from its frame alone: a module's own code, an unread language."""
    line = max(frame.line or 1, 1)
    name = last_name(frame.function) or "<module>"
    return FunctionFacts(frame.function or name, name, None, line, line)


def _fits(one: FunctionFacts, shown: frozenset[str]) -> int:
    """Count the names of the line that was shown that a function calls, reads or takes."""
    if not shown:
        return 0
    names = {call.name for call in one.calls} | {access.name for access in one.attributes}
    return len(shown & (names | set(one.parameters) | set(one.stores) | set(one.raises)))


def _far(one: FunctionFacts, frame: CrashFrame) -> int:
    line = frame.line or 0
    return min(abs(one.start_line - line), abs(one.end_line - line)) if line else one.start_line
