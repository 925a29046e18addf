"""Hiding what looks like a credential in texts that are told: in the log, in errors, in the audit log.

A name says of most secrets what they are (`domain.redaction`); these stand where nobody expects them, as a
key in a path or a password in an address.
"""

from __future__ import annotations

import re

MASK = "***"
# Our own credentials by their beginnings, access tokens, and what stands before the @ of an address.
_PATTERN = r"""
    \b(?P<ours>hef[a-z]{0,3}_)[A-Za-z0-9_-]{20,}
  | \b(?P<token>eyJ)[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_.-]+
  | (?P<address>://)[^\s/?\#@"'<>\\]{1,500}@
"""
_TEXT = re.compile(_PATTERN, re.VERBOSE | re.ASCII)
_BYTES = re.compile(_PATTERN.encode(), re.VERBOSE)


def veiled(text: str) -> str:
    """Return a text without credentials; of each the beginning stays, by which it is known what it was."""
    return _TEXT.sub(_masked, text)


def veiled_line(line: bytes) -> bytes:
    """Return encoded text without credentials."""
    return _BYTES.sub(_masked_bytes, line)


def _masked(found: re.Match[str]) -> str:
    return f"{found[found.lastgroup or 0]}{MASK}" + ("@" if found.lastgroup == "address" else "")


def _masked_bytes(found: re.Match[bytes]) -> bytes:
    kept = found[found.lastgroup or 0] + MASK.encode()
    return kept + b"@" if found.lastgroup == "address" else kept
