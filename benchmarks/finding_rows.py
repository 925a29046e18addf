"""Databases with many findings, made once and kept in the cache: 100 projects, 50 files to 1,000 findings.

Projects and files have their findings by Zipf's law, 70% are LOW or MEDIUM, 20% resolved, 4% ignored. Most
open ones were last seen by their project's latest analysis, so that tens of thousands share one moment.
Rows go in by the driver, at the first revision and without indexes; then the database is brought to the
schema of today, as one that has been in use for long would be.
"""

from __future__ import annotations

import random
import shutil
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from hefesto_api.analyzers import catalogue
from hefesto_api.domain.finding import Severity
from hefesto_api.domain.identity import Fingerprints
from hefesto_api.storage import migrate
from hefesto_api.storage.database import Database, open_database
from hefesto_api.storage.findings import findings, pack_prints
from hefesto_api.storage.projects import projects

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hefesto_api.analyzers.base import RuleInfo

FIRST: Final = "0001"
PROJECTS: Final = 100
ANALYSES: Final = 50
FINDINGS_OF_A_FILE: Final = 20
NOW: Final = datetime(2026, 11, 1, tzinfo=UTC)
SEVERITIES: Final = dict(zip(Severity, (40, 30, 22, 8), strict=True))
STATUSES: Final = {"open": 71, "resolved": 20, "ignored": 4, "acknowledged": 4, "wontfix": 1}
_LATER: Final = {"until_incident"}  # came with a later revision than the first
COLUMNS: Final = tuple(column.name for column in findings.columns if column.name not in _LATER)
_BATCH: Final = 20_000
_PRINTS: Final = pack_prints(Fingerprints(1, *("0123456789abcdef",) * 6))


def sqlite(count: int, folder: Path) -> Database:
    """Return the SQLite database of `count` findings, made the first time; do not write to it."""
    path = folder / "databases" / f"findings-{count}.db"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        for old in path.parent.glob(f"{unfinished.name}*"):
            old.unlink()
        made = open_database(f"sqlite:///{unfinished}")
        fill(made, count)
        made.close()
        unfinished.rename(path)
    opened = open_database(f"sqlite:///{path}")
    migrate.upgrade(opened)
    return opened


def copy(count: int, folder: Path, into: Path) -> Path:
    """Copy the SQLite database of `count` findings to a file that may be written to; return it."""
    sqlite(count, folder).close()  # the last connection to close empties the WAL into the file
    return Path(shutil.copy(folder / "databases" / f"findings-{count}.db", into))


def postgresql(count: int, server: str) -> Database:
    """Return the database of `count` findings on a server, made the first time; do not write to it."""
    name = f"hefesto_bench_{count}"
    url = sa.make_url(server).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as session:
        known = session.execute(sa.text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": name})
        if known.first() is None:
            session.exec_driver_sql(f'DROP DATABASE IF EXISTS "{name}_part"')
            session.exec_driver_sql(f'CREATE DATABASE "{name}_part"')
            made = open_database(url.set(database=f"{name}_part").render_as_string(hide_password=False))
            fill(made, count)
            made.close()
            session.exec_driver_sql(f'ALTER DATABASE "{name}_part" RENAME TO "{name}"')
    engine.dispose()
    opened = open_database(url.set(database=name).render_as_string(hide_password=False))
    if migrate.upgrade(opened):
        _vacuum(opened)
    return opened


def fill(db: Database, count: int) -> None:
    """Make the tables of the first revision and put `count` findings into them."""
    migrate.upgrade(db, FIRST)
    chance = random.Random(count)  # noqa: S311
    with db.schema() as session:
        session.execute(sa.insert(projects), list(project_rows()))
        remade = _without_indexes(session)
        driver = session.connection.dbapi_connection
        rows = finding_rows(count, chance)
        if db.is_sqlite:
            names = ", ".join(f'"{name}"' for name in COLUMNS)
            marks = ", ".join("?" * len(COLUMNS))
            driver.executemany(f"INSERT INTO findings ({names}) VALUES ({marks})", rows)  # type: ignore[union-attr]  # noqa: S608
        else:
            _copy_in(driver, rows)
        for statement in remade:
            session.exec_driver_sql(statement)
    if not db.is_sqlite:
        _vacuum(db)


def project_rows() -> Iterator[dict[str, Any]]:
    """Yield the rows of `projects`."""
    for number in range(PROJECTS):
        yield {
            "id": project_id(number),
            "slug": slug(number),
            "name": slug(number),
            "service_names": [],
            "path_mappings": [],
            "created_at": NOW - timedelta(days=400),
            "updated_at": NOW - timedelta(days=400),
        }


def finding_rows(count: int, chance: random.Random) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of `findings` in the order of their ids, as COLUMNS says, times as text."""
    rules = {one: [rule for rule in catalogue.RULES.values() if rule.severity == one] for one in Severity}
    of_rules = {one: _zipf(len(known)) for one, known in rules.items()}
    of_projects = _zipf(PROJECTS)
    total = of_projects[-1]
    files = [max(1, int(count / FINDINGS_OF_A_FILE / total / (n + 1))) for n in range(PROJECTS)]
    of_files = [_zipf(many) for many in files]
    for start in range(0, count, _BATCH):
        many = min(_BATCH, count - start)
        owners = chance.choices(range(PROJECTS), cum_weights=of_projects, k=many)
        severities = chance.choices(list(SEVERITIES), list(SEVERITIES.values()), k=many)
        statuses = chance.choices(list(STATUSES), list(STATUSES.values()), k=many)
        for n, owner, severity, status in zip(
            range(start, start + many), owners, severities, statuses, strict=True
        ):
            file = chance.choices(range(files[owner]), cum_weights=of_files[owner])[0]
            rule = chance.choices(rules[severity], cum_weights=of_rules[severity])[0]
            yield _row(n, count, owner, file, status, rule, chance)


def more(many: int, count: int) -> list[tuple[Any, ...]]:
    """Return further rows, for a database that holds `count`."""
    rows = finding_rows(many, random.Random(many))  # noqa: S311
    return [(finding_id(count + n), *row[1:]) for n, row in enumerate(rows)]


def _zipf(many: int) -> list[float]:
    return list(accumulate(1 / (n + 1) for n in range(many)))


def _row(
    n: int, count: int, owner: int, file: int, status: str, rule: RuleInfo, chance: random.Random
) -> tuple[Any, ...]:
    first = n * ANALYSES // count
    latest = status != "resolved" and chance.random() < 0.6
    last = ANALYSES - 1 if latest else chance.randrange(first, ANALYSES)
    path = f"src/part{file % 7}/module{file % 61}/file_{file}.py"
    line = chance.randrange(1, 2000)
    analysis = f"0195{owner:04x}-{last:04x}-7000-8000-000000000000"
    description = f"{rule.title} in line {line}"
    return (
        finding_id(n), project_id(owner), "", path, line, 1, line, 40, str(rule.analyzer), "hefesto", rule.id,
        rule.severity, Severity(rule.severity).rank, 0.5 + file % 50 / 100, description, None,
        f"    value = compute({line})\n    return value", f"    value = compute({line})",
        f"Thing{file % 13}.method_{line % 97}", None, str(list(rule.cwe)), "{}", status, None, None,
        moment(owner, first), moment(owner, last), moment(owner, last) if status == "resolved" else None,
        last - first + 1, analysis, analysis, moment(owner, last), None, 1, None, _PRINTS,
        f"{n * 2654435761 % 2**64:032x}",
    )  # fmt: skip


def finding_id(n: int) -> str:
    """Return the id of the nth finding; they sort by n, as ours by time."""
    return f"0190{n >> 16:04x}-{n & 0xFFFF:04x}-7abc-8def-{n:012x}"


def project_id(number: int) -> str:
    """Return the id of a project."""
    return f"01900000-0000-7000-8000-{number:012x}"


def slug(number: int) -> str:
    """Return the slug of a project; number 0 has the most findings."""
    return f"project-{number}"


def moment(owner: int, analysis: int) -> str:
    """Return when a project's analysis of a number saw things, in wire form."""
    at = NOW - timedelta(days=4 * (ANALYSES - 1 - analysis), seconds=owner)
    return at.strftime("%Y-%m-%dT%H:%M:%S.000000Z")


def _without_indexes(session: Any) -> list[str]:
    """Drop the indexes and triggers of findings; return the statements that make them again."""
    if session.dialect.name == "sqlite":
        kept = "SELECT type, name, sql FROM sqlite_master WHERE tbl_name = 'findings' AND type = 'index'"
        found = session.exec_driver_sql(f"{kept} AND sql IS NOT NULL").fetchall()
    else:
        kept = "SELECT 'index', indexname, indexdef FROM pg_indexes WHERE tablename = 'findings'"
        found = session.exec_driver_sql(f"{kept} AND indexname NOT LIKE 'pk%%'").fetchall()
    for kind, name, _ in found:
        session.exec_driver_sql(f'DROP {kind} "{name}"')
    return [statement for _, _, statement in found]


def _copy_in(driver: Any, rows: Iterator[tuple[Any, ...]]) -> None:
    names = ", ".join(f'"{name}"' for name in COLUMNS)
    with driver.cursor() as cursor, cursor.copy(f"COPY findings ({names}) FROM STDIN") as into:
        for row in rows:
            into.write("\t".join(map(_field, row)) + "\n")


def _field(value: Any) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, bytes):
        return "\\\\x" + value.hex()
    return str(value).replace("\n", "\\n")


def _vacuum(db: Database) -> None:
    engine = sa.create_engine(db.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as session:
        session.exec_driver_sql("VACUUM ANALYZE")
    engine.dispose()
