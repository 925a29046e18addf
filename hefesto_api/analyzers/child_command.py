"""The command line that starts a parser child."""

from __future__ import annotations

import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

MODULE: Final = "hefesto_api.analyzers.child"
_PACKAGES: Final = (
    *("hefesto_api", "msgspec", "tree_sitter", "tree_sitter_python", "tree_sitter_javascript"),
    *("tree_sitter_typescript", "tree_sitter_java", "tree_sitter_go"),
)
_START: Final = (
    "import sys; sys.path += sys.argv[2:]; "
    "from importlib import import_module; import_module(sys.argv[1]).main()"
)


@cache
def argv() -> tuple[str, ...]:
    """Return the command: Python without environment and `site`, told where the packages lie it needs.

    `site` runs what any package put into a `.pth` file: in a child that is neither wanted nor free (one
    editable installation beside ours made every start a third longer).
    """
    if getattr(sys, "frozen", False):  # the single-file binary is its own Python, and knows this form
        return (sys.executable, "-I", "-m", MODULE)
    specs = (find_spec(package) for package in _PACKAGES)
    folders = dict.fromkeys(str(Path(spec.origin).parents[1]) for spec in specs if spec and spec.origin)
    return (sys.executable, "-I", "-S", "-c", _START, MODULE, *folders)
