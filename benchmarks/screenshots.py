"""Writes the pictures of the dashboard that the readme shows: a service on Django with alerts, in Chromium.

    python -m benchmarks.screenshots [--into docs/images] [--traces FILE.jsonl ...] [--every]

`make screenshots` does it with what it needs. The pictures have a palette, so that each stays under 150 KB.
With `--every`, every page is taken whole at 390 and 1920 pixels, light and dark, to be looked at; give a
folder outside of the repository for that.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks import corpora, page_world
from benchmarks.service import Service

ROOT = Path(__file__).parents[1]
MOST_BYTES = 150_000
COLOURS = 128
WIDE = {"width": 1180, "height": 760, "deviceScaleFactor": 1.5}
README = {
    "dashboard-now": {"page": "now", **WIDE},
    "dashboard-alert": {"page": "alert", **WIDE, "height": 900},
    "dashboard-alert-dark": {"page": "alert", **WIDE, "height": 900, "colorScheme": "dark"},
    "dashboard-findings": {"page": "findings", **WIDE},
    "dashboard-hotspots": {"page": "hotspots", **WIDE, "width": 1400},
}
PAGES = ("now", "alert", "findings", "quality", "deployments", "webhooks", "system", "settings")
EVERY = {
    f"{page}-{width}-{scheme}": {
        "page": page, "width": width, "height": height, "colorScheme": scheme, "whole": True,
    }
    for page in PAGES
    for width, height in ((390, 844), (1920, 1080))
    for scheme in ("light", "dark")
}  # fmt: skip


def main() -> int:
    """Take the pictures and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--into", type=Path, default=ROOT / "docs/images")
    parser.add_argument("--traces", type=Path, nargs="*", default=[])
    parser.add_argument("--files", type=int, default=600, help="of Django's Python files")
    parser.add_argument("--every", action="store_true")
    asked = parser.parse_args()
    asked.into.mkdir(parents=True, exist_ok=True)
    wanted: dict[str, dict[str, Any]] = EVERY if asked.every else README
    with tempfile.TemporaryDirectory() as made:
        root = page_world.repository(Path(made) / "django", corpora.default_cache(), files=asked.files)
        service = Service(Path(made), root)
        service.start()
        try:
            page_world.fill(service, page_world.demo(root) + list(page_world.traces(asked.traces))[:6])
            take(service, wanted, asked.into)
        finally:
            service.stop()
    sizes = {name: packed(asked.into / f"{name}.png") for name in wanted}
    print("\n".join(f"{name:28} {size / 1000:6.1f} KB" for name, size in sizes.items()))
    large = [name for name, size in sizes.items() if size > MOST_BYTES and not asked.every]
    print(f"too large: {', '.join(large)}" if large else "done")
    return 1 if large else 0


def take(service: Service, wanted: dict[str, dict[str, Any]], into: Path) -> None:
    """Have a browser take pictures of pages; raises SystemExit where one cannot be shown."""
    shots = [{**one, "file": str((into / f"{name}.png").resolve())} for name, one in wanted.items()]
    given = {"shots": shots, "error_type": page_world.SHOWN, "panel": True}
    argv = ["node", "check/shots.mjs", "all", service.url, json.dumps(given)]
    done = subprocess.run(argv, cwd=ROOT / "dashboard", capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)


def packed(path: Path) -> int:
    """Give a picture a palette; return its size in bytes."""
    image: Any = import_module("PIL.Image")  # needed here alone: see screenshots.txt
    with image.open(path) as picture:
        few = picture.convert("RGB").quantize(
            COLOURS, method=image.Quantize.MEDIANCUT, dither=image.Dither.NONE
        )
    few.save(path, optimize=True)
    return path.stat().st_size


if __name__ == "__main__":
    sys.exit(main())
