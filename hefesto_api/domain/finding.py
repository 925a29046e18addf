"""The words for what analysis finds: severities, groups, detections, findings' states."""

from enum import StrEnum
from typing import Any

from msgspec import Struct, field


class Severity(StrEnum):
    """How bad it is, from least to worst."""

    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"
    CRITICAL = "CRITICAL"

    @property
    def rank(self) -> int:
        """1 for LOW to 4 for CRITICAL, so that severities compare."""
        return _RANKS[self]

    @classmethod
    def at_least(cls, minimum: "Severity") -> "list[Severity]":
        """Return the severities that reach `minimum`, worst first."""
        return [severity for severity in reversed(cls) if severity.rank >= minimum.rank]


_RANKS = {severity: rank for rank, severity in enumerate(Severity, start=1)}


class Group(StrEnum):
    """The four analyzer groups that every rule belongs to."""

    COMPLEXITY = "complexity"
    SECURITY = "security"
    CODE_SMELLS = "code_smells"
    BEST_PRACTICES = "best_practices"


class Status(StrEnum):
    """The states of a kept finding."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    IGNORED = "ignored"
    WONTFIX = "wontfix"


class Suppression(Struct, frozen=True, omit_defaults=True):
    """A comment in the source that asks not to report: recorded, never obeyed in silence."""

    kind: str  # hefesto | noqa | nosec
    line: int
    justification: str = ""


class Detection(Struct, frozen=True, omit_defaults=True):
    """What one rule saw at one place of one file, before it is known whether it was seen before.

    Lines and columns count from 1; columns count characters; `end_column` is one past the last.
    `line_text` is the first line as it stands (at most 500 characters, secrets masked), `snippet` the
    lines around it; `symbol` is the qualified name of the enclosing function (or class).
    """

    rule_id: str
    analyzer: Group
    tool: str
    severity: Severity
    confidence: float
    line: int
    message: str
    column: int = 1
    end_line: int = 0
    end_column: int = 0
    line_text: str = ""
    snippet: str = ""
    recommendation: str = ""
    cwe: tuple[int, ...] = ()
    symbol: str | None = None
    class_name: str | None = None
    suppression: Suppression | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
