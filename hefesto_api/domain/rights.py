"""Handing rights on: nobody gives more than he has."""

from __future__ import annotations

from collections.abc import Collection

from hefesto_api.domain.access import ROLES, TIERS, Principal


def shared(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    """Return the projects that are in both; None stands for all."""
    if one is None or other is None:
        return other if one is None else one
    return one & other


def within(projects: Collection[str] | None, others: Collection[str] | None) -> bool:
    """Tell whether projects are all among others; None stands for all."""
    return others is None or (projects is not None and set(projects) <= set(others))


def all_of(role: str | None, scopes: Collection[str]) -> frozenset[str]:
    """Return what a role and single scopes allow together; `admin` is all of it."""
    found = ROLES.get(role or "", frozenset()).union(scopes)
    return ROLES["admin"] if "admin" in found else found


def governs(caller: Principal) -> bool:
    """Tell whether somebody decides about the whole installation: an admin who is bound to no project."""
    return caller.has("admin") and caller.projects is None


def excess(
    giver: Principal, scopes: Collection[str], projects: Collection[str] | None, tier: str
) -> str | None:
    """Return what somebody would give without having it, in words; None when it is his to give.

    Who governs the installation may give every tier.
    """
    more = sorted(scope for scope in scopes if not giver.has(scope))
    if more:
        return f"the scopes {', '.join(more)}"
    if not within(projects, giver.projects):
        return "projects that are not yours"
    if not governs(giver) and TIERS.index(tier) > TIERS.index(giver.tier):
        return f"the tier {tier}"
    return None
