/** Lines of the room in order: what people say, and what is worth a line. Bounded. */

import type { Room, RoomEvent } from '@sdk'
import { shallowReactive } from 'vue'

export const LINES_MAX = 200

export type Line = Extract<RoomEvent, { k: 'danmaku' | 'gift' | 'ritual' | 'order' | 'enter' }>

export interface ChatStore {
  lines: readonly Line[]
  /** Counts every line ever added, so that a list can tell what is new. */
  total: number
}

const KINDS = ['danmaku', 'gift', 'ritual', 'order', 'enter'] as const

export function chatStore(room: Room): ChatStore {
  const store = shallowReactive<ChatStore>({ lines: [], total: 0 })
  let waiting: Line[] = []
  const flush = (): void => {
    store.lines = [...store.lines, ...waiting].slice(-LINES_MAX)
    store.total += waiting.length
    waiting = []
  }
  const add = (line: Line): void => {
    // one drawing per frame however many lines a batch brings
    if (waiting.length === 0) requestAnimationFrame(flush)
    const last = waiting.at(-1) ?? store.lines.at(-1)
    if (line.k === 'enter' && last?.k === 'enter' && waiting.length > 0) waiting.pop()
    waiting.push(line)
    if (waiting.length > LINES_MAX) waiting.shift()
  }
  for (const kind of KINDS) room.on(kind, add)
  room.on('deleted', ({ lines }) => {
    const gone = new Set(lines)
    waiting = waiting.filter((line) => !gone.has(line.id))
    store.lines = store.lines.filter((line) => !gone.has(line.id))
  })
  room.on('reset', (snapshot) => {
    const texts = (snapshot.texts ?? []).filter((event): event is Line => (KINDS as readonly string[]).includes(event.k))
    const known = new Set(store.lines.map((line) => line.id))
    for (const line of texts) if (!known.has(line.id)) add(line)
  })
  return store
}
