"""What a password must be (NIST SP 800-63B): long enough and not one that everybody tries; nothing else."""

from __future__ import annotations

import unicodedata

from hefesto_api.domain.common_passwords import COMMON
from hefesto_api.domain.errors import Invalid

LEAST = 12  # characters
MOST = 256  # bytes of UTF-8


def normal(text: str) -> str:
    """Return the one form of what was typed, whichever keyboard and system wrote it (NFKC)."""
    return unicodedata.normalize("NFKC", text)


def check(password: str, *emails: str, field: str = "password") -> str:
    """Return a password to be in its normal form; raises Invalid that says what is wrong with it."""
    text = normal(password)
    if len(text) < LEAST:
        raise Invalid(field, f"A password has at least {LEAST} characters.", "too_short")
    if is_too_long(text):
        raise Invalid(field, f"A password has at most {MOST} bytes.", "too_long")
    if _is_guessed_first(text.casefold(), [email.casefold() for email in emails]):
        raise Invalid(field, "This is one of the first that anybody would try; choose another.", "too_common")
    return text


def is_too_long(text: str) -> bool:
    """Tell whether a text is no password for its length alone: hashing takes time for every byte."""
    return len(text) > MOST or len(text.encode("utf-8", "surrogatepass")) > MOST


def _is_guessed_first(text: str, emails: list[str]) -> bool:
    own = {part for email in emails for part in (email, email.partition("@")[0])}
    return text in COMMON or text in own or _repeats(text)


def _repeats(text: str) -> bool:
    """Tell whether it is one to three characters again and again."""
    return any(text == (text[:size] * len(text))[: len(text)] for size in (1, 2, 3))
