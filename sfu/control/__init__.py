"""The slow path, seconds not packets: SDP, ICE-lite, DTLS, sessions."""
