"""Run by Alembic for each command: on the connection that `storage.migrate` hands over."""

from __future__ import annotations

from alembic import context

from storage.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite cannot alter a column; a batch copies the table
    user_module_prefix="types.",
)
with context.begin_transaction():
    context.run_migrations()
