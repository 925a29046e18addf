"""Draws the README's picture: what `hefesto analyze examples/shop` shows on a terminal.

python docs/picture.py
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

FOLDER = Path(__file__).parent
WIDTH = 104
LINES = 34
ELSEWHERE = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)  # rich's fonts come from another host


def main() -> None:
    """Write images/analyze.svg."""
    with tempfile.TemporaryDirectory() as state:
        environ = {**os.environ, "XDG_CACHE_HOME": state, "COLUMNS": str(WIDTH)}
        shown = subprocess.run(
            [sys.executable, "-m", "hefesto_api", "analyze", "examples/shop", "--color"],
            cwd=FOLDER.parent,
            env=environ,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    console = Console(record=True, width=WIDTH, file=Path(os.devnull).open("w"), force_terminal=True)  # noqa: SIM115
    console.print("[bold]$ hefesto analyze examples/shop[/]\n", highlight=False)
    console.print(Text.from_ansi("\n".join(shown.splitlines()[:LINES])))
    picture = console.export_svg(title="hefesto analyze", unique_id="analyze")
    (FOLDER / "images" / "analyze.svg").write_text(ELSEWHERE.sub("", picture))


if __name__ == "__main__":
    main()
