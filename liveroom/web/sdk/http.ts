/**
 * The REST side: join, tickets, checkouts, numbers. Problem documents become `Refusal`s.
 */

import type { RoomCard, Snapshot, Product } from './events'

/** The server said no: a stable code and a sentence that says what to do. */
export class Refusal extends Error {
  constructor(
    readonly code: string,
    readonly why: string,
    readonly status = 0,
    readonly retryMs?: number,
  ) {
    super(`${code}: ${why}`)
    this.name = 'Refusal'
  }
}

/** All that a client needs to enter a room. */
export interface Joined {
  readonly gateway_url: string
  readonly whep_url: string
  readonly whip_url?: string | null
  readonly ice_servers?: RTCIceServer[]
  readonly snapshot?: Snapshot
  readonly resume?: { epoch: string; offset: number; personal?: number } | null
  readonly token?: string | null
  readonly room?: RoomCard
}

export interface Traded {
  readonly token: string
  readonly room: string
  readonly role: string
  readonly user: string
}

/** What a room's media sessions carry; rates in bit/s, `loss` from 0 to 1. */
export interface MediaTotals {
  readonly publishers: number
  readonly viewers: number
  readonly legs: number
  readonly bitrate_in_bps: number
  readonly bitrate_out_bps: number
  readonly packets_out: number
  readonly repairs: number
  readonly nacks: number
  readonly keyframe_requests: number
  readonly loss: number
  readonly layers: Readonly<Record<string, number>>
}

/** One m-line of a session: a publisher's track (no slot) or a viewer's leg. */
export interface MediaStream {
  readonly mid: string
  readonly kind: string
  readonly slot: number | null
  readonly codec: string | null
  readonly layer: string | null
  readonly bitrate_bps: number
  readonly packets: number
  readonly lost: number
  readonly fraction_lost: number | null
  readonly jitter_ms: number | null
  readonly repairs: number
  readonly nacks: number
  readonly keyframe_requests: number
}

export interface MediaSession {
  readonly id: string
  readonly direction: 'publish' | 'play'
  readonly user: string
  readonly role: string
  readonly state: string
  readonly age_s: number
  readonly pair: { readonly local: string; readonly remote: string | null } | null
  readonly rtt_ms: number | null
  readonly streams: readonly MediaStream[]
}

/** A file that can be played; the address opens for some hours. */
export interface ReplayPart {
  readonly url: string
  readonly duration_ms: number
}

/** The newest explanation of a product. */
export interface Segment {
  readonly id: string
  readonly product: Product
  readonly opened_at: number
  readonly duration_ms: number
  readonly parts: readonly ReplayPart[]
}

export interface MediaReport {
  readonly at: number
  readonly forward: { readonly p50_ms: number | null; readonly p99_ms: number | null; readonly samples: number }
  readonly totals: MediaTotals
  readonly sessions: readonly MediaSession[]
  readonly left_off: number
}

export interface Checkout {
  readonly order: string
  readonly amount: number
  readonly payment: string
  readonly pay_url: string
}

export interface Pack {
  readonly id: string
  readonly coins: number
  readonly bonus: number
  readonly price: number
}

export interface GiftKind {
  readonly id: string
  readonly coins: number
  readonly names: Readonly<Record<string, string>>
  /** How big it is drawn: small, banner or full (screen). */
  readonly effect: string
}

export interface Call {
  readonly method?: string
  readonly token?: string | null
  readonly body?: unknown
  readonly key?: string
  readonly signal?: AbortSignal
}

type Fetch = typeof globalThis.fetch

/** Read a refused answer; works without a problem document too (a proxy's page). */
async function refusalOf(response: Response): Promise<Refusal> {
  let problem: Record<string, unknown> = {}
  try {
    problem = (await response.json()) as Record<string, unknown>
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  const retry = Number(problem['retry_ms'] ?? Number(response.headers.get('retry-after')) * 1000)
  return new Refusal(
    String(problem['code'] ?? `http_${response.status}`),
    String(problem['detail'] ?? problem['why'] ?? problem['title'] ?? response.statusText),
    response.status,
    Number.isFinite(retry) && retry > 0 ? retry : undefined,
  )
}

/** A thin, typed caller of one server. */
export class Api {
  private readonly fetch: Fetch

  constructor(
    readonly baseUrl: string,
    fetch?: Fetch,
  ) {
    this.fetch = fetch ?? globalThis.fetch.bind(globalThis)
  }

  /** Make an address absolute against the server. */
  url(path: string): string {
    return new URL(path, this.baseUrl).href
  }

  /** Call and read JSON. Raises Refusal for a no, TypeError when the network is away. */
  async call<T>(path: string, call: Call = {}): Promise<T> {
    const headers: Record<string, string> = { accept: 'application/json' }
    if (call.token) headers['authorization'] = `Bearer ${call.token}`
    if (call.key) headers['idempotency-key'] = call.key
    if (call.body !== undefined) headers['content-type'] = 'application/json'
    const response = await this.fetch(this.url(path), {
      method: call.method ?? 'GET',
      headers,
      body: call.body === undefined ? undefined : JSON.stringify(call.body),
      signal: call.signal,
    })
    if (!response.ok) throw await refusalOf(response)
    if (response.status === 204) return undefined as T
    const text = await response.text()
    return (text ? JSON.parse(text) : undefined) as T
  }

  join(room: string, token: string | null, signal?: AbortSignal): Promise<Joined> {
    return this.call(`/v1/rooms/${encodeURIComponent(room)}/join`, { method: 'POST', token, body: {}, signal })
  }

  trade(ticket: string): Promise<Traded> {
    return this.call('/v1/tickets/trade', { method: 'POST', body: { ticket } })
  }

  room(room: string): Promise<RoomCard> {
    return this.call(`/v1/rooms/${encodeURIComponent(room)}`)
  }

  async rooms(): Promise<RoomCard[]> {
    return listOf<RoomCard>(await this.call<unknown>('/v1/rooms'), 'rooms')
  }

  async products(room: string, token: string | null): Promise<Product[]> {
    return listOf<Product>(await this.call<unknown>(`/v1/rooms/${encodeURIComponent(room)}/products`, { token }), 'products')
  }

  /** The catalogue; prices are in coins. */
  async gifts(): Promise<GiftKind[]> {
    const rows = listOf<Record<string, unknown>>(await this.call<unknown>('/v1/gifts'), 'gifts')
    return rows.map((row) => ({
      id: String(row['id'] ?? row['gift']),
      coins: Number(row['price'] ?? row['coins']),
      names: (row['names'] ?? {}) as Record<string, string>,
      effect: String(row['effect'] ?? 'small'),
    }))
  }

  /** Reserve an order; the buyer's best coupons are used, and at most so many `points`. */
  checkout(room: string, token: string, product: string, quantity: number, key: string, points = 0): Promise<Checkout> {
    return this.call(`/v1/rooms/${encodeURIComponent(room)}/checkouts`, {
      method: 'POST',
      token,
      key,
      body: { product, quantity, points },
    })
  }

  /** Packs of coins that can be bought; prices in minor units. */
  async packs(): Promise<Pack[]> {
    return listOf<Pack>(await this.call<unknown>('/v1/coins'), 'packs')
  }

  buyCoins(room: string, token: string, pack: string, key: string): Promise<Checkout> {
    return this.call(`/v1/rooms/${encodeURIComponent(room)}/coins`, { method: 'POST', token, key, body: { pack } })
  }

  /** Settle a sandbox payment at the provider's own address. */
  pay(payUrl: string): Promise<unknown> {
    return this.call(payUrl, { method: 'POST' })
  }

  numbers(room: string, token: string): Promise<Record<string, number>> {
    return this.call(`/v1/rooms/${encodeURIComponent(room)}/numbers`, { token })
  }

  /** Explanations of products that can be seen again. */
  segments(room: string, token: string | null): Promise<{ segments: Segment[] }> {
    return this.call(`/v1/rooms/${encodeURIComponent(room)}/segments`, { token })
  }

  /** The last broadcast that is over; no parts where nothing was recorded. */
  replay(room: string, token: string | null): Promise<{ parts: ReplayPart[] }> {
    return this.call(`/v1/rooms/${encodeURIComponent(room)}/replay`, { token })
  }

  /** Where a picture of what the host shows now is, while there is one. */
  previewUrl(room: string): string {
    return this.url(`/v1/rooms/${encodeURIComponent(room)}/preview.jpg`)
  }

  /** What the room's media sessions carry, `limit` of them one by one; host and merchant only. */
  sessions(room: string, token: string, limit: number): Promise<MediaReport> {
    return this.call(`/v1/rooms/${encodeURIComponent(room)}/sessions?limit=${limit}`, { token })
  }
}

/** Lists come bare or wrapped under a name (`{rooms: […], next}`). */
function listOf<T>(value: unknown, name: string): T[] {
  if (Array.isArray(value)) return value as T[]
  const inner = (value as Record<string, unknown> | null)?.[name] ?? (value as Record<string, unknown> | null)?.['items']
  return Array.isArray(inner) ? (inner as T[]) : []
}
