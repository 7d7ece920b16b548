"""Alembic's entry: the connection comes from `newsletter.database.migrate`."""

from alembic import context

from newsletter.database.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
