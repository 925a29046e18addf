"""The senders' words in ours: severities, states, and errors told in one line."""

from hefesto_api.domain.alert import AlertState
from hefesto_api.domain.finding import Severity

_SEVERITIES = {
    Severity.CRITICAL: "critical fatal emergency emerg page disaster crit panic blocker p0 p1 sev0 sev1 s1",
    Severity.HIGH: "high error err major severe urgent p2 sev2 s2",
    Severity.MEDIUM: "medium warning warn moderate average p3 sev3 s3",
    Severity.LOW: "low info information notice minor debug trace none ok sample p4 p5 sev4 sev5 s4",
}
_BY_WORD = {word: severity for severity, words in _SEVERITIES.items() for word in words.split()}
_OVER = frozenset(
    ("resolved", "resolve", "ok", "closed", "close", "recovered", "recovery", "normal", "fixed", "inactive")
)
_ERROR_ENDINGS = (
    "Error",
    "Exception",
    "Fault",
    "Failure",
    "Panic",
    "Warning",
    "Interrupt",
    "Throwable",
    "panic",
)
_IN_NAMES = frozenset(".$_:\\/-")


def severity_of(word: str | None, otherwise: Severity = Severity.MEDIUM) -> Severity:
    """Return our severity for a tool's word, in any case; `otherwise` for one we do not know."""
    return _BY_WORD.get(word.strip().lower(), otherwise) if word else otherwise


def state_of(word: str | None) -> AlertState:
    """Return resolved for a word that says so, else firing: silence is never good news."""
    return AlertState.RESOLVED if word and word.strip().lower() in _OVER else AlertState.FIRING


def split_error(line: str | None) -> tuple[str | None, str | None]:
    """Split `KeyError: 'uid'` into the type and the message; a line that names no type is a message."""
    if not line:
        return None, None
    name, colon, message = line.partition(": ")
    if _is_type(name.strip()):
        return name.strip(), (message.strip() or None) if colon else None
    return None, line


def _is_type(name: str) -> bool:
    short = len(name) <= 200 and name.endswith(_ERROR_ENDINGS)
    return short and all(letter.isalnum() or letter in _IN_NAMES for letter in name)
