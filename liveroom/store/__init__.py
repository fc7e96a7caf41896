"""Truth: one set of tables and commands for SQLite and PostgreSQL."""
