/**
 * A visit to a room: join, connect, resume, and everything that happens there as typed events.
 *
 * Public durable events reach the listener exactly once over any number of reconnects. Draws
 * nothing; runs in browsers and in Node.
 */

import { backoffMs } from './backoff'
import type { Closing } from './closing'
import { Commands, type Answer } from './commands'
import { Emitter } from './emitter'
import type { Counters, EventOf, Kind, RoomCard, RoomEvent, Snapshot, You } from './events'
import type { Resume, ServerFrame, WelcomeFrame } from './frames'
import { Api, Refusal, type Joined } from './http'
import { freshId } from './ids'
import { Likes } from './likes'
import { Link, type Line, type LinkHandlers, type SocketMaker } from './link'
import { Recent } from './recent'
import { isFinal, type RoomState } from './state'
import { EventLink } from './stream'

/** Join again, not only reconnect, after this many failures: the gateway may have moved. */
export const REJOIN_AFTER = 3

export type Transport = 'websocket' | 'events'

export interface ConnectOptions {
  readonly baseUrl: string
  readonly room: string
  readonly token?: string | null
  readonly ticket?: string | null
  readonly codec?: 'msgpack' | 'json'
  readonly WebSocket?: SocketMaker
  /** `auto` (default) begins with a websocket and goes over to server-sent events where it is blocked. */
  readonly transport?: 'auto' | Transport
  readonly fetch?: typeof globalThis.fetch
  readonly random?: () => number
  readonly newId?: () => string
  /** Called when the token has expired; resolves to a fresh one, or null to give up. */
  readonly renew?: () => Promise<string | null>
  /** Keep what happens until `release`: the visit begins before the page can draw. */
  readonly hold?: boolean
}

/** So many connections in a row that brought no welcome: try the other way in. */
export const FALL_BACK_AFTER = 2

/** While held, the oldest of more events than this are let go. */
export const HELD_MAX = 1_000

export type RoomListeners = { [K in Kind]: EventOf<K> } & {
  state: RoomState
  welcome: WelcomeFrame
  /** A fresh picture replaces what was drawn: first entry, or too much was missed. */
  reset: Snapshot
  event: RoomEvent
  counters: Counters
  token: string
}

export class Room extends Emitter<RoomListeners> {
  readonly api: Api
  /** Resolves at the first successful join: media can start without waiting for the welcome. */
  readonly joined: Promise<Joined & { token: string }>
  state: RoomState = { phase: 'joining' }
  token: string | null
  you: You | null = null
  card: RoomCard | null = null
  snapshot: Snapshot | null = null
  /** What carries the visit now. */
  transport: Transport

  private readonly commands = new Commands()
  private readonly likes = new Likes((n) => this.link?.send({ t: 'like', n }))
  private readonly ids = new Recent<string>()
  private readonly random: () => number
  private readonly newId: () => string
  private held: RoomEvent[] | null
  private welcome: WelcomeFrame | null = null
  private link: Line | null = null
  private unwelcomed = 0
  private welcomedHere = false
  private gatewayUrl: string | null = null
  private resume: Resume | null = null
  private attempt = 0
  private timer: ReturnType<typeof setTimeout> | undefined
  private wakeUp: (() => void) | null = null
  private settleJoined!: (joined: Joined & { token: string }) => void

  constructor(private readonly options: ConnectOptions) {
    super()
    this.api = new Api(options.baseUrl, options.fetch)
    this.random = options.random ?? Math.random
    this.newId = options.newId ?? freshId
    this.token = options.token ?? null
    this.held = options.hold ? [] : null
    this.transport = options.transport === 'events' ? 'events' : 'websocket'
    this.joined = new Promise((resolve) => {
      this.settleJoined = resolve
    })
    void this.enter()
  }

  say(text: string): Promise<Answer> {
    return this.commands.submit({ t: 'say', id: this.newId(), text })
  }

  /** Count likes; they travel together a few times a second. */
  like(count = 1): void {
    this.likes.add(count)
  }

  gift(gift: string, count = 1): Promise<Answer> {
    return this.commands.submit({ t: 'gift', id: this.newId(), gift, count })
  }

  /** Ask for anything else; resolves to the command's result. */
  ask(command: string, arguments_: Record<string, unknown> = {}): Promise<Answer> {
    return this.commands.submit({ t: 'ask', id: this.newId(), do: command, with: arguments_ })
  }

  /** Hand over a fresh token before the old one expires. */
  renewToken(token: string): void {
    this.token = token
    this.link?.send({ t: 'token', token })
    this.emit('token', token)
  }

  /** Stop waiting and try now (the person pressed a button, the device is online again). */
  retryNow(): void {
    if (!isFinal(this.state)) this.wakeUp?.()
  }

  /** The page is ready: tell it where the visit stands, then everything held back. */
  release(): void {
    const held = this.held ?? []
    this.held = null
    this.emit('state', this.state)
    if (this.welcome) this.emit('welcome', this.welcome)
    if (this.snapshot) this.emit('reset', this.snapshot)
    for (const cue of this.snapshot?.cues ?? []) this.tell(cue)
    if (this.snapshot?.counters) this.emit('counters', this.snapshot.counters)
    for (const event of held) this.tell(event)
  }

  /** Leave for good. */
  close(): void {
    clearTimeout(this.timer)
    this.likes.close()
    this.link?.close()
    this.link = null
    this.commands.close()
    this.move({ phase: 'closed' })
  }

  private move(state: RoomState): void {
    if (isFinal(this.state)) return
    this.state = state
    this.emit('state', state)
  }

  private async enter(): Promise<void> {
    try {
      if (this.options.ticket && !this.token) {
        this.token = (await this.api.trade(this.options.ticket)).token
        this.emit('token', this.token)
      }
      const joined = await this.api.join(this.options.room, this.token)
      this.token = joined.token ?? this.token
      this.gatewayUrl = joined.gateway_url
      this.settleJoined({ ...joined, token: this.token ?? '' })
      this.open()
    } catch (error) {
      await this.refused(error)
    }
  }

  /** Tell a no from a network that is away. */
  private async refused(error: unknown): Promise<void> {
    if (isFinal(this.state)) return
    if (!(error instanceof Refusal)) return this.retry(undefined)
    if (error.code === 'no_such_room' || error.status === 404) return this.move({ phase: 'missing' })
    if (error.code === 'expired') return this.expired(error.why)
    if (error.status === 503 || error.status === 429) {
      return this.retry(error.retryMs, error.code === 'full')
    }
    if (error.status >= 500) return this.retry(undefined)
    const verdict = error.code === 'banned' || error.code === 'kicked' ? error.code : 'refused'
    this.move({ phase: verdict, why: error.why })
  }

  private async expired(why: string): Promise<void> {
    const token = this.options.renew ? await this.options.renew().catch(() => null) : null
    if (!token || token === this.token) return this.move({ phase: 'expired', why })
    this.token = token
    this.emit('token', token)
    return this.enter()
  }

  private open(): void {
    if (isFinal(this.state) || !this.gatewayUrl) return
    this.welcomedHere = false
    const handlers: LinkHandlers = {
      hello: () => ({
        t: 'hello',
        token: this.token ?? '',
        room: this.options.room,
        ...(this.resume ? { resume: this.resume } : {}),
      }),
      frame: (frame) => this.receive(frame),
      quality: (roundTripMs, weak) => {
        if (weak) this.move({ phase: 'weak', roundTripMs })
        else if (this.state.phase === 'weak') this.move({ phase: 'live' })
      },
      closed: (closing, afterMs, why) => this.lost(closing, afterMs, why),
    }
    this.link = this.transport === 'events' ? this.byEvents(handlers) : this.bySocket(this.gatewayUrl, handlers)
  }

  private bySocket(url: string, handlers: LinkHandlers): Line | null {
    const maker = this.options.WebSocket ?? (globalThis.WebSocket as unknown as SocketMaker)
    try {
      return new Link(url, handlers, maker, this.options.codec ?? 'msgpack')
    } catch (error) {
      // a browser that may not open it says so at once (content policy, mixed content)
      this.lost({ comeBack: true, why: 'lost' }, undefined, String(error))
      return null
    }
  }

  private byEvents(handlers: LinkHandlers): Line {
    return new EventLink(
      {
        baseUrl: this.options.baseUrl,
        room: this.options.room,
        token: this.token ?? '',
        resume: this.resume,
        fetch: this.options.fetch ?? globalThis.fetch.bind(globalThis),
      },
      handlers,
    )
  }

  private receive(frame: ServerFrame): void {
    switch (frame.t) {
      case 'welcome':
        return this.welcomed(frame)
      case 'batch': {
        const before = this.resume?.offset ?? 0
        this.resume = { ...this.resume, epoch: frame.epoch, offset: Math.max(before, frame.offset) }
        if (frame.counters) this.emit('counters', frame.counters)
        return this.deliver(frame.events, before, 0)
      }
      case 'to_you': {
        const before = this.resume?.personal ?? 0
        if (this.resume) this.resume = { ...this.resume, personal: Math.max(before, frame.personal) }
        return this.deliver(frame.events, 0, before)
      }
      case 'ok':
      case 'no':
        return this.commands.receive(frame)
      case 'move':
        return this.lostSoon(frame.after_ms)
      default:
        return
    }
  }

  private welcomed(frame: WelcomeFrame): void {
    this.attempt = 0
    this.unwelcomed = 0
    this.welcomedHere = true
    this.you = frame.you
    this.card = frame.room
    this.snapshot = frame.snapshot
    this.welcome = frame
    const first = this.resume === null
    const newHistory = this.resume?.epoch !== frame.epoch
    if (!frame.resumed) {
      if (newHistory) this.ids.clear()
      this.resume = { epoch: frame.epoch, offset: frame.offset, personal: frame.personal }
    }
    this.move({ phase: 'live' })
    this.emit('welcome', frame)
    if (first || !frame.resumed) this.emit('reset', frame.snapshot)
    if (!this.held) for (const cue of frame.snapshot.cues ?? []) this.tell(cue)
    if (frame.snapshot.counters) this.emit('counters', frame.snapshot.counters)
    this.commands.connected((command) => this.link?.send(command))
  }

  /** Tell what is new: `offset` and `personal` are where this visit stood when the frame came. */
  private deliver(events: readonly RoomEvent[], offset: number, personal: number): void {
    for (const event of events) {
      if ((event.n ?? Infinity) <= offset || (event.pn ?? Infinity) <= personal) continue
      // the id alone would do; numbers also catch a copy that was encoded anew
      if (!this.ids.add(event.id)) continue
      if (event.n !== undefined && event.n !== null && !this.ids.add(`n${event.n}`)) continue
      if (event.pn !== undefined && event.pn !== null && !this.ids.add(`p${event.pn}`)) continue
      if (this.held) {
        this.held.push(event)
        if (this.held.length > HELD_MAX) this.held.shift()
      } else this.tell(event)
    }
  }

  private tell(event: RoomEvent): void {
    this.emit(event.k, event as never)
    this.emit('event', event)
  }

  /** The server is draining: come back elsewhere, in its own time. */
  private lostSoon(afterMs: number): void {
    const link = this.link
    clearTimeout(this.timer)
    this.timer = setTimeout(() => {
      if (link !== this.link) return
      link?.close(4000)
      this.lost({ comeBack: true, why: 'move' }, 0, 'move')
    }, afterMs)
  }

  private lost(closing: Closing, afterMs: number | undefined, why: string): void {
    this.link = null
    this.commands.disconnected()
    if (closing.comeBack && closing.why === 'lost' && !this.welcomedHere) this.reconsider()
    if (!closing.comeBack) {
      if (closing.verdict === 'expired') {
        void this.expired(why)
        return
      }
      this.commands.close()
      return this.move({ phase: closing.verdict, why })
    }
    this.retry(afterMs, closing.why === 'full')
  }

  /** Neither a welcome nor a reason: perhaps the network lets only the other way through. */
  private reconsider(): void {
    this.unwelcomed += 1
    if ((this.options.transport ?? 'auto') !== 'auto' || this.unwelcomed < FALL_BACK_AFTER) return
    this.unwelcomed = 0
    this.transport = this.transport === 'events' ? 'websocket' : 'events'
  }

  private retry(afterMs: number | undefined, full = false): void {
    const online = (globalThis.navigator as Navigator | undefined)?.onLine !== false
    const waitMs = backoffMs(this.attempt, this.random, afterMs)
    this.attempt += 1
    const retryAt = Date.now() + waitMs
    if (!online) this.move({ phase: 'offline' })
    else if (full) this.move({ phase: 'full', retryAt })
    else this.move({ phase: 'reconnecting', attempt: this.attempt, retryAt })
    clearTimeout(this.timer)
    const go = (): void => {
      clearTimeout(this.timer)
      this.wakeUp = null
      if (isFinal(this.state)) return
      if (!this.gatewayUrl || this.attempt > REJOIN_AFTER) void this.enter()
      else this.open()
    }
    this.wakeUp = go
    this.timer = setTimeout(go, waitMs)
  }
}

/** Enter a room. Listen with `on`; the first state is `joining`. */
export function connect(options: ConnectOptions): Room {
  return new Room(options)
}
