"""What is known beside the code of a crash, findings and changes: kept while the database says the same."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from hefesto_api.analyzers import catalogue
from hefesto_api.domain.correlation.rules import FITS
from hefesto_api.features.iris import evidence
from hefesto_api.features.iris.changing import SIZE as SIZE_OF_CHANGE
from hefesto_api.storage import correlation_inputs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hefesto_api.adapters.memory import Memory
    from hefesto_api.domain.correlation import Change, KnownFinding, Learned
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.correlation_inputs import NearFinding

SIZE_OF_FINDING = 1_500  # bytes that one takes in memory, as it is stored and as it is weighed
SMALLEST = 500


class Near(NamedTuple):
    """The findings in the files of a crash whose rules can explain an error: by their ids, and as weighed."""

    by_id: Mapping[str, NearFinding]
    known: list[KnownFinding]


def findings_near(
    session: Session, memory: Memory, project_id: str, paths: Sequence[str], learned: Learned
) -> Near:
    """Return the findings that may explain a crash in some files.

    Kept under what the database calls the state of the project's findings: a look at it costs a fraction.
    """
    asked, rules = tuple(paths), _rules_of(learned)
    place = ("near", project_id, correlation_inputs.findings_state(session, project_id), rules, asked)
    found: Near | None = memory.get(place)
    if found is None:
        rows = correlation_inputs.findings_in(session, project_id, asked, rules)
        found = Near({one.id: one for one in rows}, [evidence.known(one) for one in rows])
        memory.keep(place, found, SMALLEST + 8 * len(asked) + SIZE_OF_FINDING * len(rows))
    return found


def keep_changes(memory: Memory, place: tuple[object, ...], changes: list[Change]) -> None:
    """Keep the changes of a crash's functions."""
    memory.keep(place, changes, SMALLEST + SIZE_OF_CHANGE * len(changes))


def _rules_of(learned: Learned) -> frozenset[str]:
    more = frozenset(key.partition("|")[0] for key in (*learned.rules, *learned.project_rules))
    return _telling_rules(more)


@lru_cache(maxsize=64)  # the set is part of places in memory: all share one
def _telling_rules(more: frozenset[str]) -> frozenset[str]:
    """Return the ids of the rules whose findings can explain an error, and their slugs, and some more."""
    return frozenset(one.id for one in catalogue.RULES.values() if one.slug in FITS) | frozenset(FITS) | more
