"""Secrets that show by their own form: tokens of known issuers, signed tokens, private keys.

All patterns run over bytes and are linear: each begins at the edge of a word, classes are taken possessively,
and nothing repeated is repeated again. The long patterns run only around words of twenty characters with a
digit, which plain code hardly has; finding those costs one `translate` and one `find`.
"""

from __future__ import annotations

import base64
import binascii
import re
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from hefesto_api.analyzers.needles import Needles

if TYPE_CHECKING:
    from collections.abc import Iterator


class Secret(NamedTuple):
    """A secret's place in a text, as byte offsets of what has to be masked.

    `weak` is a reason to believe it less (a made-up looking value), `severity` overrides the rule's, `place`
    is where to report it when that is not where it starts.
    """

    start: int
    end: int
    rule_id: str
    kind: str
    weak: bool = False
    severity: str = ""
    place: int = -1


class _Form(NamedTuple):
    """A token: fixed beginning, then `least` to `most` characters of a class."""

    rule_id: str
    kind: str
    prefix: str
    body: str
    least: int
    most: int | None = None
    severity: str = ""


_WORD: Final = "A-Za-z0-9_-"
_ALNUM: Final = "A-Za-z0-9"
_HEX: Final = "a-f0-9"
_SERVICE: Final = "HEF-SEC-SERVICE-TOKEN"
_REGISTRY: Final = "HEF-SEC-REGISTRY-TOKEN"
_AI: Final = "HEF-SEC-AI-KEY"

_FORMS: Final = (
    _Form("HEF-SEC-AWS-KEY", "AWS access key id", "(?:AKIA|ASIA|ABIA|ACCA)", "A-Z0-9", 16, 16),
    _Form("HEF-SEC-GITHUB-TOKEN", "GitHub token", "gh[pousr]_", _ALNUM, 36),
    _Form("HEF-SEC-GITHUB-TOKEN", "GitHub fine-grained token", "github_pat_", "A-Za-z0-9_", 60),
    _Form(
        "HEF-SEC-GITLAB-TOKEN", "GitLab token", "gl(?:pat|dt|rt|ptt|cbt|ft|imt|agent|oas|soat)-", _WORD, 20
    ),
    _Form("HEF-SEC-SLACK-TOKEN", "Slack token", "xox[abeprs]-", "A-Za-z0-9-", 20),
    _Form("HEF-SEC-SLACK-TOKEN", "Slack app token", "xapp-", "A-Za-z0-9-", 30),
    _Form(
        "HEF-SEC-SLACK-TOKEN", "Slack webhook", r"hooks\.slack\.com/(?:services|workflows)/", "A-Za-z0-9/", 40
    ),
    _Form("HEF-SEC-STRIPE-KEY", "Stripe live key", "[sr]k_live_", _ALNUM, 16),
    _Form("HEF-SEC-STRIPE-KEY", "Stripe test key", "[sr]k_test_", _ALNUM, 16, None, "LOW"),
    _Form("HEF-SEC-STRIPE-KEY", "webhook signing secret", "whsec_", "A-Za-z0-9+/", 32),
    _Form("HEF-SEC-GOOGLE-KEY", "Google API key", "AIza", _WORD, 35, 35),
    _Form("HEF-SEC-GOOGLE-KEY", "Google OAuth client secret", "GOCSPX-", _WORD, 28, 28),
    _Form("HEF-SEC-GOOGLE-KEY", "Google OAuth access token", r"ya29\.", _WORD, 30),
    _Form(_AI, "Anthropic API key", "sk-ant-", _WORD, 40),
    _Form(_AI, "OpenAI API key", "sk-(?:proj|svcacct|admin|None)-", _WORD, 40),
    _Form(_AI, "OpenAI API key", "sk-[A-Za-z0-9]{20}T3BlbkFJ", _ALNUM, 20, 20),
    _Form(_AI, "Hugging Face token", "hf_", "A-Za-z", 34, 34),
    _Form(_REGISTRY, "npm token", "npm_", _ALNUM, 36, 36),
    _Form(_REGISTRY, "PyPI token", "pypi-AgE", _WORD, 50),
    _Form(_REGISTRY, "Docker Hub token", "dckr_(?:pat|oat)_", _WORD, 27),
    _Form(_REGISTRY, "RubyGems token", "rubygems_", _HEX, 48, 48),
    _Form(_SERVICE, "SendGrid API key", r"SG\.", r"A-Za-z0-9_.-", 66, 66),
    _Form(_SERVICE, "DigitalOcean token", "do[opr]_v1_", _HEX, 64, 64),
    _Form(_SERVICE, "Shopify token", "shp(?:at|ca|pa|ss)_", "a-fA-F0-9", 32, 32),
    _Form(_SERVICE, "Databricks token", "dapi", _HEX, 32, 32),
    _Form(_SERVICE, "Vault token", r"hv[sb]\.", _WORD, 24),
    _Form(_SERVICE, "Grafana token", "gls?[ac]_", "A-Za-z0-9_", 32),
    _Form(_SERVICE, "New Relic key", "NRAK-", "A-Z0-9", 27, 27),
    _Form(_SERVICE, "Linear API key", "lin_api_", _ALNUM, 40, 40),
    _Form(_SERVICE, "Atlassian token", "ATATT3", "A-Za-z0-9_=-", 100),
    _Form(_SERVICE, "Telegram bot token", "[0-9]{8,10}:AA", _WORD, 33, 33),
    _Form(_SERVICE, "Discord webhook", r"discord(?:app)?\.com/api/webhooks/[0-9]{17,20}/", _WORD, 60),
    _Form(_SERVICE, "Azure storage key", "AccountKey=", "A-Za-z0-9+/", 86, 86),
    _Form(_SERVICE, "age secret key", "AGE-SECRET-KEY-1", "A-Z0-9", 58, 58),
)


def _pattern(form: _Form, least: int) -> str:
    most = "" if least < form.least or form.most is None else form.most
    edge = f"(?![{form.body}])" if form.most is not None and least == form.least else ""
    return f"({form.prefix}[{form.body}]{{{least},{most}}}+{edge})"


_BEFORE: Final = "(?<![A-Za-z0-9_-])(?:"
_STRICT: Final = re.compile((_BEFORE + "|".join(_pattern(f, f.least) for f in _FORMS) + ")").encode())
_JWT: Final = re.compile(
    rb"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{10,}+\.eyJ[A-Za-z0-9_-]{4,}+(?:\.[A-Za-z0-9_-]{4,}+)?"
)
_KEY_BEGIN: Final = re.compile(rb"-----BEGIN ((?:[A-Z0-9]{1,12} ){0,3})PRIVATE KEY(?: BLOCK)?-----")
_KEY_BODY: Final = re.compile(rb"[A-Za-z0-9+/]{32}")
_KEY_LINE: Final = re.compile(rb"(?m)^[ \t\"'+]{0,20}([A-Za-z0-9+/]{48,}+={0,2})")
_KEY_MOST: Final = 16 << 10

# Every byte that a token may have becomes #, all else a space.
_RUNS: Final = (
    bytes(ord("#") if chr(byte).isalnum() or chr(byte) in "_-" else 32 for byte in range(128)) + b" " * 128
)
_DIGIT: Final = re.compile(rb"[0-9]")
_RUN: Final = b"#" * 20
_DIGITLESS: Final = (b"AKIA", b"ASIA", b"hf_")
_NEEDLES: Final = Needles((b"AccountKey=", b"hooks.slack.com"))
_AROUND: Final = 96


def find(data: bytes) -> Iterator[Secret]:
    """Yield the tokens and keys in a text, in no order, none twice."""
    seen: set[int] = set()
    for match in _candidates(data):
        if match.start() not in seen:
            seen.add(match.start())
            yield from _signed(match) if match.re is _JWT else _token(match)
    if b"PRIVATE KEY" in data:
        yield from _keys(data)


@cache
def _cut() -> re.Pattern[bytes]:
    """What is left of a token when a line was cut: enough of its form to mask it, not enough to report it.

    Compiled when first wanted, as who only looks for tokens never wants it.
    """
    return re.compile((_BEFORE + "|".join(_pattern(f, min(4, f.least)) for f in _FORMS) + ")").encode())


def find_cut(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield the spans of what may be the rest of a token or key in a piece cut out of a text."""
    for pattern in (_cut(), _JWT):
        for match in pattern.finditer(data):
            yield match.span()
    for match in _KEY_LINE.finditer(data):
        yield match.span(1)


def _candidates(data: bytes) -> Iterator[re.Match[bytes]]:
    """Yield what has a token's form, looking at the long words with a digit and at some fixed texts only.

    A token begins with its word; where the word follows a dot, colon or slash its beginning may stand before.
    """
    runs = data.translate(_RUNS)
    at = runs.find(_RUN)
    while at >= 0:
        end = runs.find(b" ", at)
        end = len(data) if end < 0 else end
        if _DIGIT.search(data, at, end) or data.startswith(_DIGITLESS, at):
            match = _JWT.match(data, at) if data.startswith(b"eyJ", at) else _STRICT.match(data, at)
            if match:
                yield match
            elif at and data[at - 1] in b".:/":
                yield from _STRICT.finditer(data, max(at - _AROUND, 0), end)
        at = runs.find(_RUN, end)
    for needle in _NEEDLES.within(data):
        at = data.find(needle)
        while at >= 0:
            yield from _STRICT.finditer(data, at, at + 2 * _AROUND)
            at = data.find(needle, at + 1)


def _token(match: re.Match[bytes]) -> Iterator[Secret]:
    form = _FORMS[(match.lastindex or 1) - 1]
    text = match[0]
    if b"EXAMPLE" in text.upper():
        return
    prefix = re.match(form.prefix.encode(), text)
    body = text[prefix.end() :] if prefix else text
    if len(set(body)) < min(6, form.least // 3 + 1):
        return  # xxxxxxxx, 00000000
    yield Secret(match.start(), match.end(), form.rule_id, form.kind, _is_made_up(body), form.severity)


_SEQUENCES: Final = (
    b"0123456",
    b"1234567",
    b"abcdefg",
    b"qwerty",
    b"fake",
    b"dummy",
    b"sample",
    b"redacted",
    b"xxxx",
)


def _is_made_up(body: bytes) -> bool:
    lower = body.lower()
    return any(sequence in lower for sequence in _SEQUENCES)


def _signed(match: re.Match[bytes]) -> Iterator[Secret]:
    """A JWT counts when its head says how it is signed, and it is not the example of every tutorial."""
    head, _, rest = match[0].partition(b".")
    payload, _, signature = rest.partition(b".")
    if len(signature) < 16 or b'"alg"' not in _decoded(head):
        return
    claims = _decoded(payload)
    if b"1234567890" in claims or b"John Doe" in claims:
        return
    yield Secret(match.start(), match.end(), "HEF-SEC-JWT", "JSON web token")


def _decoded(part: bytes) -> bytes:
    try:
        return base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    except (binascii.Error, ValueError):
        return b""


def _keys(data: bytes) -> Iterator[Secret]:
    for match in _KEY_BEGIN.finditer(data):
        end = data.find(b"-----END", match.end(), match.end() + _KEY_MOST)
        end = min(match.end() + 4096, len(data)) if end < 0 else end
        body = _KEY_BODY.search(data, match.end(), min(end, match.end() + 400))
        if body is None or b"-----BEGIN" in data[match.end() : body.start()]:
            continue  # only the marker: code that looks for keys
        encrypted = b"ENCRYPTED" in match[1] or b"ENCRYPTED" in data[match.end() : body.start()]
        severity = "MEDIUM" if encrypted else ""
        kind = "encrypted private key" if encrypted else "private key"
        yield Secret(
            body.start(), end, "HEF-SEC-PRIVATE-KEY", kind, _is_made_up(body[0]), severity, match.start()
        )
