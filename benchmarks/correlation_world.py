"""A project to correlate in, made once: 200,000 functions, 50,000 commits, a database of a million findings.

The files are those that the findings of `finding_rows` name (and more), each of ten functions that call
functions of other files; each commit changes a number in one function. The database is a copy of the one
with a million findings, of which the project has a fifth. Building takes some minutes and 3 GB.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from hefesto_api import runtime as runtimes
from hefesto_api import settings as all_settings
from hefesto_api.features.analysis import service
from hefesto_api.features.iris import indexing, past
from hefesto_api.storage import deployments, migrate, projects
from hefesto_api.storage.analyses import analyses
from hefesto_api.storage.contents import project_files
from hefesto_api.storage.database import open_database
from hefesto_api.storage.history import histories
from hefesto_api.worker import Worker
from msgspec import Struct

from benchmarks import finding_rows

if TYPE_CHECKING:
    from hefesto_api.runtime import Runtime

FILES: Final = 20_000
FUNCTIONS_OF_A_FILE: Final = 10
COMMITS: Final = 50_000
FINDINGS: Final = 1_000_000
FIRST: Final = datetime(2024, 1, 1, tzinfo=UTC)
DEPLOYED: Final = 10  # commits that the running revision is behind
BEFORE: Final = 100  # and the one before it
SLUG: Final = finding_rows.slug(0)
HEAD: Final = 8  # lines above the first function
SPAN: Final = 13  # lines from one function to the next
CALL: Final = 11  # where in it another is called
CRASH: Final = 8
DEPTH: Final = 8
IMPORTS: Final = 4
ERRORS: Final = (
    "TypeError: 'NoneType' object is not subscriptable",
    "KeyError: 'items'",
    "AttributeError: 'NoneType' object has no attribute 'get'",
    "ValueError: invalid literal for int() with base 10: ''",
    "TypeError: unsupported operand type(s) for +: 'int' and 'NoneType'",
)


class World(Struct, frozen=True):
    """Where it lies: the tree with its repository, the database, and the deployed commits."""

    root: Path
    database: Path
    deployed: str
    before: str

    def runtime(self, folder: Path) -> Runtime:
        """Return the parts of a process that works with it."""
        environ = {"HEFESTO_DATABASE_URL": f"sqlite:///{self.database}", "HEFESTO_ROOTS": str(self.root)}
        return runtimes.build(all_settings.load(environ, folder))


def world(cache: Path) -> World:
    """Return the world, made the first time; a run may add alerts to it."""
    folder = cache / "correlation-world"
    if not (folder / "done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _history(folder / "tree")
        _database(folder, cache)
        (folder / "done").touch()
    opened = open_database(f"sqlite:///{folder / 'hefesto.db'}")
    migrate.upgrade(opened)
    opened.close()
    names = _git(folder / "tree", "rev-list", f"--max-count={BEFORE + 1}", "HEAD").split()
    return World(folder / "tree", folder / "hefesto.db", names[DEPLOYED], names[BEFORE])


def path_of(number: int) -> str:
    """Return the path of a file, as the rows of findings name it."""
    return f"src/part{number % 7}/module{number % 61}/file_{number}.py"


def called_by(number: int, function: int) -> tuple[int, int]:
    """Return which function of which file a function calls."""
    return (number * 7 + function % IMPORTS * 13 + 1) % FILES, (function + 3) % FUNCTIONS_OF_A_FILE


def trace(chance: random.Random) -> str:
    """Return what a crash some calls deep prints."""
    number, function = chance.randrange(FILES), chance.randrange(FUNCTIONS_OF_A_FILE)
    lines = ["Traceback (most recent call last):"]
    for _ in range(DEPTH):
        other, its = called_by(number, function)
        line = HEAD + function * SPAN + CALL
        lines += [
            f'  File "/srv/app/{path_of(number)}", line {line}, in step_{number}_{function}',
            f"    return file_{other}.step_{other}_{its}(total, context)",
        ]
        number, function = other, its
    line = HEAD + function * SPAN + CRASH
    lines += [
        f'  File "/srv/app/{path_of(number)}", line {line}, in step_{number}_{function}',
        '    for item in found["items"]:',
        chance.choice(ERRORS),
    ]
    return "\n".join(lines)


def source(number: int, scales: list[int]) -> str:
    """Return the text of a file."""
    others = [called_by(number, function)[0] for function in range(IMPORTS)]
    imports = [f"from src.part{n % 7}.module{n % 61} import file_{n}" for n in others]
    parts = [f'"""Steps of part {number}."""', "", *imports, "", ""]
    for function, scale in enumerate(scales):
        other, its = called_by(number, function)
        parts += [
            f"def step_{number}_{function}(value, context):",
            f'    """Take step {function} of part {number}."""',
            f"    scale = {scale}",
            f'    found = context.get("key_{function}")',
            "    if value is None and scale > 3:",
            "        return None",
            "    total = 0",
            '    for item in found["items"]:',
            "        total += item * scale",
            "    context.setdefault('seen', []).append(total)",
            f"    return file_{other}.step_{other}_{its}(total, context)",
            "",
            "",
        ]
    return "\n".join(parts)


def _history(tree: Path) -> None:
    """Make the repository by `git fast-import`, and check it out."""
    tree.mkdir()
    _git(tree, "init", "-q", "-b", "main")
    command = ["git", "-C", str(tree), "fast-import", "--quiet", "--force"]
    importing = subprocess.Popen(command, stdin=subprocess.PIPE, env=_environment())
    assert importing.stdin is not None
    _stream(importing.stdin)
    importing.stdin.close()
    if importing.wait() != 0:
        raise RuntimeError("git fast-import failed")
    _git(tree, "reset", "-q", "--hard", "main")


def _stream(into: IO[bytes]) -> None:
    chance = random.Random(4)  # noqa: S311
    scales = [[2] * FUNCTIONS_OF_A_FILE for _ in range(FILES)]
    _commit(into, 0, "The first of all", [(n, source(n, scales[n])) for n in range(FILES)])
    for at in range(1, COMMITS):
        number, function = chance.randrange(FILES), chance.randrange(FUNCTIONS_OF_A_FILE)
        scales[number][function] += 1
        message = f"Step {function} of part {number} counts more"
        _commit(into, at, message, [(number, source(number, scales[number]))])


def _commit(into: IO[bytes], at: int, message: str, files: list[tuple[int, str]]) -> None:
    seconds = int((FIRST + timedelta(minutes=20 * at)).timestamp())
    who = f"Dev {at % 40} <dev{at % 40}@shop.example> {seconds} +0000"
    head = f"commit refs/heads/main\nauthor {who}\ncommitter {who}\ndata {len(message)}\n{message}\n"
    into.write(head.encode())
    for number, text in files:
        content = text.encode()
        into.write(f"M 100644 inline {path_of(number)}\ndata {len(content)}\n".encode() + content + b"\n")


def _database(folder: Path, cache: Path) -> None:
    made = World(folder / "tree", folder / "hefesto.db", "", "")
    finding_rows.copy(FINDINGS, cache, made.database)
    runtime = made.runtime(folder)
    _analyse(runtime)
    indexing.index(runtime.db, finding_rows.project_id(0), None, [made.root])
    names = _git(made.root, "rev-list", f"--max-count={BEFORE + 1}", "HEAD").split()
    with runtime.db.write() as session:
        for commit, hours in ((names[BEFORE], 48), (names[DEPLOYED], 24)):
            at = datetime.now(UTC) - timedelta(hours=hours)
            deployments.record(session, finding_rows.project_id(0), None, commit, None, at, "benchmark")
        assert past.commit_of(session, finding_rows.project_id(0), names[DEPLOYED])
    with runtime.db.schema() as session:
        session.exec_driver_sql("ANALYZE")
    runtime.close()


def _analyse(runtime: Runtime) -> None:
    """Analyse the tree and index its history under another name, so that no finding is resolved by it.

    What came of it is then given to the project of the findings.
    """
    wanted: dict[str, Any] = {"path": ".", "project": "world", "analyzers": ["complexity"]}
    wanted |= {"severity_threshold": "LOW", "exclude_patterns": [], "run_async": True}
    service.submit_path(runtime.db, runtime.settings.roots, wanted)
    worker = Worker(runtime, slots=1)
    worker.drain()
    worker.close()
    with runtime.db.write() as session:
        world_id = projects.get(session, "world").id
        for table in (analyses, project_files, histories):
            of_world = sa.update(table).where(table.c.project_id == world_id)
            session.execute(of_world.values(project_id=finding_rows.project_id(0)))
        projects.delete(session, world_id)


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True, env=_environment()
    )
    return done.stdout


def _environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
