"""The wire without I/O: frames to messages, one connection's life, one tick's batch."""
