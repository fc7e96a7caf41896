/** Going live by WHIP (RFC 9725): one video and one audio track, replaced without renegotiating. */

import type { MediaOptions } from './media'
import { MediaSession, type SessionListeners } from './session'

/** What a good downlink carries well; the server may ask for less. */
export const VIDEO_BITRATE_MAX_BPS = 2_500_000

/** The picture in three sizes, the smallest first: each viewer is sent the one their line carries. */
export const LAYERS: readonly RTCRtpEncodingParameters[] = [
  { rid: 'q', scaleResolutionDownBy: 4, maxBitrate: 150_000 },
  { rid: 'h', scaleResolutionDownBy: 2, maxBitrate: 600_000 },
  { rid: 'f', maxBitrate: VIDEO_BITRATE_MAX_BPS },
]

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
    const options: RTCRtpTransceiverInit = { direction: 'sendonly', streams: [this.source] }
    this.video = peer.addTransceiver(video ?? 'video', { ...options, sendEncodings: [...LAYERS] }).sender
    this.audio = peer.addTransceiver(audio ?? 'audio', options).sender
  }

  /** Switch camera, microphone or screen while live. */
  async replace(source: MediaStream): Promise<void> {
    this.source = source
    await this.video?.replaceTrack(source.getVideoTracks()[0] ?? null)
    await this.audio?.replaceTrack(source.getAudioTracks()[0] ?? null)
  }
}
