"""Every socket of the engagement side: REST, pages and the websocket gateway."""
