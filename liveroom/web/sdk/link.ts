/**
 * One websocket from hello to close: codec, liveness, and how it ended. No memory beyond itself.
 */

import { closingOf, type Closing } from './closing'
import { decodeFrame, encodeFrame, JSON_TEXT, MSGPACK, type ClientFrame, type ServerFrame } from './frames'

export const WELCOME_TIMEOUT_MS = 8_000
export const PING_INTERVAL_MS = 5_000
/** An answer later than this is a weak network. */
export const WEAK_AFTER_MS = 1_500
/** Silence after a ping that means the connection is dead. */
export const DEAD_AFTER_MS = 12_000

/** The part of WebSocket that we use; browsers', `ws`'s and Node's all have it. */
export interface Socket {
  binaryType: string
  readonly protocol: string
  readonly readyState: number
  send(data: string | Uint8Array<ArrayBuffer>): void
  close(code?: number, reason?: string): void
  addEventListener(type: string, listener: (event: never) => void): void
}
export type SocketMaker = new (url: string, protocols?: string[]) => Socket

export interface LinkHandlers {
  readonly hello: () => ClientFrame
  readonly frame: (frame: ServerFrame) => void
  readonly quality: (roundTripMs: number, weak: boolean) => void
  readonly closed: (closing: Closing, afterMs: number | undefined, why: string) => void
}

/** What a visit needs of a connection, whatever carries it. */
export interface Line {
  send(frame: ClientFrame): void
  /** Leave; `closed` is not called. */
  close(code?: number): void
}

export class Link implements Line {
  private readonly socket: Socket
  private watchdog: ReturnType<typeof setTimeout> | undefined
  private pingSentAt = 0
  private bye: { code: number; why: string; afterMs?: number } | null = null
  private over = false

  constructor(
    url: string,
    private readonly handlers: LinkHandlers,
    maker: SocketMaker,
    codec: 'msgpack' | 'json',
  ) {
    this.socket = new maker(url, codec === 'msgpack' ? [MSGPACK, JSON_TEXT] : [JSON_TEXT])
    this.socket.binaryType = 'arraybuffer'
    this.watchdog = setTimeout(() => this.drop('no welcome'), WELCOME_TIMEOUT_MS)
    this.socket.addEventListener('open', () => this.send(handlers.hello()))
    this.socket.addEventListener('message', (event: MessageEvent) => this.receive(event.data))
    this.socket.addEventListener('close', (event: CloseEvent) => this.end(event.code, event.reason))
    this.socket.addEventListener('error', () => undefined) // a close event follows
  }

  send(frame: ClientFrame): void {
    if (this.socket.readyState === 1) this.socket.send(encodeFrame(frame, this.socket.protocol))
  }

  /** Leave; `closed` is not called. */
  close(code = 1000): void {
    this.over = true
    clearTimeout(this.watchdog)
    this.socket.close(code)
  }

  private receive(data: unknown): void {
    if (this.over) return
    const frame = decodeFrame(data)
    if (!frame) return
    if (frame.t === 'bye') this.bye = { code: frame.code, why: frame.why, afterMs: frame.after_ms }
    else if (frame.t === 'pong') this.answered()
    else if (frame.t === 'welcome') this.schedulePing()
    this.handlers.frame(frame)
  }

  private schedulePing(): void {
    clearTimeout(this.watchdog)
    this.watchdog = setTimeout(() => {
      this.pingSentAt = Date.now()
      this.send({ t: 'ping' })
      this.watchdog = setTimeout(() => this.late(), WEAK_AFTER_MS)
    }, PING_INTERVAL_MS)
  }

  private late(): void {
    this.handlers.quality(WEAK_AFTER_MS, true)
    this.watchdog = setTimeout(() => this.drop('silent'), DEAD_AFTER_MS - WEAK_AFTER_MS)
  }

  private answered(): void {
    const roundTripMs = Date.now() - this.pingSentAt
    this.handlers.quality(roundTripMs, roundTripMs > WEAK_AFTER_MS)
    this.schedulePing()
  }

  /** Give up at once: a dead network may never deliver the close event. */
  drop(why: string): void {
    if (this.over) return
    this.socket.close()
    this.end(1006, why)
  }

  private end(code: number, why: string): void {
    if (this.over) return
    this.over = true
    clearTimeout(this.watchdog)
    const known = this.bye ?? { code, why, afterMs: undefined }
    this.handlers.closed(closingOf(code >= 4000 ? code : known.code), known.afterMs, known.why || why)
  }
}
