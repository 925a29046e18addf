"""Ask for findings where there are a million, and where there are ten thousand: what does size cost?

    python -m benchmarks.findings [--postgresql postgresql://postgres@127.0.0.1/postgres] [--inserts]

Each query is asked of both databases in turn through the service's own functions, with the count, and of the
storage alone, without; figures are medians of the quieter half of the rounds (others share the machine), and
the ratios are what counts. Exit status 1 when one that has a target misses it.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from hefesto_api.features.findings import selection, service
from hefesto_api.features.metrics import hotspots, summary, trends
from hefesto_api.storage import finding_list
from hefesto_api.storage.findings import findings
from hefesto_api.web.paging import Page

from benchmarks import corpora, finding_rows, limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from hefesto_api.storage.database import Database

SMALL: Final = 10_000
LARGE: Final = 1_000_000
DEEP: Final = 900_000
SIZE_TARGET: Final = 1.5
DEPTH_TARGET: Final = 1.2
METRICS_TARGET: Final = 50.0  # ms
ROUNDS: Final = 40
LONG: Final = 0.3
PROJECT: Final = {"project": finding_rows.slug(0)}
OPEN: Final = {"status": ("open",)}
# What is asked, the order, and whether size must not matter.
QUERIES: Final[dict[str, tuple[dict[str, Any], str | None, bool]]] = {
    "open": (OPEN, None, True),
    "open of a project": (OPEN | PROJECT, None, True),
    "every status": ({"status": ("all",)}, None, True),
    "open or ignored of a project": ({"status": ("open", "ignored")} | PROJECT, None, True),
    "min_severity HIGH": (OPEN | {"min_severity": "HIGH"}, None, True),
    "min_severity HIGH of a project": (OPEN | PROJECT | {"min_severity": "HIGH"}, None, True),
    "severity CRITICAL": (OPEN | {"severity": ("CRITICAL",)}, None, True),
    "a project by severity": (OPEN | PROJECT, "severity", True),
    "a file of a project": (OPEN | PROJECT | {"file_path": "src/part5/module8/file_313.py"}, None, False),
    "a folder of a project": (OPEN | PROJECT | {"file_path": "src/part3/module60/"}, None, False),
    "all folders of a project": (OPEN | PROJECT | {"file_path": "src/"}, None, False),
    "a common rule_id": (OPEN | {"rule_id": "HEF-SEC-UNPINNED-MODEL"}, None, False),
    "a rare rule_id of a project": (OPEN | PROJECT | {"rule_id": "HEF-SMELL-LARGE-CLASS"}, None, False),
    "cwe 89": (OPEN | {"cwe": 89}, None, False),
    "q that is common": (OPEN | {"q": "line 7"}, None, False),
    "q that is nowhere": (OPEN | {"q": "nowhere"}, None, False),
    "a project by first_seen": (OPEN | PROJECT, "first_seen", False),
}


def main() -> int:
    """Measure and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cache", type=Path, default=corpora.default_cache())
    parser.add_argument("--postgresql", metavar="URL", help="a server where databases may be made")
    parser.add_argument("--inserts", action="store_true", help="measure what the indexes cost intake, too")
    asked = parser.parse_args()
    missed = compare("SQLite", lambda count: finding_rows.sqlite(count, asked.cache))
    if asked.postgresql:
        missed += compare("PostgreSQL", lambda count: finding_rows.postgresql(count, asked.postgresql))
    if asked.inserts:
        insert(asked.cache)
    print("\n".join(missed) or "every target is met")
    return 1 if missed else 0


def compare(kind: str, build: Callable[[int], Database]) -> list[str]:
    """Print the figures of one kind of database; return the targets that were missed."""
    small, large = build(SMALL), build(LARGE)
    print(f"\n{kind}; contention {limits.contention():.2f}; ms at {SMALL:,} and {LARGE:,}, ratio")
    missed = []
    for name, (wanted, sort, bounded) in QUERIES.items():
        query = wanted | {"page": Page(sort=sort, descending=sort is not None)}
        few, many = in_turn(partial(page, small, query), partial(page, large, query))
        count = quiet([timed(partial(counted, large, query)) for _ in range(5)])
        print(f"{name:34}{few:9.2f}{many:10.2f}{many / few:8.2f}   its total {count:9.2f}")
        if bounded and many > few * SIZE_TARGET:
            missed.append(f"{kind}: {name} takes {many / few:.2f} times as long (wanted: {SIZE_TARGET})")
    missed += depth(kind, large)
    missed += metrics(kind, large)
    small.close()
    large.close()
    return missed


def depth(kind: str, db: Database) -> list[str]:
    """Compare a page far down, by its cursor, with the first."""
    every = finding_list.Filter()
    with db.read() as session:
        _, key = finding_list.page(session, every, limit=50, offset=DEEP)
    first, deep = in_turn(lambda: _page(db, every, None), lambda: _page(db, every, key))
    print(f"{f'first page, and that at {DEEP:,}':34}{first:9.2f}{deep:10.2f}{deep / first:8.2f}")
    ratio = deep / first
    return [f"{kind}: the deep page takes {ratio:.2f} times as long"] if ratio > DEPTH_TARGET else []


def metrics(kind: str, db: Database) -> list[str]:
    """Ask for the summary and for the trends of a year, of a project and of all."""
    year = {"days": 365, "period": "daily"}
    asked: dict[str, Callable[[], object]] = {
        "summary of a project": lambda: summary.summary(db, PROJECT, None),
        "summary of all": lambda: summary.summary(db, {}, None),
        "a year's trends of a project": lambda: trends.trends(db, PROJECT | year, None),
        "a year's trends of all": lambda: trends.trends(db, year, None),
        "hotspots of a project": lambda: hotspots.tell(db, PROJECT | {"days": 365, "limit": 200}, None),
        "hotspots of all": lambda: hotspots.tell(db, {"days": 365, "limit": 200}, None),
    }
    missed = []
    for name, work in asked.items():
        took = sorted(timed(work) for _ in range(ROUNDS))
        middle, late = took[len(took) // 2], took[len(took) * 95 // 100]
        print(f"{name:34} p50 {middle:7.2f}  p95 {late:7.2f}")
        if late > METRICS_TARGET:
            missed.append(f"{kind}: {name} takes {late:.0f} ms (p95; wanted: {METRICS_TARGET})")
    return missed


def page(db: Database, query: dict[str, Any]) -> None:
    """Read a page as the service does, without its count."""
    asked: Page = query["page"]
    with db.read() as session:
        wanted = selection.chosen(session, query, None)
        order = {"sort": asked.sort or "last_seen", "descending": asked.descending or asked.sort is None}
        finding_list.page(session, wanted, limit=asked.limit, **order)  # type: ignore[arg-type]


def counted(db: Database, query: dict[str, Any]) -> None:
    """Ask the service for a page of one, which is mostly the count."""
    service.listed(db, query | {"page": Page(limit=1)}, None)


def _page(db: Database, wanted: finding_list.Filter, key: tuple[Any, ...] | None) -> None:
    with db.read() as session:
        finding_list.page(session, wanted, limit=50, after=key)


def in_turn(one: Callable[[], None], other: Callable[[], None]) -> tuple[float, float]:
    """Time two things alternately; return milliseconds of each."""
    ones, others = [], []
    for _ in range(ROUNDS):
        ones.append(timed(one))
        others.append(timed(other))
        if len(others) > 1 and others[-1] > LONG * 1000:
            break
    return quiet(ones), quiet(others)


def quiet(figures: list[float]) -> float:
    """Return the median of the lower half."""
    return statistics.median(sorted(figures)[: max(len(figures) // 2, 1)])


def timed(work: Callable[[], object]) -> float:
    """Return how many milliseconds some work takes."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def insert(cache: Path, many: int = 20_000) -> None:
    """Print how many rows a second go into the large database, with all its indexes and with fewer."""
    rows = [dict(zip(finding_rows.COLUMNS, row, strict=True)) for row in finding_rows.more(many, LARGE)]
    names = ", ".join(f'"{name}"' for name in finding_rows.COLUMNS)
    marks = ", ".join(f":{name}" for name in finding_rows.COLUMNS)
    into = f"INSERT INTO findings ({names}) VALUES ({marks})"  # noqa: S608
    with tempfile.TemporaryDirectory() as folder:
        path = finding_rows.copy(LARGE, cache, Path(folder) / "copy.db")
        engine = sa.create_engine(f"sqlite:///{path}")
        with engine.connect() as session:
            driver: Any = session.connection.dbapi_connection
            for gone in (None, *sorted(str(index.name) for index in findings.indexes)):
                driver.execute("SAVEPOINT it")
                if gone:
                    driver.execute(f'DROP INDEX "{gone}"')
                took = timed(lambda: driver.executemany(into, rows))
                print(f"inserts/s without {gone or 'nothing'}: {many / took * 1000:,.0f}")
                driver.execute("ROLLBACK TO it")


if __name__ == "__main__":
    sys.exit(main())
