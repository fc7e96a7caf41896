/**
 * Watching by WHEP: all the stage's slots are asked for in the first offer, so that who stands
 * where can change without another one. One stream a slot; the host's is the first.
 */

import type { MediaOptions } from './media'
import { MediaSession, type SessionListeners } from './session'

/** As many guests as a stage has places for. */
export const GUESTS_MAX = 8
/** What guests' browsers and other rooms' hosts send; every further codec makes the offer longer. */
const GUEST_CODECS = ['video/VP8', 'video/H264', 'video/rtx', 'audio/opus']

export interface PlayerListeners extends SessionListeners {
  stream: MediaStream
  /** A slot's stream has got a track. */
  slot: number
}

export class Player extends MediaSession<PlayerListeners> {
  /** The main place. */
  stream: MediaStream | null = null
  /** Every slot's stream, by its number. */
  streams: readonly MediaStream[] = []

  constructor(
    options: MediaOptions,
    private readonly guests = 0,
  ) {
    super(options, 'inbound')
  }

  protected prepare(peer: RTCPeerConnection): void {
    const streams = Array.from({ length: 1 + this.guests }, () => new MediaStream())
    const places = new Map<RTCRtpTransceiver, number>()
    this.streams = streams
    this.stream = streams[0] ?? null
    for (const slot of streams.keys()) {
      for (const kind of ['video', 'audio'] as const) {
        const transceiver = peer.addTransceiver(kind, { direction: 'recvonly' })
        if (slot > 0) prefer(transceiver, kind)
        places.set(transceiver, slot)
      }
    }
    peer.addEventListener('track', (event) => {
      const slot = places.get(event.transceiver) ?? 0
      const stream = streams[slot]
      if (!stream || this.peer !== peer) return
      stream.addTrack(event.track)
      if (slot === 0) this.emit('stream', stream)
      this.emit('slot', slot)
    })
  }
}

/** Ask for few codecs where few are needed; a browser that cannot choose offers all. */
function prefer(transceiver: RTCRtpTransceiver, kind: 'audio' | 'video'): void {
  const codecs = globalThis.RTCRtpReceiver?.getCapabilities?.(kind)?.codecs ?? []
  const wanted = codecs.filter(
    ({ mimeType, sdpFmtpLine = '' }) =>
      GUEST_CODECS.includes(mimeType) && (mimeType !== 'video/H264' || sdpFmtpLine.includes('packetization-mode=1')),
  )
  if (wanted.length > 0) transceiver.setCodecPreferences?.(wanted)
}
