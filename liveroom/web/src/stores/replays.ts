/** What can be seen again: explanations of products, and the last broadcast when it is over. */

import { Refusal, type ReplayPart, type Room, type Segment } from '@sdk'
import { reactive } from 'vue'

/** An explanation is offered when the recorder has surely written it (15 s), and a little more. */
const SETTLED_MS = 17_000
/** After the end the last file is being closed: look again this often, so many times. */
const AGAIN_MS = 3_000
const AGAIN_MAX = 5

export interface Showing {
  readonly title: string
  readonly parts: readonly ReplayPart[]
}

export interface ReplayStore {
  segments: Readonly<Record<string, Segment>>
  last: readonly ReplayPart[]
  /** What the overlay plays now. */
  showing: Showing | null
  loadSegments(): Promise<void>
  loadLast(): Promise<void>
  show(showing: Showing): void
  close(): void
}

export function replayStore(room: Room, roomId: string): ReplayStore {
  let timer: ReturnType<typeof setTimeout> | undefined
  let tries = 0

  /** Offers are a comfort: where they cannot be had, none is made. */
  async function quietly(load: () => Promise<void>): Promise<void> {
    try {
      await load()
    } catch (error) {
      if (!(error instanceof Refusal) && !(error instanceof TypeError)) throw error
    }
  }

  const store: ReplayStore = reactive<ReplayStore>({
    segments: {},
    last: [],
    showing: null,
    loadSegments: () =>
      quietly(async () => {
        const { segments } = await room.api.segments(roomId, room.token)
        store.segments = Object.fromEntries(segments.map((segment) => [segment.product.id, segment]))
      }),
    loadLast: () =>
      quietly(async () => {
        store.last = (await room.api.replay(roomId, room.token)).parts
        if (store.last.length === 0 && tries++ < AGAIN_MAX) timer = setTimeout(() => void store.loadLast(), AGAIN_MS)
      }),
    show: (showing) => (store.showing = showing),
    close: () => (store.showing = null),
  })

  room.on('welcome', ({ room: card }) => {
    void store.loadSegments()
    if (!(card.phase ?? card.broadcast?.phase)) void store.loadLast()
  })
  room.on('pin', () => {
    clearTimeout(timer)
    timer = setTimeout(() => void store.loadSegments(), SETTLED_MS)
  })
  room.on('broadcast', ({ phase }) => {
    if (phase !== 'ended') return
    tries = 0
    clearTimeout(timer)
    timer = setTimeout(() => void store.loadLast(), AGAIN_MS / 3)
  })
  return store
}
