"""Who may do what: scopes, the roles that bundle them, tiers, and the one who calls."""

from __future__ import annotations

from types import MappingProxyType

from msgspec import Struct

SCOPES = MappingProxyType(
    {
        "read:analysis": "See analyses",
        "write:analysis": "Start analyses and import results",
        "read:findings": "See findings",
        "write:findings": "Change findings",
        "read:alerts": "See alerts",
        "write:alerts": "Send and change alerts",
        "read:metrics": "See metrics",
        "read:config": "See the configuration",
        "manage:webhooks": "Manage webhooks",
        "manage:projects": "Manage projects",
        "admin": "All of it",
    }
)
ALL_SCOPES = frozenset(SCOPES)

_READS = frozenset(scope for scope in SCOPES if scope.startswith("read:"))
_DEVELOPS = _READS | {"write:analysis", "write:findings", "write:alerts"}
ROLES = MappingProxyType(
    {
        "viewer": _READS,
        "developer": _DEVELOPS,
        "operator": _DEVELOPS | {"manage:webhooks", "manage:projects"},
        "admin": ALL_SCOPES,
    }
)
TIERS = ("free", "pro", "enterprise")


class Principal(Struct, frozen=True):
    """Who calls.

    `name` is what history and audit tell; `projects` is None for all of them. `kind` is anonymous, key
    (an API key), user, client (of OAuth) or system (the command line, a schedule); `credential` names what
    was shown, for limits, usage and audit: the key's id, the session's, the client's. Who `must_sign` is not
    let in by that alone: each of his requests is signed as well.
    """

    id: str
    name: str
    scopes: frozenset[str]
    projects: frozenset[str] | None = None
    kind: str = "anonymous"
    tier: str = "free"
    credential: str = ""
    must_sign: bool = False

    def has(self, scope: str) -> bool:
        """Tell whether a scope is held; `admin` holds all."""
        return scope in self.scopes or "admin" in self.scopes


ANONYMOUS = Principal("anonymous", "anonymous", ALL_SCOPES)
"""Who calls in open mode: somebody who may do everything."""
STRANGER = Principal("anonymous", "anonymous", frozenset())
"""Who calls without credentials where they are required."""
