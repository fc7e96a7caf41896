/** The room's numbers once a second, with as much of the past as a sparkline shows. */

import { Refusal, type Room } from '@sdk'
import { onBeforeUnmount, reactive } from 'vue'

export const POLL_MS = 1_000
export const PAST_MAX = 60
/** Orders by visits, which the server leaves to the page; regulars can make it more than one. */
export const PER_VISIT = 'orders_per_visit'

export interface NumbersStore {
  now: Record<string, number>
  past: Record<string, number[]>
  forbidden: boolean
}

export function useNumbers(room: Room, roomId: string): NumbersStore {
  const store = reactive<NumbersStore>({ now: {}, past: {}, forbidden: false })
  let busy = false
  async function poll(): Promise<void> {
    if (busy || document.hidden || !room.token) return
    busy = true
    try {
      const now = await room.api.numbers(roomId, room.token)
      const visits = now['visits'] ?? 0
      store.now = visits > 0 ? { ...now, [PER_VISIT]: (now['orders'] ?? 0) / visits } : now
      for (const [name, value] of Object.entries(store.now)) {
        store.past[name] = [...(store.past[name] ?? []), value].slice(-PAST_MAX)
      }
      store.forbidden = false
    } catch (error) {
      if (error instanceof Refusal && error.status === 403) store.forbidden = true
      else if (!(error instanceof Refusal) && !(error instanceof TypeError)) throw error
    } finally {
      busy = false
    }
  }
  const timer = setInterval(() => void poll(), POLL_MS)
  void poll()
  onBeforeUnmount(() => clearInterval(timer))
  return store
}
