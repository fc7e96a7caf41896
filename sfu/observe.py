"""Metrics of the media server; for shells only, never for control, media or packet.

Names of the contract; counters are added to once per batch, never per packet.
"""

from prometheus_client import Counter, Gauge, Histogram

FORWARD_BUCKETS_S = (
    0.0001,
    0.00025,
    0.0005,
    0.001,
    0.0025,
    0.0035,
    0.005,
    0.0075,
    0.01,
    0.015,
    0.02,
    0.05,
    0.1,
    0.25,
    1.0,
)

packets_in = Counter("liveroom_media_packets_in", "Authenticated RTP and RTCP packets received.")
packets_out = Counter("liveroom_media_packets_out", "RTP and RTCP packets sent.")
bytes_out = Counter("liveroom_media_bytes_out", "Bytes of RTP and RTCP sent, protected.")
forward_seconds = Histogram(
    "liveroom_media_forward_seconds",
    "From the socket's receive to the last send of what follows from it.",
    buckets=FORWARD_BUCKETS_S,
)
sessions = Gauge("liveroom_media_sessions", "Open media sessions.")
publishers = Gauge("liveroom_media_publishers", "Open media sessions that publish.")
datagrams_dropped = Counter(
    "liveroom_media_datagrams_dropped", "Datagrams that came to nothing.", ["reason"]
)
send_failures = Counter("liveroom_media_send_failures", "Packets not sent.", ["reason"])
send_calls = Counter(
    "liveroom_media_send_calls", "Calls of the kernel that sent packets; many a call is cheap."
)
segmentation_refused = Counter(
    "liveroom_media_segmentation_refused",
    "Times the kernel (socket) or a path (address) refused UDP segmentation offload.",
    ["scope"],
)
numbers_asked = Counter(
    "liveroom_media_numbers_asked", "Lost packets asked of publishers again, each request counted."
)
keyframes_asked = Counter("liveroom_media_keyframes_asked", "Key frames asked of publishers.")
replays = Counter("liveroom_media_replays", "Viewers shown the group of pictures of the moment.")
replay_packets = Counter("liveroom_media_replay_packets", "Packets of those replays.")
replay_fallbacks = Counter(
    "liveroom_media_replay_fallbacks",
    "Key frames asked for instead of, or besides, a replay.",
    ["reason"],
)
recordings = Gauge("liveroom_media_recordings", "Recordings that go on now.")
recordings_finished = Counter(
    "liveroom_media_recordings_finished", "Recordings that ended, by reason.", ["reason"]
)
recording_packets = Counter("liveroom_media_recording_packets", "Packets handed to the recorder.")
recording_gaps = Counter(
    "liveroom_media_recording_gaps",
    "Times a recording has a gap: lost on the way (missing), or the recorder was slow (slow).",
    ["reason"],
)
previews = Counter("liveroom_media_previews", "Pictures of rooms, by outcome.", ["outcome"])
batch_packets = Histogram(
    "liveroom_media_batch_packets",
    "Datagrams read per wakeup of the socket.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
)
