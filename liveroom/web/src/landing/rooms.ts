/** What the landing page knows: rooms, and in a demo the links that just open. */

import { Api, Refusal, type Phase, type RoomCard } from '@sdk'
import { onBeforeUnmount, reactive } from 'vue'

const REFRESH_MS = 5_000

export interface DemoLink {
  readonly role: string
  readonly url: string
  /** Who one is behind this link, Chinese and English apart where the server gives both. */
  readonly names: Readonly<Record<string, string>>
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

/** A title is `中文 · English`; the role before the colon is said by the page itself. */
export function linkOf({ role, title, url }: { role: string; title: string; url: string }): DemoLink {
  const [zh = title, en = zh] = title.split(' · ')
  const who = (text: string): string => text.replace(/^[^:：]*[:：]\s*/, '')
  return { role, url, names: { zh: who(zh), en: who(en) } }
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
  void api.call<{ links: Parameters<typeof linkOf>[0][] }>('/v1/demo/links').then(
    ({ links }) => (state.links = links.map(linkOf)),
    () => undefined, // not a demo
  )
  const timer = setInterval(() => void refresh(), REFRESH_MS)
  onBeforeUnmount(() => clearInterval(timer))
  return state
}
