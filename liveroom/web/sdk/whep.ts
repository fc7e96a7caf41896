/** Watching by WHEP: one video, one audio, both only received; the stage's slot 0. */

import type { MediaOptions } from './media'
import { MediaSession, type SessionListeners } from './session'

export interface PlayerListeners extends SessionListeners {
  stream: MediaStream
}

export class Player extends MediaSession<PlayerListeners> {
  stream: MediaStream | null = null

  constructor(options: MediaOptions) {
    super(options, 'inbound')
  }

  protected prepare(peer: RTCPeerConnection): void {
    const stream = new MediaStream()
    this.stream = stream
    peer.addTransceiver('video', { direction: 'recvonly' })
    peer.addTransceiver('audio', { direction: 'recvonly' })
    peer.addEventListener('track', (event) => {
      stream.addTrack(event.track)
      this.emit('stream', stream)
    })
  }
}
