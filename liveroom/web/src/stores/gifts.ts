/** Gifts: the catalogue, combos to the left, big effects in a bounded queue. */

import type { GiftEvent, GiftKind, Room } from '@sdk'
import { reactive } from 'vue'

/** Most combos on screen at once; a new one replaces the oldest. */
export const COMBOS_MAX = 3
export const COMBO_SHOWN_MS = 3_200
/** Most effects waiting; beyond it the cheapest waits in vain. */
export const EFFECTS_MAX = 6

export interface Combo {
  readonly key: string
  readonly name: string
  readonly gift: string
  readonly mine: boolean
  count: number
  until: number
}
export interface Effect {
  readonly id: string
  readonly gift: string
  readonly name: string
  readonly value: number
}

export interface GiftStore {
  kinds: GiftKind[]
  combos: Combo[]
  effects: Effect[]
  kindOf(gift: string): GiftKind | undefined
  send(gift: string, count: number): Promise<number | null>
  nextEffect(): Effect | undefined
}

/** Until the catalogue arrives; ids and prices are those of the contract. */
const BASICS: GiftKind[] = [
  { id: 'rose', coins: 1, names: { zh: '玫瑰', en: 'Rose' }, effect: 'small' },
  { id: 'rocket', coins: 500, names: { zh: '火箭', en: 'Rocket' }, effect: 'full' },
]

export function giftStore(room: Room): GiftStore {
  const store: GiftStore = reactive<GiftStore>({
    kinds: BASICS,
    combos: [],
    effects: [],
    kindOf: (gift) => store.kinds.find((kind) => kind.id === gift),
    async send(gift, count) {
      const answer = await room.gift(gift, count)
      return typeof answer['coins_left'] === 'number' ? answer['coins_left'] : null
    },
    nextEffect: () => store.effects.shift(),
  })

  const sweep = (): void => {
    const now = Date.now()
    store.combos = store.combos.filter((combo) => combo.until > now)
    if (store.combos.length > 0) setTimeout(sweep, 400)
  }

  room.on('gift', (event: GiftEvent) => {
    const key = `${event.user}/${event.gift}`
    const until = Date.now() + COMBO_SHOWN_MS
    const running = store.combos.find((combo) => combo.key === key)
    if (running) {
      running.count = Math.max(event.combo, running.count + (event.combo > running.count ? 0 : event.count))
      running.until = until
    } else {
      const mine = event.user === room.you?.user
      if (store.combos.length === 0) setTimeout(sweep, 400)
      store.combos.push({ key, name: event.name, gift: event.gift, mine, count: Math.max(event.combo, event.count), until })
      if (store.combos.length > COMBOS_MAX) store.combos.shift()
    }
    const kind = store.kindOf(event.gift)
    if (kind?.effect !== 'full') return
    store.effects.push({ id: event.id, gift: event.gift, name: event.name, value: kind.coins * event.count })
    if (store.effects.length > EFFECTS_MAX) {
      const cheapest = store.effects.reduce((low, effect, at, all) => (effect.value < (all[low]?.value ?? 0) ? at : low), 0)
      store.effects.splice(cheapest, 1)
    }
  })

  void room.joined.then(async () => {
    const kinds = await room.api.gifts().catch(() => [])
    if (kinds.length > 0) store.kinds = kinds.sort((a, b) => a.coins - b.coins)
  })
  return store
}
