/** The stage: who stands where, who speaks, is the broadcast on, since when. */

import { slotsOf, type Phase, type Room, type Slot, type Snapshot } from '@sdk'
import { computed, reactive } from 'vue'

export type Scene = Phase | 'private'

export interface StageStore {
  slots: readonly Slot[]
  phase: Phase | null
  title: string
  startedAt: number | null
  /** Who speaks now, by user. */
  speaker: string | null
  /** The host is in a private call. */
  private: boolean
  /** live: pictures should come; away: slate; private: in a call; ended; planned: not begun. */
  readonly scene: Scene
  /** The host's place, wherever on the stage it is. */
  readonly host: Slot | null
  /** Who stands on the main place. */
  readonly main: Slot | null
  /** Everybody else on stage. */
  readonly others: readonly Slot[]
}

export function stageStore(room: Room): StageStore {
  const state = reactive({
    slots: [] as readonly Slot[],
    phase: null as Phase | null,
    title: '',
    startedAt: null as number | null,
    speaker: null as string | null,
    private: false,
  })
  function set(slots: readonly Slot[], isPrivate: boolean): void {
    state.slots = slots
    state.private = isPrivate
  }
  room.on('welcome', ({ room: card }) => {
    state.phase = card.phase ?? card.broadcast?.phase ?? null
    state.title = card.broadcast?.title ?? card.title
    state.startedAt = card.started_at ?? card.broadcast?.started_at ?? state.startedAt
  })
  room.on('reset', (snapshot: Snapshot) => set(slotsOf(snapshot), snapshot.private ?? false))
  room.on('stage', (event) => set(event.slots, event.private ?? false))
  room.on('speaker', (event) => (state.speaker = event.user))
  room.on('broadcast', (event) => {
    state.phase = event.phase
    state.title = event.title || state.title
    state.startedAt = event.started_at ?? state.startedAt
  })
  const main = computed(() => state.slots.find((slot) => slot.slot === 0) ?? null)
  const host = computed(() => state.slots.find((slot) => slot.role === 'host') ?? main.value)
  const others = computed(() => state.slots.filter((slot) => slot.slot > 0))
  const scene = computed<Scene>(() => {
    if (state.private) return 'private'
    if (main.value?.live) return 'live'
    if (state.phase === 'live' || state.phase === 'away') return 'away'
    return state.phase ?? 'planned'
  })
  return reactive(Object.assign(state, { main, host, others, scene })) as unknown as StageStore
}
