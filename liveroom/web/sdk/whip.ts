/** Going live by WHIP (RFC 9725): one video and one audio track, replaced without renegotiating. */

import type { MediaOptions } from './media'
import { MediaSession, type SessionListeners } from './session'

/** What one viewer's downlink carries well; the server may ask for less. */
export const VIDEO_BITRATE_MAX_BPS = 2_500_000

export class Publisher extends MediaSession<SessionListeners> {
  private video: RTCRtpSender | null = null
  private audio: RTCRtpSender | null = null

  constructor(
    options: MediaOptions,
    private source: MediaStream,
  ) {
    super(options, 'outbound')
  }

  protected prepare(peer: RTCPeerConnection): void {
    const [video] = this.source.getVideoTracks()
    const [audio] = this.source.getAudioTracks()
    const encodings = [{ maxBitrate: VIDEO_BITRATE_MAX_BPS }]
    const options: RTCRtpTransceiverInit = { direction: 'sendonly', streams: [this.source] }
    this.video = peer.addTransceiver(video ?? 'video', { ...options, sendEncodings: encodings }).sender
    this.audio = peer.addTransceiver(audio ?? 'audio', options).sender
  }

  /** Switch camera, microphone or screen while live. */
  async replace(source: MediaStream): Promise<void> {
    this.source = source
    await this.video?.replaceTrack(source.getVideoTracks()[0] ?? null)
    await this.audio?.replaceTrack(source.getAudioTracks()[0] ?? null)
  }
}
