"""Alembic's entry: run the migrations on the connection that `store/migrating` hands over."""

from alembic import context

from liveroom.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=False)
context.run_migrations()
