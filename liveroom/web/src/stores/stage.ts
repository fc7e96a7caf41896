/** The stage: is the host there, is the broadcast on, since when. */

import { slotsOf, type Phase, type Room, type Slot } from '@sdk'
import { computed, reactive } from 'vue'

export interface StageStore {
  slots: readonly Slot[]
  phase: Phase | null
  title: string
  startedAt: number | null
  /** live: pictures should come; away: slate; ended; planned: not begun. */
  readonly scene: Phase
}

export function stageStore(room: Room): StageStore {
  const state = reactive({ slots: [] as readonly Slot[], phase: null as Phase | null, title: '', startedAt: null as number | null })
  room.on('welcome', ({ room: card }) => {
    state.phase = card.phase ?? card.broadcast?.phase ?? null
    state.title = card.broadcast?.title ?? card.title
    state.startedAt = card.started_at ?? card.broadcast?.started_at ?? state.startedAt
  })
  room.on('reset', (snapshot) => (state.slots = slotsOf(snapshot)))
  room.on('stage', (event) => (state.slots = event.slots))
  room.on('broadcast', (event) => {
    state.phase = event.phase
    state.title = event.title || state.title
    state.startedAt = event.started_at ?? state.startedAt
  })
  const scene = computed<Phase>(() => {
    const host = state.slots.find((slot) => slot.slot === 0)
    if (host?.live) return 'live'
    if (state.phase === 'live' || state.phase === 'away') return 'away'
    return state.phase ?? 'planned'
  })
  return reactive(Object.assign(state, { scene })) as unknown as StageStore
}
