# mypy: ignore-errors
"""The list of findings as it is usually written: FastAPI, an ORM session for each request, pydantic models.

Reads the same SQLite file as the service (`DATABASE`), with the same filters, order, fields and total.
"""

import os
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query
from pydantic import BaseModel, ConfigDict
from sqlalchemy import ForeignKey, create_engine, func, select
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    joinedload,
    mapped_column,
    relationship,
    sessionmaker,
)

engine = create_engine(f"sqlite:///{os.environ['DATABASE']}", connect_args={"check_same_thread": False})
SessionLocal = sessionmaker(engine)
app = FastAPI()


class Base(DeclarativeBase):
    """What all tables share."""


class Project(Base):
    """A row of projects."""

    __tablename__ = "projects"
    id: Mapped[str] = mapped_column(primary_key=True)
    slug: Mapped[str]


class Finding(Base):
    """A row of findings."""

    __tablename__ = "findings"
    id: Mapped[str] = mapped_column(primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    file_path: Mapped[str]
    line: Mapped[int]
    column: Mapped[int]
    analyzer: Mapped[str]
    tool: Mapped[str]
    rule_id: Mapped[str]
    severity: Mapped[str]
    severity_rank: Mapped[int]
    confidence: Mapped[float]
    description: Mapped[str]
    status: Mapped[str]
    first_seen: Mapped[str]
    last_seen: Mapped[str]
    occurrence_count: Mapped[int]
    function_name: Mapped[str | None]
    owner: Mapped[Project] = relationship()

    @property
    def project(self) -> str:
        """The slug."""
        return self.owner.slug

    @property
    def timestamp(self) -> str:
        """When it was last seen."""
        return self.last_seen


class Item(BaseModel):
    """A finding as the list shows it."""

    model_config = ConfigDict(from_attributes=True)
    id: str
    timestamp: str
    project: str
    file_path: str
    line: int
    column: int
    analyzer: str
    tool: str
    rule_id: str
    severity: str
    confidence: float
    description: str
    status: str
    first_seen: str
    last_seen: str
    occurrence_count: int
    function_name: str | None


class Listed(BaseModel):
    """A page."""

    findings: list[Item]
    total_count: int


def session() -> Iterator[Session]:
    """Open a session for a request."""
    with SessionLocal() as opened:
        yield opened


@app.get("/readyz")
def ready() -> dict[str, bool]:
    """Answer."""
    return {"ok": True}


@app.get("/api/v1/findings", response_model=Listed)
def list_findings(
    db: Annotated[Session, Depends(session)],
    project: str | None = None,
    status: str = "open",
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> dict[str, Any]:
    """List findings."""
    wanted = select(Finding).where(Finding.status == status)
    if project is not None:
        wanted = wanted.join(Finding.owner).where(Project.slug == project)
    total = db.scalar(select(func.count()).select_from(wanted.subquery()))
    page = wanted.options(joinedload(Finding.owner)).order_by(Finding.last_seen.desc(), Finding.id.desc())
    return {"findings": db.scalars(page.limit(limit).offset(offset)).all(), "total_count": total}
