"""Our endpoints over HTTP beside bare Flask, and beside the same list in FastAPI as it is usually written.

    python -m benchmarks.serving [--findings 10000] [--seconds 4] [--rounds 3] [--threads 4]

All have one worker process; bare Flask runs under the same gunicorn with as many threads as ours, FastAPI
under uvicorn from an environment of its own. Rounds are interleaved and the best of each is taken, since
others may share the machine. No client takes compressed answers, and nothing is cached. Exit status 1 when a
target is missed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import venv
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks import contestants, corpora, finding_rows, limits
from benchmarks.load import generator
from benchmarks.service import SERVE, Service

if TYPE_CHECKING:
    from benchmarks.load.generator import Load

FLASK_TARGET: Final = 0.35
FASTAPI_TARGET: Final = 2.5
FASTAPI: Final = ("fastapi>=0.115", "uvicorn[standard]", "sqlalchemy>=2")
HERE: Final = Path(contestants.__file__).parent
LIST: Final = f"/api/v1/findings?project={finding_rows.slug(0)}&status=open"
DETAIL: Final = f"/api/v1/findings/{finding_rows.finding_id(4321)}"
SUMMARY: Final = "/api/v1/metrics/summary"


def main() -> int:
    """Measure and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cache", type=Path, default=corpora.default_cache())
    parser.add_argument("--findings", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=4)
    asked = parser.parse_args()
    with ExitStack() as stack:
        return report(measured(stack, asked))


def measured(stack: ExitStack, asked: argparse.Namespace) -> dict[str, Load]:
    """Start all, put load on each in turn, and return the best round of each."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hefesto-serving-")))
    flask, fastapi, ours = servers(folder, asked)
    for server in (flask, fastapi, ours):
        server.start()
        stack.callback(server.stop)
    targets = {
        "bare Flask": (flask, "/"),
        "FastAPI, list": (fastapi, LIST),
        "ours, list": (ours, LIST),
        "ours, detail": (ours, DETAIL),
    } | ({"ours, summary": (ours, SUMMARY)} if has(ours, SUMMARY) else {})
    own = generator.own_limit().rate
    print(f"contention {limits.contention():.2f}; the load generator's own limit {own:,.0f}/s")
    found: dict[str, list[Load]] = {name: [] for name in targets}
    for _ in range(asked.rounds):
        for name, (server, path) in targets.items():
            found[name].append(generator.run(server.port, path, seconds=asked.seconds))
    return {name: max(loads, key=lambda one: one.rate) for name, loads in found.items()}


def servers(folder: Path, asked: argparse.Namespace) -> tuple[Service, Service, Service]:
    """Return bare Flask, FastAPI and ours, not started; the latter two have a database of their own each."""
    places = [folder / name for name in ("flask", "fastapi", "ours")]
    for place in places:
        place.mkdir()
    for place in places[1:]:
        finding_rows.copy(asked.findings, asked.cache, place / "hefesto.db")
    gunicorn = ["-m", "gunicorn", "-k", "gthread", "-w", "1", "--threads", str(asked.threads)]
    gunicorn += ["--keep-alive", "5", "--no-control-socket", "--chdir", str(HERE), "-b", "127.0.0.1:{port}"]
    uvicorn = ["-m", "uvicorn", "--app-dir", str(HERE), "--port", "{port}", "--log-level", "warning"]
    serve = [*SERVE, "--workers", "1", "--threads", str(asked.threads), "--no-worker"]
    database = {"DATABASE": str(places[1] / "hefesto.db")}
    return (
        Service(places[0], folder, [sys.executable, *gunicorn, "bare_flask:app"]),
        Service(places[1], folder, [str(environment(asked.cache)), *uvicorn, "usual_fastapi:app"], database),
        Service(places[2], folder, serve, {"HEFESTO_CACHE_SIZE": "0"}),
    )


def environment(cache: Path) -> Path:
    """Return the Python of an environment with FastAPI, made the first time."""
    folder = cache / "venvs" / f"fastapi-orm-py{sys.version_info[0]}.{sys.version_info[1]}"
    python = folder / "bin" / "python"
    if not (folder / ".ready").exists():
        venv.create(folder, clear=True, with_pip=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *FASTAPI], check=True)
        (folder / ".ready").touch()
    return python


def has(server: Service, path: str) -> bool:
    """Tell whether a server answers a path."""
    try:
        server.fetch("GET", path)
    except OSError:
        return False
    return True


def report(found: dict[str, Load]) -> int:
    """Print the figures and return the exit status."""
    flask, fastapi = found["bare Flask"].rate, found["FastAPI, list"].rate
    for name, one in found.items():
        ratios = f"{one.rate / flask:6.2f} x Flask {one.rate / fastapi:6.2f} x FastAPI"
        times = f"p50 {one.p50:6.1f}  p99 {one.p99:6.1f} ms  {one.size:6} bytes  {one.failed} failed"
        print(f"{name:15}{one.rate:8,.0f}/s {ratios}  {times}")
    ours = found["ours, list"].rate
    met = ours >= FLASK_TARGET * flask and ours >= FASTAPI_TARGET * fastapi
    print("targets met" if met else f"wanted: {FLASK_TARGET} x Flask and {FASTAPI_TARGET} x FastAPI")
    return 0 if met and not any(one.failed for one in found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
