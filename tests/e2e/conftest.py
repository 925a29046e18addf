"""Browsers that are open end with the tests of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.e2e import looking

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True, scope="module")
def browsers() -> Iterator[None]:
    """Close what the tests of a file looked with."""
    yield
    looking.end_all()
