"""The selective forwarding unit: WebRTC in by WHIP, out by WHEP, never decoded."""
