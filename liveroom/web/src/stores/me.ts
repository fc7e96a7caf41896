/** My own card: level, coins, orders, ledger lines; read when the drawer opens, kept fresh by answers. */

import type { Room, Tier } from '@sdk'
import { reactive } from 'vue'

export interface LedgerLine {
  readonly id: string
  readonly at: number
  readonly unit: string
  readonly amount: number
  readonly balance: number
  readonly cause: string
  readonly ref?: string | null
}

/** What `/v1/me` tells; everything beyond the first row is optional. */
export interface Card {
  readonly user?: string
  readonly name?: string
  readonly tier?: Tier
  readonly coins?: number | null
  readonly points?: number
  readonly orders?: number
  readonly visits?: number
  readonly spent?: number
  readonly adult?: boolean
  readonly to_next?: { readonly tier: Tier; readonly missing: number; readonly share?: number } | null
}

export interface MeStore {
  coins: number
  card: Card
  lines: LedgerLine[]
  loading: boolean
  load(): Promise<void>
}

export function meStore(room: Room, roomId: string): MeStore {
  const store: MeStore = reactive<MeStore>({
    coins: 0,
    card: {},
    lines: [],
    loading: false,
    async load() {
      store.loading = true
      try {
        const [card, ledger] = await Promise.all([
          room.api.call<Card>(`/v1/me?room=${encodeURIComponent(roomId)}`, { token: room.token }),
          room.api.call<{ lines: LedgerLine[] }>('/v1/me/ledger', { token: room.token }),
        ])
        store.card = card
        store.coins = card.coins ?? store.coins
        store.lines = ledger.lines
      } finally {
        store.loading = false
      }
    },
  })
  room.on('welcome', ({ you }) => {
    store.coins = you.coins ?? 0
    store.card = { ...store.card, name: you.name, tier: you.tier, coins: you.coins, points: you.points }
  })
  return store
}
