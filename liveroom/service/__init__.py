"""Order of things: load, decide, commit, publish. No sockets, no rules."""
