"""The history of the schema, applied by Alembic (see `hefesto_api.storage.migrate`)."""
