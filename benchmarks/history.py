"""How fast the history of a repository is indexed, what it takes on disk, and how soon it answers.

`python -m benchmarks.history REPOSITORY` indexes what is checked out (or a bare repository's HEAD) into a
fresh SQLite database and asks about functions picked by chance at its head. `python -m benchmarks.history
COMMITS` writes a history of so many commits that chance made, every tenth a merge, four files a commit, and
asks about its lines. Latencies are of this process; on a busy machine the wall says less than the CPU.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha1
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hefesto_api import runtime as runtimes
from hefesto_api import settings as all_settings
from hefesto_api.adapters import logs
from hefesto_api.adapters.history import open_history
from hefesto_api.analyzers import structure
from hefesto_api.app import create_app
from hefesto_api.domain.hunks import FileChange, Hunk
from hefesto_api.features.iris import indexing, past
from hefesto_api.storage import history, history_writing, migrate, projects
from hefesto_api.storage.database import open_database
from hefesto_api.storage.history_writing import NewCommit, Numbers

from benchmarks.limits import contention

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flask.testing import FlaskClient
    from hefesto_api.runtime import Runtime
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database
    from hefesto_api.storage.history import HistoryRecord

FILES = 60
FUNCTIONS = 200
FIRST = datetime(2010, 1, 1, tzinfo=UTC)


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
        _report("usage: python -m benchmarks.history REPOSITORY|COMMITS")
        return 2
    if arguments[0].isdigit():
        return _made_up(int(arguments[0]))
    with tempfile.TemporaryDirectory() as folder:
        repository = _with_work_tree(Path(arguments[0]).resolve(), Path(folder))
        environ = {
            "HEFESTO_ROOTS": str(repository),
            "HEFESTO_DATABASE_URL": f"sqlite:///{folder}/history.db",
            "HEFESTO_RATE_LIMITS": "off",
            "HEFESTO_LOG_LEVEL": "error",
        }
        settings = all_settings.load(environ, Path(folder))
        logs.configure(settings)
        runtime = runtimes.build(settings)
        migrate.upgrade(runtime.db)
        _report(f"the machine is {contention():.2f} times slower than at rest")
        _index(runtime, repository, Path(folder) / "history.db")
        _ask(runtime, repository)
        _report(f"the machine is {contention():.2f} times slower than at rest")
        runtime.close()
    return 0


def _made_up(count: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "history.db"
        db = open_database(f"sqlite:///{file}")
        migrate.upgrade(db)
        _report(f"the machine is {contention():.2f} times slower than at rest")
        with db.write() as session:
            project = projects.create(session, "default")
            where = {"root": "/", "place": "", "inside": "", "beneath": ""}
            record = history_writing.ensure(session, project.id, **where)
            numbers = Numbers(session, record.id)
        before, stages = _size(file), Timings()
        chance = random.Random(1)  # noqa: S311 - the same history every time
        rest = (_commit(chance, number, count) for number in range(count, 0, -1))
        while stage := list(islice(rest, 150)):
            stages.of(partial(_write, db, record, stage, numbers))
        with db.write() as session:
            history_writing.complete(session, record.id, _hash(count))
        rows, seconds = count * 5, sum(stages.cpu)
        _report(
            f"{count} commits, {count * 4} changes: {sum(stages.wall):.1f} s, CPU {seconds:.1f} s "
            f"({rows / seconds:.0f} rows a second of CPU), {(_size(file) - before) / 1e6:.1f} MB"
        )
        _report(f"a stage's transaction: {stages}")
        with db.read() as session:
            _ask_of_made_up(session, project.id, count, chance)
        _report(f"the machine is {contention():.2f} times slower than at rest")
        db.close()
    return 0


def _commit(chance: random.Random, number: int, count: int) -> NewCommit:
    parents = [number - 1] if number > 1 else []
    if number % 10 == 0 and number > 20:
        parents.append(number - chance.randint(2, 20))
    changes = []
    for _ in range(4):
        at = chance.randint(1, 500)
        hunks = tuple(Hunk(at + more, 2, at + more, 2) for more in range(0, chance.randint(1, 3) * 30, 30))
        name = f"src/package_{chance.randint(1, 50)}/module_{int(chance.paretovariate(1)) % 200}.py"
        changes.append(FileChange(name, "modified", None, hunks))
    return NewCommit(
        ordinal=number,
        hash=_hash(number),
        parents=tuple(parents),
        time=FIRST + timedelta(seconds=number * 600),
        author=f"Developer {number % 97}",
        email=f"developer{number % 97}@example.org",
        message=f"Change number {number} of {count}, for a reason that is given here",
        changes=tuple(changes),
    )


def _write(db: Database, record: HistoryRecord, stage: list[NewCommit], numbers: Numbers) -> None:
    with db.write(durable=False) as session:
        history_writing.write(session, record, stage, numbers)
        history_writing.advance(session, record, stage[0].hash, stage, floor=0, cut=None)


def _ask_of_made_up(session: Session, project: str, count: int, chance: random.Random) -> None:
    first, contained, changes, mapped = Timings(), Timings(), Timings(), Timings()
    head = _hash(count)
    first.of(partial(past.is_contained, session, project, head, head))
    _report(f"graph read from the database: {first}")
    for _ in range(1000):
        number = chance.randint(1, count)
        contained.of(partial(past.is_contained, session, project, _hash(number), head))
    _report(f"is_contained: {contained}")
    for _ in range(FUNCTIONS):
        path = f"src/package_{chance.randint(1, 50)}/module_{int(chance.paretovariate(1)) % 200}.py"
        line = chance.randint(1, 400)
        at = _hash(count - chance.randint(0, 50))
        changes.of(partial(past.function_changes, session, project, path, line, line + 30, at))
        mapped.of(partial(past.map_line, session, project, path, line, _hash(count - 500), head))
    _report(f"function_changes, the latest 10: {changes}")
    _report(f"map_line over 500 commits: {mapped}")


def _hash(number: int) -> str:
    return sha1(str(number).encode(), usedforsecurity=False).hexdigest()


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
