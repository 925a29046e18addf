"""Every storage test runs on every database that is there."""

from tests.databases import db, db_kind, db_template, db_url

__all__ = ["db", "db_kind", "db_template", "db_url"]
