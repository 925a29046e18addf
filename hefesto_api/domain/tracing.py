"""Whose trace the present work is of (W3C Trace Context), so that what it leaves behind goes on with it."""

from __future__ import annotations

import re
from contextvars import ContextVar

HEADER = "traceparent"
_FORM = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")

current: ContextVar[str] = ContextVar("traceparent", default="")
"""The traceparent of the present work; "" where nobody follows it."""


def trace_id(traceparent: str) -> str:
    """Return the trace that a traceparent names; "" for one that names none."""
    found = _FORM.fullmatch(traceparent)
    return found.group(1) if found else ""
