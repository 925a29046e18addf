"""Secrets in the source, and the masking that keeps them from going anywhere else.

No clear value leaves this module: messages and metadata have the first four characters and the length.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from hefesto_api.analyzers import secret_tokens, secret_values
from hefesto_api.analyzers.catalogue import RULES, detection
from hefesto_api.domain.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hefesto_api.analyzers.base import ParsedFile
    from hefesto_api.analyzers.secret_tokens import Secret
    from hefesto_api.domain.finding import Detection

NAME: Final = "secrets"
MAX_DETECTIONS: Final = 200  # in one file: a dump, and masked throughout

_PROSE: Final = (".md", ".rst", ".txt", ".adoc", ".html", ".htm", ".po", ".pot", ".ipynb", ".svg")
_TEMPLATES: Final = (".example", ".sample", ".template", ".dist", ".tmpl")


class SecretCheck(NamedTuple):
    """Looks for secrets in every kind of text; holds nothing."""

    name: str = NAME
    languages: frozenset[str] = frozenset()

    def check(self, file: ParsedFile) -> Iterable[Detection]:
        """Yield a detection for each secret, with nothing of its value but what `shown` shows."""
        data = _data(file)
        found = _reportable(data, file)
        return [_detection(data, secret, file) for secret in found[:MAX_DETECTIONS]]


SECRETS: Final = SecretCheck()


def shown(value: str) -> str:
    """Return what may be shown of a secret: of a long one its first four characters, and its length."""
    return f"{value[:4] if len(value) >= 16 else ''}***[{len(value)}]"


def mask(text: str) -> str:
    """Return a text with everything masked that is a secret or stands where one would.

    Masks more than is reported (any value of a password, the rest of a token that was cut off): here a
    mistake costs a word, there it would cost a secret. Line ends stay where they are.
    """
    data = text.encode("utf-8", "surrogatepass")
    spans = [(secret.start, secret.end) for secret in secret_tokens.find(data)]
    spans += secret_tokens.find_cut(data)
    spans += secret_values.find_any(data)
    return _masked(data, spans).decode("utf-8", "surrogatepass") if spans else text


def masked_lines(file: ParsedFile) -> list[str]:
    """Return a file's lines with every secret masked, seen with all that stands around it.

    The safe source for what is shown of a file: a piece cut from a key's middle cannot be recognised alone.
    """
    data = _data(file)
    spans = [(secret.start, secret.end) for secret in _tokens(data)]
    spans += secret_values.find_any(data)
    return (
        _masked(data, spans).decode("utf-8", "replace").split("\n")[: len(file.lines)]
        if spans
        else file.lines
    )


def _data(file: ParsedFile) -> bytes:
    """The text as bytes, with the line ends by which its lines are counted."""
    if b"\r" in file.content or file.content[:3] == b"\xef\xbb\xbf":
        return "\n".join(file.lines).encode("utf-8", "surrogatepass")
    return file.content


@lru_cache(maxsize=1)  # a file's are asked for to report them, and again to mask them
def _tokens(data: bytes) -> tuple[Secret, ...]:
    return tuple(secret_tokens.find(data))


def _reportable(data: bytes, file: ParsedFile) -> list[Secret]:
    """Return the secrets worth a report, by place; what has its own form wins over what is only assigned."""
    prose = file.path.lower().endswith((*_PROSE, *_TEMPLATES))
    found = list(_tokens(data))
    if not prose:
        found += secret_values.find_addresses(data)
        found += secret_values.find(data, configuration=file.language == "text")
    best: list[Secret] = []
    for secret in sorted(found, key=lambda s: (s.start, s.rule_id == secret_values.ASSIGNED, -s.end)):
        if not best or secret.start >= best[-1].end:
            best.append(secret)
        elif best[-1].rule_id == secret_values.ASSIGNED != secret.rule_id:
            best[-1] = secret
    return best


def _detection(data: bytes, secret: Secret, file: ParsedFile) -> Detection:
    place = secret.start if secret.place < 0 else secret.place
    line = data.count(b"\n", 0, place) + 1
    start = data.rfind(b"\n", 0, place) + 1
    value = data[secret.start : secret.end].decode("utf-8", "replace")
    rule = RULES[secret.rule_id]
    severity = Severity(secret.severity or rule.severity)
    metadata = {"kind": secret.kind, "secret": shown(value)}
    if file.path.lower().endswith((*_PROSE, *_TEMPLATES)):
        metadata["context"] = "documentation"
    if secret.weak or "context" in metadata:
        severity = min(severity, Severity.MEDIUM, key=lambda s: s.rank)
    return detection(
        secret.rule_id,
        tool=NAME,
        line=line,
        end_line=data.count(b"\n", 0, secret.end) + 1,
        column=len(data[start:place].decode("utf-8", "replace")) + 1,
        message=f"{secret.kind[0].upper()}{secret.kind[1:]} written into the source: {shown(value)}.",
        severity=severity,
        confidence=round(rule.confidence * (0.6 if secret.weak else 1.0), 2),
        metadata=metadata,
    )


def _masked(data: bytes, spans: Iterable[tuple[int, int]]) -> bytes:
    parts: list[bytes] = []
    position = 0
    for start, end in _united(spans):
        parts.append(data[position:start])
        rows = data[start:end].split(b"\n")
        parts.append(b"\n".join(_shown(row) for row in rows))
        position = end
    parts.append(data[position:])
    return b"".join(parts)


def _shown(row: bytes) -> bytes:
    if not row.strip() or row.startswith(b"***[") or b"***[" in row[:8]:
        return row if len(row) < 16 else shown(row.decode("utf-8", "replace")).encode()
    return shown(row.decode("utf-8", "replace")).encode()


def _united(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    united: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if end <= start:
            continue
        if united and start <= united[-1][1]:
            united[-1] = (united[-1][0], max(end, united[-1][1]))
        else:
            united.append((start, end))
    return united
