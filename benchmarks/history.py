"""How fast the history of a repository is indexed, what it takes on disk, and how soon it answers.

`python -m benchmarks.history REPOSITORY` indexes what is checked out (or a bare repository's HEAD) into a
fresh SQLite database and asks about functions picked by chance at its head. Latencies are of this process,
CPU beside wall: on a busy machine the latter says little.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hefesto_api import runtime as runtimes
from hefesto_api import settings as all_settings
from hefesto_api.adapters.history import open_history
from hefesto_api.analyzers import structure
from hefesto_api.app import create_app
from hefesto_api.features.iris import indexing, past
from hefesto_api.storage import history, migrate, projects

from benchmarks.limits import contention

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flask.testing import FlaskClient
    from hefesto_api.runtime import Runtime

FILES = 60
FUNCTIONS = 200


class Place(NamedTuple):
    """A function of a file."""

    path: str
    start: int
    end: int


class Timings:
    """How long something took, each time: wall and CPU, in seconds."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.cpu: list[float] = []

    def of(self, what: Callable[[], object]) -> object:
        """Do something and note how long it took."""
        wall, cpu = time.perf_counter(), time.thread_time()
        done = what()
        self.wall.append(time.perf_counter() - wall)
        self.cpu.append(time.thread_time() - cpu)
        return done

    def __str__(self) -> str:
        return ", ".join(
            f"{name} p50 {_at(values, 0.5):.2f} p95 {_at(values, 0.95):.2f} ms"
            for name, values in (("wall", self.wall), ("CPU", self.cpu))
        )


def main(arguments: Sequence[str]) -> int:
    """Measure one repository and print what was found."""
    if len(arguments) != 1:
        _report("usage: python -m benchmarks.history REPOSITORY")
        return 2
    with tempfile.TemporaryDirectory() as folder:
        repository = _with_work_tree(Path(arguments[0]).resolve(), Path(folder))
        environ = {
            "HEFESTO_ROOTS": str(repository),
            "HEFESTO_DATABASE_URL": f"sqlite:///{folder}/history.db",
            "HEFESTO_RATE_LIMITS": "off",
        }
        runtime = runtimes.build(all_settings.load(environ, Path(folder)))
        migrate.upgrade(runtime.db)
        _report(f"the machine is {contention():.2f} times slower than at rest")
        _index(runtime, repository, Path(folder) / "history.db")
        _ask(runtime, repository)
        _report(f"the machine is {contention():.2f} times slower than at rest")
        runtime.close()
    return 0


def _with_work_tree(repository: Path, folder: Path) -> Path:
    """Return a repository that has a place for files: of a bare one, a copy without any."""
    if (repository / ".git").exists():
        return repository
    made = folder / "tree"
    for command in (
        ["git", "init", "-q", str(made)],
        ["git", "-C", str(made), "fetch", "-q", str(repository), "HEAD"],
        ["git", "-C", str(made), "update-ref", "HEAD", "FETCH_HEAD"],
    ):
        subprocess.run(command, check=True)
    return made


def _index(runtime: Runtime, repository: Path, file: Path) -> None:
    with runtime.db.write() as session:
        project = projects.create(session, "default", root_path=str(repository))
    before = _size(file)
    wall, cpu = time.perf_counter(), time.process_time()
    indexing.index(runtime.db, project.id, None, [repository])
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    with runtime.db.read() as session:
        (record,) = history.of_project(session, project.id)
        changes = session.exec_driver_sql("SELECT count(*) FROM history_changes").scalar() or 0
    grown = (_size(file) - before) / 1e6
    _report(
        f"{record.top} commits, {changes} changes of files: {wall:.1f} s, CPU {cpu:.1f} s "
        f"({record.top / cpu:.0f} commits a second of CPU), {grown:.1f} MB"
    )


def _ask(runtime: Runtime, repository: Path) -> None:
    known = open_history(repository)
    head = known.resolve("HEAD")
    places = _places(repository, head)
    chance = random.Random(1)  # noqa: S311 - the same questions every time
    with runtime.db.read() as session:
        project = projects.get(session, "default").id
        first = Timings()
        first.of(lambda: past.is_contained(session, project, head, head))
        _report(f"graph read from the database: {first}")
        named = [one.hash for one in past.between(session, project, _root(repository), head, 100_000) or []]
        contained, mapped, changes = Timings(), Timings(), Timings()
        for _ in range(1000):
            contained.of(lambda: past.is_contained(session, project, chance.choice(named), head))
        _report(f"is_contained: {contained}")
        for place in places:
            changes.of(partial(past.function_changes, session, project, *place, head))
        _report(f"function_changes, the latest 10: {changes}")
        deployed = named[min(200, len(named) - 1)]
        for place in places:
            mapped.of(partial(past.map_line, session, project, *place[:2], head, deployed))
        _report(f"map_line over 200 commits: {mapped}")
    client = create_app(runtime=runtime).test_client()
    for name in ("cold", "warm"):
        served = Timings()
        for place in places:
            served.of(partial(_context, client, place, head))
        _report(f"GET /api/v1/iris/code-context at a commit, {name}: {served}")


def _context(client: FlaskClient, place: Place, commit: str) -> None:
    query = {"file_path": place.path, "line_number": place.start, "commit_hash": commit}
    answer = client.get("/api/v1/iris/code-context", query_string=query)
    if not answer.get_json()["data"]["found"]:
        raise RuntimeError(f"{place} is not found")


def _places(repository: Path, head: str) -> list[Place]:
    known = open_history(repository)
    chance = random.Random(7)  # noqa: S311 - the same functions every time
    files = sorted(path for path in known.tree_ids(head) if path.endswith(".py"))
    found = []
    for path in chance.sample(files, min(FILES, len(files))):
        content = known.blob(head, path) or b""
        shape = structure.extract("python", content, structure.parse("python", content))
        found += [Place(path, one.start_line, one.end_line) for one in shape.functions]
    return chance.sample(found, min(FUNCTIONS, len(found)))


def _root(repository: Path) -> str:
    named = ["git", "-C", str(repository), "rev-list", "--max-parents=0", "HEAD"]
    return subprocess.run(named, check=True, capture_output=True, text=True).stdout.split()[-1]


def _size(file: Path) -> int:
    return sum(one.stat().st_size for one in file.parent.glob(f"{file.name}*") if "-shm" not in one.name)


def _at(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(int(len(values) * share), len(values) - 1)] * 1000


def _report(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
