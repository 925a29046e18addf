"""What tests of the application share: an application on a database of its own, and a client to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import hypothesis
import pytest
import structlog
from hefesto_api import runtime as runtimes
from hefesto_api import settings as all_settings
from hefesto_api.adapters.limits import place
from hefesto_api.app import create_app
from hefesto_api.storage import migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from flask import Flask
    from flask.testing import FlaskClient
    from hefesto_api.settings import Settings

# The same examples in every run: what chance finds must not fail a change that has nothing to do with it.
hypothesis.settings.register_profile("same", derandomize=True)
hypothesis.settings.load_profile("same")


@pytest.fixture(autouse=True, scope="session")
def counts_of_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let what is counted for limits go with the tests; the place by default outlives a process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(place, "_SHARED", tmp_path_factory.mktemp("shared"))
        yield


@pytest.fixture(autouse=True, scope="session")
def plain_log() -> None:
    """Write what tests provoke in lines: left to itself, structlog paints tracebacks for a terminal."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(),
        ]
    )


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The settings of an installation in an empty folder, whose `src` may be analysed."""
    (tmp_path / "src").mkdir()
    return all_settings.load({"HEFESTO_ROOTS": str(tmp_path / "src")}, tmp_path)


@pytest.fixture
def make_app() -> Iterator[Callable[..., Flask]]:
    """Make applications with settings of one's own; their databases are migrated, and closed at the end."""
    opened = []

    def make(settings: Settings) -> Flask:
        runtime = runtimes.build(settings)
        migrate.upgrade(runtime.db)
        opened.append(runtime)
        return create_app(runtime=runtime)

    yield make
    for runtime in opened:
        runtime.close()


@pytest.fixture
def app(make_app: Callable[..., Flask], settings: Settings) -> Flask:
    """The application, with an empty database."""
    return make_app(settings)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client of the application."""
    return app.test_client()
