/**
 * The vocabulary of a room as it travels: events (a union told apart by `k`), snapshot, card.
 *
 * Mirrors the contract; unknown kinds and keys pass through unharmed. Knows no socket.
 */

export type Tier = 'basic' | 'silver' | 'gold' | 'diamond'

/** What every event carries: `n` counts the room's durable events, `pn` one person's. */
export interface Envelope {
  readonly id: string
  readonly at: number
  readonly n?: number
  readonly pn?: number
  readonly cid?: string
}

export interface LastPurchase {
  readonly product: string
  readonly title: string
  readonly at: number
  readonly days: number
}

/** A product as viewers see it; `price` in minor units, `stock` null = unlimited. */
export interface Product {
  readonly id: string
  readonly title: string
  readonly price: number
  readonly stock?: number | null
}

export interface Slot {
  readonly slot: number
  readonly user: string
  readonly name: string
  readonly live: boolean
  readonly audio?: boolean
  readonly video?: boolean
  readonly role?: 'host' | 'guest' | 'rival'
  /** A rival's own room. */
  readonly room?: string
  readonly since?: number
}

/** Somebody who waits for the mic; `accepted` = next in line. */
export interface Asked {
  readonly user: string
  readonly name: string
  readonly tier: Tier
  readonly at: number
  readonly first?: boolean
  readonly accepted?: boolean
}

export type Phase = 'planned' | 'live' | 'away' | 'ended'

export interface GiftEvent extends Envelope {
  readonly k: 'gift'
  readonly user: string
  readonly name: string
  readonly gift: string
  readonly count: number
  readonly combo: number
}
export interface RitualEvent extends Envelope {
  readonly k: 'ritual'
  readonly user: string
  readonly name: string
  readonly nth: number
  readonly text: string
  readonly texts?: Readonly<Record<string, string>>
}
export interface OrderEvent extends Envelope {
  readonly k: 'order'
  readonly product: string
  readonly title?: string
  readonly user?: string | null
  readonly name?: string | null
}
export interface ReceiptEvent extends Envelope {
  readonly k: 'receipt'
  readonly order: string
  readonly product: string
  readonly title: string
  readonly amount: number
  readonly nth: number
}
/** My coins are in the wallet. */
export interface CoinsEvent extends Envelope {
  readonly k: 'coins'
  readonly order: string
  readonly coins: number
  readonly coins_left: number
}
/** A coupon came into my hands; `expires_at` is when it ends (epoch ms). */
export interface CouponEvent extends Envelope {
  readonly k: 'coupon'
  readonly coupon: string
  readonly template: string
  readonly title: string
  readonly expires_at: number | null
  readonly why: string
}
/** My level was raised, kept or lowered, or is in danger (`missing` minor units to stay). */
export interface LevelEvent extends Envelope {
  readonly k: 'level'
  readonly move: 'raised' | 'kept' | 'warned' | 'lowered'
  readonly before: Tier
  readonly tier: Tier
  readonly missing: number
}
/** I earned points; `why` is checkin, watching, talking or game. */
export interface PointsEvent extends Envelope {
  readonly k: 'points'
  readonly points: number
  readonly why: string
}
/** My own order, or a part of it, was refunded (minor units). */
export interface RefundEvent extends Envelope {
  readonly k: 'refund'
  readonly refund: string
  readonly order: string
  readonly amount: number
  readonly whole: boolean
}
/** Once a day: how much I have tipped; `pause_ms` until the next tip. */
export interface TipReminderEvent extends Envelope {
  readonly k: 'tip_reminder'
  readonly coins: number
  readonly pause_ms: number
}
/** What the room collects for together; `phase` open, reached or ended. */
export interface GoalEvent extends Envelope {
  readonly k: 'goal'
  readonly goal: string
  readonly title: string
  readonly percent: number
  readonly phase: string
  readonly ends_at: number
}
export interface StageEvent extends Envelope {
  readonly k: 'stage'
  readonly slots: readonly Slot[]
  readonly private?: boolean
}
export interface MicQueueEvent extends Envelope {
  readonly k: 'mic_queue'
  readonly asked: readonly Asked[]
  readonly seats: number
}
export interface MicEvent extends Envelope {
  readonly k: 'mic'
  readonly phase: 'asked' | 'next' | 'declined' | 'down' | 'none'
  readonly position?: number
}
export interface SeatEvent extends Envelope {
  readonly k: 'seat'
  readonly slot: number
  readonly whip_url: string
  readonly token?: string
  readonly invited?: boolean
}
export interface CallEvent extends Envelope {
  readonly k: 'call'
  readonly phase: 'invited' | 'active' | 'ended'
  readonly user: string
  readonly name: string
  readonly whip_url?: string
  readonly token?: string
}
export interface PkSide {
  readonly room: string
  readonly user: string
  readonly name: string
  readonly score: number
  readonly supporters: number
}
export interface RoundEvent extends Envelope {
  readonly k: 'round'
  readonly round: string
  readonly type: string
  readonly phase: string
  readonly started_at?: number
  readonly deadline?: number
  readonly sides?: readonly PkSide[]
  /** A room; missing = a draw. */
  readonly winner?: string
}
export interface PkScoreEvent extends Envelope {
  readonly k: 'pk_score'
  readonly round: string
  readonly sides: readonly PkSide[]
}
export interface PkInviteEvent extends Envelope {
  readonly k: 'pk_invite'
  readonly round: string
  readonly phase: 'invited' | 'running' | 'void'
  readonly incoming: boolean
  readonly room: string
  readonly user: string
  readonly name: string
  readonly seconds: number
  readonly deadline: number
}
export interface SpeakerEvent extends Envelope {
  readonly k: 'speaker'
  readonly user: string | null
}
export interface PinEvent extends Envelope {
  readonly k: 'pin'
  readonly product: Product | null
}
export interface BroadcastEvent extends Envelope {
  readonly k: 'broadcast'
  readonly broadcast: string
  readonly phase: Phase
  readonly title: string
  readonly started_at?: number | null
}
export interface RecognisedEvent extends Envelope {
  readonly k: 'recognised'
  readonly user: string
  readonly name: string
  readonly tier: Tier
  readonly orders: number
  readonly visits: number
  readonly last: LastPurchase | null
  readonly prefers: readonly string[]
  readonly suggest: string
  readonly suggests?: Readonly<Record<string, string>>
  readonly value?: number
}
export interface WelcomeBackEvent extends Envelope {
  readonly k: 'welcome_back'
  readonly tier: Tier
  readonly orders: number
  readonly visits?: number
  readonly name?: string
  readonly last?: LastPurchase | null
}
export interface DanmakuEvent extends Envelope {
  readonly k: 'danmaku'
  readonly user: string
  readonly name: string
  readonly text: string
  readonly badge?: string | null
}
export interface EnterEvent extends Envelope {
  readonly k: 'enter'
  readonly user: string
  readonly name: string
  readonly tier: Tier
}

/** Lines that were taken off: remove them from the screen by id. */
export interface DeletedEvent extends Envelope {
  readonly k: 'deleted'
  readonly lines: readonly string[]
}
/** To one person: what they are barred from, or allowed again; `until` null = for good. */
export interface SanctionEvent extends Envelope {
  readonly k: 'sanction'
  readonly act: 'mute' | 'unmute' | 'kick' | 'ban' | 'unban'
  readonly until: number | null
  readonly reason: string
}
/** Slow mode: one line per person in that time, 0 = off. */
export interface ChatEvent extends Envelope {
  readonly k: 'chat'
  readonly slow_ms: number
}
/** To the host: a line was reported, or held back. */
export interface ReportEvent extends Envelope {
  readonly k: 'report'
  readonly line: string
  readonly user: string
  readonly name: string
  readonly text: string
  readonly count: number
  readonly held: boolean
  readonly reason: string
}

export type RoomEvent =
  | GiftEvent
  | RitualEvent
  | OrderEvent
  | ReceiptEvent
  | CoinsEvent
  | CouponEvent
  | LevelEvent
  | PointsEvent
  | RefundEvent
  | TipReminderEvent
  | GoalEvent
  | StageEvent
  | MicQueueEvent
  | MicEvent
  | SeatEvent
  | CallEvent
  | SpeakerEvent
  | RoundEvent
  | PkScoreEvent
  | PkInviteEvent
  | PinEvent
  | BroadcastEvent
  | RecognisedEvent
  | WelcomeBackEvent
  | DanmakuEvent
  | EnterEvent
  | DeletedEvent
  | SanctionEvent
  | ChatEvent
  | ReportEvent

export type Kind = RoomEvent['k']
export type EventOf<K extends Kind> = Extract<RoomEvent, { k: K }>

/** The visitor's own card, as the room greets them. */
export interface You {
  readonly user: string
  readonly name: string
  readonly role: string
  readonly tier?: Tier
  readonly coins?: number | null
  readonly points?: number
  readonly following?: boolean
  readonly anonymous?: boolean
  readonly mute?: { readonly until: number | null }
}

export interface RoomCard {
  readonly id: string
  readonly title: string
  readonly host?: string | null
  readonly host_name?: string | null
  readonly merchant?: string | null
  readonly language?: string
  readonly phase?: Phase | null
  readonly live?: boolean
  readonly broadcast?: { readonly phase?: Phase; readonly title?: string; readonly started_at?: number } | null
  readonly followers?: number
  readonly cover?: string | null
  readonly started_at?: number | null
  readonly online?: number
}

export interface Counters {
  readonly online?: number
  readonly likes?: number
  readonly [name: string]: number | undefined
}

export interface Snapshot {
  readonly stage?: { readonly slots?: readonly Slot[] } | readonly Slot[] | null
  readonly pin?: Product | null
  readonly rounds?: readonly unknown[]
  readonly counters?: Counters
  readonly texts?: readonly RoomEvent[]
  readonly recognised?: readonly RecognisedEvent[]
  readonly private?: boolean
  /** Current for this person alone; told as events at every welcome. */
  readonly cues?: readonly RoomEvent[]
  readonly chat?: { readonly slow_ms: number }
}

/** The slots of a snapshot's stage, which comes bare or under `slots`. */
export function slotsOf(snapshot: Snapshot): readonly Slot[] {
  const stage = snapshot.stage
  if (!stage) return []
  return 'slots' in stage ? (stage.slots ?? []) : (stage as readonly Slot[])
}
