/**
 * What WHIP and WHEP share: offer by POST, answer in the 201, DELETE at the end (RFC 9725 4).
 *
 * No trickle: the server is ICE-lite and learns our address from our own checks.
 */

import { Refusal } from './http'

export interface MediaOptions {
  readonly url: string
  readonly token: string
  readonly iceServers?: RTCIceServer[]
  readonly fetch?: typeof globalThis.fetch
  readonly RTCPeerConnection?: typeof globalThis.RTCPeerConnection
  readonly random?: () => number
}

export type MediaState = 'idle' | 'connecting' | 'connected' | 'lost' | 'closed'

/** A session resource at the server, as its Location and ETag name it. */
export interface Resource {
  readonly location: string
  readonly etag: string | null
}

/** POST the local description and set the remote one. */
export async function negotiate(peer: RTCPeerConnection, options: MediaOptions): Promise<Resource> {
  const fetch = options.fetch ?? globalThis.fetch.bind(globalThis)
  if (!peer.localDescription) await peer.setLocalDescription(await peer.createOffer())
  const response = await fetch(options.url, {
    method: 'POST',
    headers: { 'content-type': 'application/sdp', authorization: `Bearer ${options.token}` },
    body: peer.localDescription?.sdp ?? '',
  })
  const body = await response.text()
  if (response.status !== 201) throw mediaRefusal(response.status, body)
  const location = new URL(response.headers.get('location') ?? '', response.url || options.url).href
  await peer.setRemoteDescription({ type: 'answer', sdp: body })
  return { location, etag: response.headers.get('etag') }
}

/** Tell the server that the session is over; it finds out by itself if this is lost. */
export async function release(resource: Resource | null, options: MediaOptions): Promise<void> {
  if (!resource) return
  const fetch = options.fetch ?? globalThis.fetch.bind(globalThis)
  try {
    await fetch(resource.location, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${options.token}` },
      keepalive: true,
    })
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
  }
}

function mediaRefusal(status: number, body: string): Refusal {
  try {
    const problem = JSON.parse(body) as { code?: string; detail?: string; title?: string; retry_ms?: number }
    return new Refusal(problem.code ?? `http_${status}`, problem.detail ?? problem.title ?? '', status, problem.retry_ms)
  } catch {
    return new Refusal(`http_${status}`, body.slice(0, 200), status)
  }
}

/** Rates over one interval, from two readings of getStats. */
export interface MediaStats {
  readonly bitrateBps: number
  readonly packetsLost: number
  /** Share of packets lost in the interval, 0 to 1. */
  readonly loss: number
  readonly framesPerSecond: number
  readonly width: number
  readonly height: number
  readonly framesDecoded: number
  readonly roundTripMs: number | null
  /** Sound came in the interval, and no picture: where both do not fit the server keeps the sound. */
  readonly soundOnly: boolean
}

interface Reading {
  readonly at: number
  readonly bytes: number
  readonly packets: number
  readonly lost: number
  readonly pictures: number
}

/** Turns successive reports into rates. */
export class StatsMeter {
  private last: Reading | null = null

  constructor(private readonly direction: 'inbound' | 'outbound') {}

  async read(peer: RTCPeerConnection): Promise<MediaStats> {
    const report = await peer.getStats()
    const sum = { bytes: 0, packets: 0, lost: 0, fps: 0, width: 0, height: 0, decoded: 0, pictures: 0 }
    let roundTripMs: number | null = null
    report.forEach((row: Record<string, unknown>) => {
      const number = (name: string): number => (typeof row[name] === 'number' ? (row[name] as number) : 0)
      if (row['type'] === `${this.direction}-rtp`) {
        sum.bytes += number(this.direction === 'inbound' ? 'bytesReceived' : 'bytesSent')
        sum.packets += number(this.direction === 'inbound' ? 'packetsReceived' : 'packetsSent')
        sum.lost += number('packetsLost')
        if (row['kind'] === 'video') {
          sum.pictures += number(this.direction === 'inbound' ? 'packetsReceived' : 'packetsSent')
          sum.fps = Math.max(sum.fps, number('framesPerSecond'))
          sum.width = Math.max(sum.width, number('frameWidth'))
          sum.height = Math.max(sum.height, number('frameHeight'))
          sum.decoded += number('framesDecoded')
        }
      } else if (row['type'] === 'remote-inbound-rtp' && this.direction === 'outbound') {
        sum.lost += number('packetsLost')
        if (typeof row['roundTripTime'] === 'number') roundTripMs = (row['roundTripTime'] as number) * 1000
      }
    })
    const now: Reading = { at: Date.now(), bytes: sum.bytes, packets: sum.packets, lost: sum.lost, pictures: sum.pictures }
    const last = this.last
    this.last = now
    const seconds = last ? Math.max(0.001, (now.at - last.at) / 1000) : 0
    const lost = last ? Math.max(0, now.lost - last.lost) : 0
    const packets = last ? Math.max(0, now.packets - last.packets) : 0
    return {
      bitrateBps: last ? Math.max(0, ((now.bytes - last.bytes) * 8) / seconds) : 0,
      packetsLost: now.lost,
      loss: packets + lost > 0 ? lost / (packets + lost) : 0,
      framesPerSecond: sum.fps,
      width: sum.width,
      height: sum.height,
      framesDecoded: sum.decoded,
      roundTripMs,
      soundOnly: last !== null && packets > 0 && now.pictures === last.pictures,
    }
  }
}
