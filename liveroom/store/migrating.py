"""Bring a database to this version's tables, by Alembic on a connection that is open already."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection

HEAD: Final = "0014"
"""The newest revision in `migrations/versions`; a test compares."""

_SCRIPTS: Final = Path(__file__).parent / "migrations"


def config_for(connection: Connection | None = None) -> Config:
    """Describe our migrations to Alembic; they run on the given connection."""
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.attributes["connection"] = connection
    return config


def at_head(connection: Connection) -> bool:
    """Whether the tables are those of this version."""
    return MigrationContext.configure(connection).get_current_revision() == HEAD


def migrate(connection: Connection) -> None:
    """Apply what is missing, inside the caller's transaction."""
    command.upgrade(config_for(connection), "head")
