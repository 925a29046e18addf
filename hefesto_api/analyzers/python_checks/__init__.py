"""Weaknesses of Python code that show in one expression and that ruff does not know.

A pattern is looked for by bytes first: a file that lacks its gate costs a substring search, and only the
places that its regular expression finds are looked at in the syntax tree. Nothing here follows values
further than one assignment within a function.
"""

from hefesto_api.analyzers.python_checks import (
    cryptography,
    deserialization,
    injection,
    requests_data,
    settings,
    transport,
    web,
)
from hefesto_api.analyzers.python_checks.matching import PatternCheck

PYTHON = PatternCheck(
    (
        *deserialization.PATTERNS,
        *transport.PATTERNS,
        *cryptography.PATTERNS,
        *injection.PATTERNS,
        *web.PATTERNS,
        *settings.PATTERNS,
        *requests_data.PATTERNS,
    )
)
CHECKS = (PYTHON,)
