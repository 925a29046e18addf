"""Names that a crash and a function have in common: those of the message, those of what crashed."""

from __future__ import annotations

from collections import Counter
from math import log
from typing import TYPE_CHECKING, Final

from hefesto_api.domain.correlation import message

LONGEST: Final = 60
SHORTEST: Final = 4  # letters of a name that another may be mistaken for

if TYPE_CHECKING:
    from hefesto_api.domain.code import FileFacts, FunctionFacts
    from hefesto_api.domain.correlation.candidates import Candidate, Scene


def rarity(scene: Scene) -> dict[str, float]:
    """Return how telling each name of the message, and each part of one, is: less so the more have it."""
    told = scene.told
    wanted = told.words | told.parts
    if not wanted:
        return {}
    counts: dict[str, int] = {}
    for one in scene.found.values():
        for word in wanted & vocabulary(scene, one):
            counts[word] = counts.get(word, 0) + 1
    everyone = max(len(scene.found), 1)
    return {
        word: log((everyone + 1) / (count + 0.5)) * (1.0 if word in told.words else 0.5)
        for word, count in counts.items()
    }


def words_shared(scene: Scene, one: Candidate, weights: dict[str, float]) -> float:
    """Return the share of the message's telling words that stand in a function, 0 to 1."""
    if not weights:
        return 0.0
    have = sum(weights[word] for word in weights.keys() & vocabulary(scene, one))
    return max(have, 0.0) / max(sum(weights.values()), 4.0)


def vocabulary(scene: Scene, one: Candidate) -> frozenset[str]:
    """Return the names in a candidate and what its own name is made of."""
    return words_of(scene.program.code[one.place.path], one.place.function)


def words_of(facts: FileFacts, function: FunctionFacts) -> frozenset[str]:
    """Return the names in a function of a file and what its own name is made of, kept with the file."""
    kept: dict[int, frozenset[str]] = facts.__dict__.setdefault("_vocabulary", {})
    found = kept.get(id(function))
    if found is None:
        words = {function.name, *function.parameters, *function.stores, *function.raises}
        words.update(call.name for call in function.calls)
        words.update(given for call in function.calls for given in call.arguments if given)
        words.update(access.name for access in function.attributes)
        for text in function.texts:
            words.update(word for word in message.WORD.findall(text) if not word.islower() or "_" in word)
        words.update(function.qualified_name.split("."))
        words.update(message.subwords(function.qualified_name))
        found = kept[id(function)] = frozenset(words)
    return found


def mentioned(scene: Scene, one: Candidate) -> frozenset[str]:
    """Return the attributes, items, calls and short texts that stand in a function, kept with its file."""
    facts = scene.program.code[one.place.path]
    kept: dict[int, frozenset[str]] = facts.__dict__.setdefault("_mentioned", {})
    function = one.place.function
    found = kept.get(id(function))
    if found is None:
        names = {*function.stores, *(text for text in function.texts if len(text) <= LONGEST)}
        names.update(call.name for call in function.calls)
        names.update(access.name for access in function.attributes)
        names.update(access.name.strip("'\"") for access in function.subscripts)
        found = kept[id(function)] = frozenset(names)
    return found


def misspelt(scene: Scene, name: str) -> tuple[bool, set[Candidate]]:
    """Tell whether one candidate alone uses a missing name, and who alone sets something called almost so."""
    near: dict[Candidate, set[str]] = {}
    for one in scene.found.values():
        function = one.place.function
        given = {*function.stores, *(function.texts if scene.told.kind == message.KEY else ())}
        if name not in function.stores and (alike := {other for other in given if is_almost(other, name)}):
            near[one] = alike
    wanted = {name}.union(*near.values())
    users = Counter(other for one in scene.found.values() for other in wanted & mentioned(scene, one))
    almost = {one for one, alike in near.items() if any(users[other] == 1 for other in alike)}
    return users[name] == 1 and not almost, almost


def is_almost(one: str, other: str) -> bool:
    """Tell whether two names of some length are one but for a letter, case or underscores."""
    if one == other or abs(len(one) - len(other)) > 2 or min(len(one), len(other)) < SHORTEST:
        return False
    if one.strip("_").lower() == other.strip("_").lower():
        return True
    short, long = sorted((one, other), key=len)
    same = next((at for at, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    if len(short) == len(long):
        return short[same + 1 :] == long[same + 1 :]
    return short[same:] == long[same + 1 :]


def likeness(one: Candidate, other: Candidate | None) -> float:
    """Return the share of the parts of two functions' names that they have in common."""
    if other is None or one is other:
        return 0.0
    mine, theirs = (
        set(message.subwords(one.place.function.name)),
        set(message.subwords(other.place.function.name)),
    )
    return len(mine & theirs) / len(mine | theirs) if mine & theirs else 0.0
