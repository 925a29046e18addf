"""Names in a message that few files of a project have: they lead to code that is not in the trace."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from hefesto_api.domain.correlation import message
from hefesto_api.domain.correlation.names import words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from hefesto_api.domain.code import ClassFacts, FileFacts, FunctionFacts
    from hefesto_api.domain.correlation.message import Told

MOST_NAMES: Final = 8  # each is a search of the whole project
FEW_FILES: Final = 4  # a name in more of them points nowhere
MOST_FILES: Final = 6
FEW_USERS: Final = 6  # functions and classes; likewise
SHORTEST: Final = 4
# As names of code are written, and words of prose are not: two_parts, TwoParts, CAPITALS.
OF_CODE = re.compile(r"[A-Za-z0-9]_[A-Za-z0-9]|[a-z][A-Z]|^[A-Z]{3,}$")
IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
TESTS = re.compile(r"(^|/)(tests?|testing|spec|__tests__|test_[^/]*|[^/]*_test\.[a-z]+|conftest\.py)(/|$)")
NAMING: Final = frozenset({message.KEY, message.ATTRIBUTE, message.NAME, message.ARGUMENTS, message.IMPORT})


def sought(told: Told) -> tuple[str, ...]:
    """Return the names in a message that are worth a search of the project, the surest first."""
    sure = [name for name in (told.member, told.owner, *sorted(told.called)) if name]
    if told.kind in NAMING:
        sure += [one for one in told.keys if IDENTIFIER.fullmatch(one)]
    written = sorted(one for one in told.words if OF_CODE.search(one))
    names = (one for one in (*sure, *written) if len(one) >= SHORTEST and IDENTIFIER.fullmatch(one))
    wanted = (one for one in names if not (one.startswith("__") and one.endswith("__")))
    return tuple(dict.fromkeys(one for one in wanted if one.lower() not in message.PLAIN))[:MOST_NAMES]


def files_naming(told: Told, find: Callable[[str], Iterable[str]]) -> Iterator[str]:
    """Yield the files, other than tests, that have a name of the message which few files have."""
    given = 0
    for name in sought(told):
        found = [path for path in find(name) if not TESTS.search(path.lower())]
        if len(found) > FEW_FILES:
            continue
        for path in found:
            if given == MOST_FILES:
                return
            given += 1
            yield path


def users(told: Told, code: Iterable[FileFacts]) -> Iterator[tuple[FileFacts, FunctionFacts, int, bool]]:
    """Yield the functions that use a name of the message which few use, and how many those are.

    The methods of a class whose body has the name come with False: they do not use it themselves.
    """
    files = tuple(code)
    for name in sought(told):
        having = [facts for facts in files if name in _words(facts)]
        functions = [
            (facts, one) for facts in having for one in facts.functions if name in words_of(facts, one)
        ]
        classes = [(facts, one) for facts in having for one in facts.classes if name in _body(one)]
        count = len(functions) + len(classes)
        if count > FEW_USERS:
            continue
        for facts, one in functions:
            yield facts, one, count, True
        for facts, owner in classes:
            for one in facts.by_class.get(owner.qualified_name, ()):
                yield facts, one, 1, False


def _words(facts: FileFacts) -> frozenset[str]:
    """Return all names in the functions and class bodies of a file, kept with it."""
    found: frozenset[str] | None = facts.__dict__.get("_words")
    if found is None:
        functions = (words_of(facts, one) for one in facts.functions)
        found = facts.__dict__["_words"] = frozenset().union(*functions, *map(_body, facts.classes))
    return found


def _body(owner: ClassFacts) -> frozenset[str]:
    """Return the names that the body of a class sets, and those in its texts."""
    return frozenset(
        (*owner.attributes, *(word for text in owner.texts for word in message.WORD.findall(text)))
    )
