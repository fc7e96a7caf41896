/** The stage as the host directs it: who waits, who sits, a private call; and their pictures. */

import { GUESTS_MAX, Player, type Asked, type Room, type Slot } from '@sdk'
import { onBeforeUnmount, reactive, shallowRef, watch } from 'vue'
import type { StageStore } from '@/stores/stage'

export interface SeatsStore {
  asked: readonly Asked[]
  seats: number
  call: { phase: 'invited' | 'active'; user: string; name: string } | null
  /** Every slot's stream, by its number. */
  readonly streams: readonly MediaStream[]
  accept(user: string): Promise<void>
  decline(user: string): Promise<void>
  mute(slot: Slot, kind: 'audio' | 'video'): Promise<void>
  main(user: string): Promise<void>
  down(slot: Slot): Promise<void>
  resize(seats: number): Promise<void>
  invite(user: string): Promise<void>
  hangUp(): Promise<void>
}

export function useSeats(room: Room, roomId: string, stage: StageStore): SeatsStore {
  const streams = shallowRef<readonly MediaStream[]>([])
  let player: Player | null = null

  const put = (slot: number, body: unknown): Promise<void> =>
    room.api.call(`/v1/rooms/${encodeURIComponent(roomId)}/stage/${slot}`, { method: 'PUT', token: room.token, body })

  const store: SeatsStore = reactive({
    asked: [] as readonly Asked[],
    seats: 4,
    call: null as SeatsStore['call'],
    streams,
    async accept(user: string) {
      await room.ask('accept_mic', { user })
    },
    async decline(user: string) {
      await room.ask('decline_mic', { user })
    },
    async mute(slot: Slot, kind: 'audio' | 'video') {
      const muted = { audio: slot.audio === false, video: slot.video === false }
      await put(slot.slot, { muted: { ...muted, [kind]: !muted[kind] } })
    },
    async main(user: string) {
      await put(0, { user })
    },
    async down(slot: Slot) {
      await room.api.call(`/v1/rooms/${encodeURIComponent(roomId)}/stage/${slot.slot}`, { method: 'DELETE', token: room.token })
    },
    async resize(seats: number) {
      await room.ask('seats', { seats })
    },
    async invite(user: string) {
      await room.ask('call', { user })
    },
    async hangUp() {
      await room.ask('hang_up')
    },
  }) as unknown as SeatsStore

  room.on('mic_queue', (event) => {
    store.asked = event.asked
    store.seats = event.seats
  })
  room.on('call', (event) => {
    store.call = event.phase === 'ended' ? null : { phase: event.phase, user: event.user, name: event.name }
  })

  /** The host sees and hears the others as viewers do, by a session of their own. */
  async function watchStage(): Promise<void> {
    const joined = await room.joined
    const started = new Player({ url: joined.whep_url, token: room.token ?? joined.token, iceServers: joined.ice_servers }, GUESTS_MAX)
    player = started
    started.on('slot', () => (streams.value = [...started.streams]))
    await started.start()
  }
  function stop(): void {
    void player?.close()
    player = null
    streams.value = []
  }
  watch(
    () => stage.slots.length > 1 || store.call !== null,
    (others) => {
      if (others && !player) void watchStage()
      else if (!others && player) stop()
    },
    { immediate: true },
  )
  onBeforeUnmount(stop)
  return store
}
