"""What to forward and what to ask for, without I/O: receive, tick, deadline."""
