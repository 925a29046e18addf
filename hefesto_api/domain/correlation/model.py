"""What goes into a correlation and what comes out of it."""

from datetime import datetime

from msgspec import Struct, field

MODEL_VERSION = "3"


class CrashFrame(Struct, frozen=True, kw_only=True):
    """A frame of a crash, found in the project or not.

    `file`, `line` and `function` are as printed; `project_path` is the project's file, `in_app` whether
    there is one. `candidates` are the files it may be where that could not be decided.
    """

    file: str | None = None
    line: int | None = None
    function: str | None = None
    in_app: bool = False
    project_path: str | None = None
    code: str | None = None
    module: str | None = None
    candidates: tuple[str, ...] = ()


class Crash(Struct, frozen=True, kw_only=True):
    """An exception with its frames, outermost first, the crash last; `causes` are nearest first.

    `relation` is what a cause is to what came of it: `cause`, `context` when that happened while this one was
    being handled, `suppressed`, or `member` of a group.
    """

    error_type: str | None = None
    error_message: str | None = None
    frames: tuple[CrashFrame, ...] = ()
    causes: "tuple[Crash, ...]" = ()
    relation: str | None = None


class Change(Struct, frozen=True, kw_only=True):
    """A commit's touch of one function (`function_name`, qualified) or, with None, of a file.

    `is_deployed` tells whether the running revision contains it (None: unknown); `is_new` that it came
    between the revision that ran before and this one.
    """

    commit_hash: str
    path: str
    author: str = ""
    timestamp: datetime | None = None
    message: str = ""
    function_name: str | None = None
    is_deployed: bool | None = None
    is_new: bool = False


class KnownFinding(Struct, frozen=True, kw_only=True):
    """A finding of the analyses; `type` is the rule's slug, `function_name` qualified."""

    id: str
    path: str
    line: int
    rule_id: str = ""
    type: str = ""
    analyzer: str = ""
    severity: str = "MEDIUM"
    end_line: int = 0
    function_name: str | None = None
    status: str = "open"
    confidence: float = 0.5
    description: str = ""


class Incident(Struct, frozen=True, kw_only=True):
    """A former alert in a function; `confirmed` is what a person said of that answer, None if nobody did."""

    path: str
    function_name: str
    error_type: str | None = None
    confirmed: bool | None = None
    timestamp: datetime | None = None


class Tally(Struct, frozen=True, array_like=True):
    """How often something that was held to be right was confirmed, and how often rejected."""

    confirmed: int = 0
    rejected: int = 0


class Learned(Struct, frozen=True, kw_only=True):
    """What feedback has taught: counts by feature (`signals`) and by `rule type|error type` (`rules`).

    The project's own counts are kept beside everybody's and weigh more.
    """

    signals: dict[str, Tally] = field(default_factory=dict)
    rules: dict[str, Tally] = field(default_factory=dict)
    project_signals: dict[str, Tally] = field(default_factory=dict)
    project_rules: dict[str, Tally] = field(default_factory=dict)


class Evidence(Struct, frozen=True):
    """One reason for or against: its name, what was seen, and what it adds to the logarithm of the odds."""

    feature: str
    value: str | float | bool | None
    contribution: float


class Suspect(Struct, frozen=True):
    """A function that may be at fault; `line_number` is where to look first."""

    file_path: str
    function_name: str
    line_number: int
    probability: float
    evidence: tuple[Evidence, ...] = ()


class FindingMatch(Struct, frozen=True):
    """A known finding whose rule fits the error."""

    finding_id: str
    match_reason: str
    match_confidence: float
    evidence: tuple[Evidence, ...] = ()


class CommitSuspect(Struct, frozen=True):
    """A commit that may have brought the fault."""

    commit_hash: str
    author: str
    timestamp: datetime | None
    message: str
    score: float


class Ranking(Struct, frozen=True, kw_only=True):
    """The answer: suspects, best first; their probabilities and `none_probability` sum to one.

    `none_probability` is that of "none of these": the candidates that were not worth listing are in it.
    """

    suspects: tuple[Suspect, ...] = ()
    findings: tuple[FindingMatch, ...] = ()
    commits: tuple[CommitSuspect, ...] = ()
    none_probability: float = 1.0
    root_cause: str | None = None
    related_files: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    model_version: str = MODEL_VERSION
