"""What Alembic runs: the revisions, on the connection and in the transaction that `migrate` opened."""

from alembic import context

from hefesto_api.storage.migrations import triggers
from hefesto_api.storage.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
    compare_type=True,
)
triggers.drop(connection)
context.run_migrations()
triggers.create(connection)
