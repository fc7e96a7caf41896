/** The numbers of a room once a second, kept for an hour; pausing holds the view, not the collecting. */

import { Refusal } from '@sdk'
import { computed, onBeforeUnmount, reactive, ref, shallowRef, type ComputedRef } from 'vue'

export const POLL_MS = 1_000
export const SAMPLES_MAX = 3_600
/** Older than this the numbers are said to be stale. */
export const STALE_MS = 5_000

export interface Sample {
  readonly at: number
  readonly values: Readonly<Record<string, number>>
}

export interface SampleStore {
  readonly shown: ComputedRef<readonly Sample[]>
  readonly state: { paused: boolean; minutes: number; refused: string; lastAt: number; failing: boolean }
  pause(): void
  poll(): Promise<void>
}

export interface Reading {
  /** Reads the numbers of now. Raises what `Api.call` raises. */
  read(token: string): Promise<Readonly<Record<string, number>>>
  /** Nothing is read while this says false. */
  active(): boolean
}

export function useSamples(reading: Reading, token: Promise<string | null>): SampleStore {
  const all = shallowRef<readonly Sample[]>([])
  const held = shallowRef<readonly Sample[] | null>(null)
  const state = reactive({ paused: false, minutes: 5, refused: '', lastAt: 0, failing: false })
  const bearer = ref<string | null>(null)
  let busy = false

  async function poll(): Promise<void> {
    if (busy || state.refused || bearer.value === null || !reading.active()) return
    busy = true
    try {
      const values = await reading.read(bearer.value)
      const at = Date.now()
      all.value = [...all.value, { at, values }].slice(-SAMPLES_MAX)
      state.lastAt = at
      state.failing = false
    } catch (error) {
      if (error instanceof Refusal && error.status >= 400 && error.status < 500 && error.status !== 429) state.refused = error.code
      else if (error instanceof Refusal || error instanceof TypeError) state.failing = true
      else throw error
    } finally {
      busy = false
    }
  }
  const timer = setInterval(() => void poll(), POLL_MS)
  token.then(
    (value) => {
      bearer.value = value
      if (value === null) state.refused = 'no_token'
      void poll()
    },
    (error: unknown) => (state.refused = error instanceof Refusal ? error.code : 'network'),
  )
  onBeforeUnmount(() => clearInterval(timer))

  const shown = computed(() => {
    const samples = held.value ?? all.value
    const from = (samples.at(-1)?.at ?? 0) - state.minutes * 60_000
    return samples.filter((sample) => sample.at >= from)
  })
  return {
    shown,
    state,
    poll,
    pause() {
      state.paused = !state.paused
      held.value = state.paused ? all.value : null
    },
  }
}

/** How much a running total rose in the last minute shown. */
export function lastMinute(samples: readonly Sample[], name: string): number {
  const last = samples.at(-1)
  if (!last) return 0
  const first = samples.find((sample) => sample.at >= last.at - 60_000) ?? last
  return Math.max(0, (last.values[name] ?? 0) - (first.values[name] ?? 0))
}

/** Everything shown as CSV (RFC 4180). */
export function toCsv(samples: readonly Sample[]): string {
  const names = [...new Set(samples.flatMap((sample) => Object.keys(sample.values)))]
  const rows = samples.map((sample) => [new Date(sample.at).toISOString(), ...names.map((name) => sample.values[name] ?? '')])
  return [['time', ...names], ...rows].map((row) => row.join(',')).join('\r\n') + '\r\n'
}
