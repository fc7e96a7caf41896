/** What the landing page knows: rooms, and in a demo the links that just open. */

import { Api, Refusal, type Phase, type RoomCard } from '@sdk'
import { onBeforeUnmount, reactive } from 'vue'

const REFRESH_MS = 5_000

export interface DemoLink {
  readonly role: string
  readonly url: string
  readonly name: string
  readonly room: string
}

export interface Landing {
  rooms: RoomCard[] | null
  links: DemoLink[]
  failed: boolean
}

export function phaseOf(room: RoomCard): Phase {
  return room.phase ?? room.broadcast?.phase ?? (room.live ? 'live' : 'planned')
}

const ORDER: Record<Phase, number> = { live: 0, away: 1, planned: 2, ended: 3 }

/** Links come as a list, or as a map from role to address. */
export function linksOf(answer: unknown): DemoLink[] {
  const inner = (answer as { links?: unknown } | null)?.links ?? answer
  const rows: [string, unknown][] = Array.isArray(inner)
    ? inner.map((row: unknown) => ['', row])
    : Object.entries((inner ?? {}) as Record<string, unknown>)
  return rows.flatMap(([name, row]) => {
    if (typeof row === 'string') return [{ role: name, url: row, name: '', room: '' }]
    const fields = row as Partial<Record<'role' | 'url' | 'href' | 'name' | 'title' | 'user' | 'room', string>>
    const url = fields.url ?? fields.href
    if (!url) return []
    return [{ role: fields.role ?? name, url, name: fields.name ?? fields.title ?? fields.user ?? '', room: fields.room ?? '' }]
  })
}

export function useLanding(): Landing {
  const api = new Api(location.origin)
  const state = reactive<Landing>({ rooms: null, links: [], failed: false })
  async function refresh(): Promise<void> {
    if (document.hidden) return
    try {
      const rooms = await api.rooms()
      state.rooms = rooms.sort((a, b) => ORDER[phaseOf(a)] - ORDER[phaseOf(b)] || (b.online ?? 0) - (a.online ?? 0))
      state.failed = false
    } catch (error) {
      state.failed = true
      if (!(error instanceof Refusal) && !(error instanceof TypeError)) throw error
    }
  }
  void refresh()
  void api.call<unknown>('/v1/demo/links').then(
    (answer) => (state.links = linksOf(answer)),
    () => undefined, // not a demo
  )
  const timer = setInterval(() => void refresh(), REFRESH_MS)
  onBeforeUnmount(() => clearInterval(timer))
  return state
}
