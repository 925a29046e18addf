"""From a crash to the function at fault: candidates, what speaks for and against each, probabilities.

`wanted_paths` tells whose facts are needed, `gather` collects them, `rank` answers. All of it is pure.
"""

from hefesto_api.domain.correlation.model import (
    Change,
    CommitSuspect,
    Crash,
    CrashFrame,
    Evidence,
    FindingMatch,
    Incident,
    KnownFinding,
    Learned,
    Ranking,
    Suspect,
    Tally,
)
from hefesto_api.domain.correlation.ranking import rank
from hefesto_api.domain.correlation.wanted import gather, wanted_paths

__all__ = [
    "Change",
    "CommitSuspect",
    "Crash",
    "CrashFrame",
    "Evidence",
    "FindingMatch",
    "Incident",
    "KnownFinding",
    "Learned",
    "Ranking",
    "Suspect",
    "Tally",
    "gather",
    "rank",
    "wanted_paths",
]
