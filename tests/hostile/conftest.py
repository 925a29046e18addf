"""The hostile tree, for every test that sends something over it."""

from pathlib import Path

import pytest
from tests.hostile import trees
from tests.hostile.trees import HostileTree


@pytest.fixture
def hostile_tree(tmp_path: Path) -> HostileTree:
    """A tree with every trap in it, beside a secret and the place where the canary would be."""
    return trees.build(tmp_path)
