/**
 * A media session that keeps itself alive: connects, notices a loss, comes back with backoff.
 *
 * Both directions derive from it; they only say which transceivers they want.
 */

import { backoffMs } from './backoff'
import { Emitter } from './emitter'
import { Refusal } from './http'
import { negotiate, release, StatsMeter, type MediaOptions, type MediaState, type MediaStats, type Resource } from './media'

/** `disconnected` heals by itself most of the time; longer than this it is lost. */
export const DISCONNECTED_GRACE_MS = 4_000
export const CONNECT_TIMEOUT_MS = 10_000

export interface SessionListeners {
  state: MediaState
  refused: Refusal
}

export abstract class MediaSession<M extends SessionListeners> extends Emitter<M> {
  state: MediaState = 'idle'
  protected peer: RTCPeerConnection | null = null
  private resource: Resource | null = null
  private attempt = 0
  private timer: ReturnType<typeof setTimeout> | undefined
  private watchdog: ReturnType<typeof setTimeout> | undefined
  private readonly meter: StatsMeter

  constructor(
    protected options: MediaOptions,
    direction: 'inbound' | 'outbound',
  ) {
    super()
    this.meter = new StatsMeter(direction)
  }

  /** Add the transceivers and listen to the peer's tracks. */
  protected abstract prepare(peer: RTCPeerConnection): void

  /** Connect, and stay connected until `close`. A final no is told by `refused`. */
  async start(): Promise<void> {
    if (this.state === 'closed') return
    this.move('connecting')
    const Peer = this.options.RTCPeerConnection ?? globalThis.RTCPeerConnection
    const peer = new Peer({ iceServers: this.options.iceServers ?? [], bundlePolicy: 'max-bundle' })
    this.peer = peer
    this.prepare(peer)
    peer.addEventListener('connectionstatechange', () => this.changed(peer))
    this.watchdog = setTimeout(() => this.lost(peer), CONNECT_TIMEOUT_MS)
    try {
      const resource = await negotiate(peer, this.options)
      if (this.peer !== peer) return void release(resource, this.options)
      this.resource = resource
    } catch (error) {
      if (this.peer !== peer) return
      if (error instanceof Refusal && error.status >= 400 && error.status < 500 && error.status !== 429) {
        this.stop()
        this.move('closed')
        this.emit('refused', error as M['refused'])
        return
      }
      this.lost(peer, error instanceof Refusal ? error.retryMs : undefined)
    }
  }

  /** Use another token or address from the next connection on. */
  update(options: Partial<MediaOptions>): void {
    this.options = { ...this.options, ...options }
  }

  stats(): Promise<MediaStats> | null {
    return this.peer ? this.meter.read(this.peer) : null
  }

  async close(): Promise<void> {
    const resource = this.resource
    this.stop()
    this.move('closed')
    await release(resource, this.options)
  }

  private stop(): void {
    clearTimeout(this.timer)
    clearTimeout(this.watchdog)
    const peer = this.peer
    this.peer = null
    this.resource = null
    peer?.close()
  }

  private changed(peer: RTCPeerConnection): void {
    if (this.peer !== peer) return
    clearTimeout(this.watchdog)
    if (peer.connectionState === 'connected') {
      this.attempt = 0
      this.move('connected')
    } else if (peer.connectionState === 'failed') {
      this.lost(peer)
    } else if (peer.connectionState === 'disconnected') {
      this.watchdog = setTimeout(() => this.lost(peer), DISCONNECTED_GRACE_MS)
    } else {
      this.watchdog = setTimeout(() => this.lost(peer), CONNECT_TIMEOUT_MS)
    }
  }

  private lost(peer: RTCPeerConnection, afterMs?: number): void {
    if (this.peer !== peer) return
    void release(this.resource, this.options)
    this.stop()
    this.move('lost')
    const waitMs = backoffMs(this.attempt, this.options.random ?? Math.random, afterMs)
    this.attempt += 1
    this.timer = setTimeout(() => void this.start(), waitMs)
  }

  private move(state: MediaState): void {
    if (this.state === 'closed' || this.state === state) return
    this.state = state
    this.emit('state', state as M['state'])
  }
}
