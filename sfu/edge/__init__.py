"""Sockets of the forwarding unit: one UDP port, the fan-out call, WHIP and WHEP as plain values."""
