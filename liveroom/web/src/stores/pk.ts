/** The PK this room is in: the two sides from where we look, the time, who has won. */

import type { PkInviteEvent, PkSide, Room, RoundEvent } from '@sdk'
import { computed, reactive } from 'vue'
import type { StageStore } from './stage'

export interface PkStore {
  round: RoundEvent | null
  /** For the host: an invitation, ours or theirs. */
  invite: PkInviteEvent | null
  readonly ours: PkSide | null
  readonly theirs: PkSide | null
  /** Both hosts are to be seen side by side. */
  readonly shown: boolean
  readonly result: 'won' | 'lost' | 'draw' | null
}

const isPk = (event: unknown): event is RoundEvent => (event as RoundEvent | null)?.type === 'pk'

export function pkStore(room: Room, roomId: string, stage: StageStore): PkStore {
  const state = reactive({ round: null as RoundEvent | null, invite: null as PkInviteEvent | null })
  function take(event: RoundEvent): void {
    state.round = event
    state.invite = null
  }
  room.on('reset', (snapshot) => {
    state.round = (snapshot.rounds ?? []).filter(isPk).at(-1) ?? null
  })
  room.on('round', (event) => isPk(event) && take(event))
  room.on('pk_score', (event) => {
    if (state.round?.round === event.round) state.round = { ...state.round, sides: event.sides }
  })
  room.on('pk_invite', (event) => {
    state.invite = event.phase === 'invited' ? event : null
  })
  const ours = computed(() => state.round?.sides?.find((side) => side.room === roomId) ?? null)
  const theirs = computed(() => state.round?.sides?.find((side) => side.room !== roomId) ?? null)
  const shown = computed(() => state.round !== null && stage.slots.some((slot) => slot.role === 'rival'))
  const result = computed(() => {
    if (state.round?.phase !== 'settled') return null
    if (!state.round.winner) return 'draw'
    return state.round.winner === roomId ? 'won' : 'lost'
  })
  return reactive(Object.assign(state, { ours, theirs, shown, result })) as unknown as PkStore
}
