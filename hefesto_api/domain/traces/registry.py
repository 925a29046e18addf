"""The languages that are read, in the order in which a line is offered to them."""

from typing import Final

from hefesto_api.domain.traces.javascript import JAVASCRIPT
from hefesto_api.domain.traces.jvm import JVM
from hefesto_api.domain.traces.machine import Language
from hefesto_api.domain.traces.python import PYTHON

LANGUAGES: Final[tuple[Language, ...]] = (PYTHON, JVM, JAVASCRIPT)
