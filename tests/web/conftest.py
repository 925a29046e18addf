"""An application with the sample feature."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hefesto_api import runtime as runtimes
from hefesto_api.app import create_app
from tests.templates import start_from
from tests.web import sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flask import Flask
    from hefesto_api.settings import Settings


@pytest.fixture
def app(settings: Settings, sqlite_template: Path) -> Iterator[Flask]:
    """The application of the sample feature alone."""
    sample.made.clear()
    runtime = runtimes.build(settings)
    start_from(sqlite_template, runtime.db)
    yield create_app(runtime=runtime, features=(sample,))
    runtime.close()
