/** Order in the room: slow mode and mutes for who talks, the review queue for who keeps order. */

import type { Room, ReportEvent } from '@sdk'
import { reactive } from 'vue'

export const QUEUE_MAX = 100

export type Policy = 'allow' | 'mask' | 'refuse'
export type WordAction = 'mask' | 'review' | 'refuse'
export type Verdict = 'upheld' | 'dismissed' | 'released'
export type Reason = 'spam' | 'abuse' | 'fraud' | 'sexual' | 'other'
export const REASONS: readonly Reason[] = ['spam', 'abuse', 'fraud', 'sexual', 'other']

export interface Rules {
  slow_ms: number
  repeats: number
  links: Policy
  contacts: Policy
  homophones: boolean
}
export interface ListedWord {
  readonly word: string
  readonly action: WordAction
}
export interface Sanction {
  readonly user: string
  readonly bar: 'mute' | 'kick' | 'ban'
  readonly until: number | null
  readonly by: string
  readonly reason: string
}
export type Reported = Pick<ReportEvent, 'line' | 'user' | 'name' | 'text' | 'count' | 'held' | 'reason'>

export interface OrderStore {
  /** One line in that time, 0 = off. */
  slowMs: number
  /** When one's own next line may go (server refusals and slow mode), epoch ms. */
  nextAt: number
  /** Until when one may not speak; null = one may, Infinity = for good. */
  mutedUntil: number | null
  queue: readonly Reported[]
  readQueue(): Promise<void>
  judge(line: string, verdict: Verdict): Promise<void>
}

export function orderStore(room: Room): OrderStore {
  const store: OrderStore = reactive<OrderStore>({
    slowMs: 0,
    nextAt: 0,
    mutedUntil: null,
    queue: [],
    async readQueue() {
      store.queue = (await room.ask('reports'))['reports'] as Reported[]
    },
    async judge(line, verdict) {
      await room.ask('resolve', { line, verdict })
      store.queue = store.queue.filter((report) => report.line !== line)
    },
  })
  const mute = (until: number | null): void => void (store.mutedUntil = until ?? Infinity)
  room.on('welcome', ({ you }) => (you.mute ? mute(you.mute.until) : (store.mutedUntil = null)))
  room.on('reset', (snapshot) => (store.slowMs = snapshot.chat?.slow_ms ?? 0))
  room.on('chat', ({ slow_ms }) => {
    store.slowMs = slow_ms
    if (slow_ms === 0) store.nextAt = 0
  })
  room.on('sanction', ({ act, until }) => {
    if (act === 'mute') mute(until)
    if (act === 'unmute') store.mutedUntil = null
  })
  room.on('report', (report) => {
    store.queue = [...store.queue.filter((other) => other.line !== report.line), report].slice(-QUEUE_MAX)
  })
  room.on('deleted', ({ lines }) => (store.queue = store.queue.filter((report) => !lines.includes(report.line))))
  return store
}
