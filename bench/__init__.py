"""Measurements: `python -m bench NAME`, each with a table, JSON, and an HTML page with plots."""
