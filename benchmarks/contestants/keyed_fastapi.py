# mypy: ignore-errors
"""The list of `usual_fastapi` for those who show an API key: a dependency looks its hash up by the ORM."""

from hashlib import sha256
from typing import Annotated

from fastapi import Depends, HTTPException, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import Mapped, Session, joinedload, mapped_column, relationship
from usual_fastapi import Base, Listed, app, list_findings, session


class ApiKey(Base):
    """A row of api_keys."""

    __tablename__ = "api_keys"
    id: Mapped[str] = mapped_column(primary_key=True)
    is_active: Mapped[bool]


class ApiKeySecret(Base):
    """A row of api_key_secrets."""

    __tablename__ = "api_key_secrets"
    hash: Mapped[str] = mapped_column(primary_key=True)
    key_id: Mapped[str] = mapped_column(ForeignKey("api_keys.id"))
    key: Mapped[ApiKey] = relationship()


def api_key(
    shown: Annotated[HTTPAuthorizationCredentials, Security(HTTPBearer())],
    db: Annotated[Session, Depends(session)],
) -> ApiKey:
    """Return the key that a request shows."""
    wanted = select(ApiKeySecret).options(joinedload(ApiKeySecret.key))
    found = db.scalar(wanted.where(ApiKeySecret.hash == sha256(shown.credentials.encode()).hexdigest()))
    if found is None or not found.key.is_active:
        raise HTTPException(401)
    return found.key


app.get("/api/v1/keyed-findings", response_model=Listed, dependencies=[Depends(api_key)])(list_findings)
