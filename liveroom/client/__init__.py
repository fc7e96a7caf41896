"""Python clients of a live room: WHIP, WHEP and the websocket. Imports protocol only."""
