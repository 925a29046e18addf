"""A reader against someone who swaps what it reads for links to a secret: it never reads the secret."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from benchmarks import race
from hefesto_api.analyzers.workspace import Limits, beneath, open_root, resolve
from hefesto_api.domain.errors import InvalidFilePath

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS = 30.0 if os.environ.get("HEFESTO_TEST_BIG") else 1.0

pytestmark = pytest.mark.skipif(not race.can_swap(), reason="needs renameat2 to swap names in one step")


@pytest.fixture
def contested(tmp_path: Path) -> Iterator[Path]:
    """A tree whose folder and file change places with links to a secret, all the time."""
    root = race.arena(tmp_path)
    with race.swapper(root):
        yield root


@pytest.mark.parametrize("opener", [beneath.open_beneath, beneath.open_by_components])
def test_no_swap_leads_a_read_out(contested: Path, opener: Callable[[int, str, int], int]) -> None:
    descriptor = os.open(contested, os.O_RDONLY | os.O_DIRECTORY)
    try:
        outcome = race.race(contested, race.reader(descriptor, opener), SECONDS)
    finally:
        os.close(descriptor)
    assert outcome.leaks == 0
    assert min(outcome.reads, outcome.refusals) > 0, "there was no race"


def test_no_swap_leads_a_walk_or_a_resolution_out(contested: Path) -> None:
    def read(target: str) -> bytes:
        try:
            location = resolve(target, [contested])
            with open_root(location) as tree:
                found = tree.discover(wanted=lambda path: True, limits=Limits())
                return b"".join(tree.read(entry.path) for entry in found.entries)
        except InvalidFilePath as error:
            raise PermissionError(error.path) from None

    outcome = race.race(contested, read, SECONDS)
    assert outcome.leaks == 0
    assert min(outcome.reads, outcome.refusals) > 0, "there was no race"


def test_no_swap_leads_a_walk_of_everything_out(contested: Path) -> None:
    outside = (contested.parent / "outside" / "data.py").stat().st_ino
    with open_root(resolve(contested, [contested])) as tree:
        for _ in range(int(500 * SECONDS)):
            found = tree.discover(wanted=lambda path: True)
            assert outside not in {entry.inode for entry in found.entries}
