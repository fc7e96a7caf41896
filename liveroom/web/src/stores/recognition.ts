/** The host's queue of returning customers, ranked by value, bounded. */

import type { RecognisedEvent, Room } from '@sdk'
import { reactive } from 'vue'

export const CARDS_MAX = 50

export interface RecognitionStore {
  cards: RecognisedEvent[]
  /** Takes the card away and, if possible, has the server say thanks. */
  thank(card: RecognisedEvent): Promise<void>
  dismiss(card: RecognisedEvent): void
}

const RANK: Readonly<Record<string, number>> = { basic: 0, silver: 1, gold: 2, diamond: 3 }

/** Level, then orders, then visits: the order in which the server ranks them too. */
export function worth(card: RecognisedEvent): number {
  return card.value ?? (RANK[card.tier] ?? 0) * 1_000 + Math.min(card.orders, 99) * 10 + Math.min(card.visits, 9)
}

const byWorth = (a: RecognisedEvent, b: RecognisedEvent): number => worth(b) - worth(a) || b.at - a.at

export function recognitionStore(room: Room): RecognitionStore {
  const put = (cards: readonly RecognisedEvent[]): void => {
    const latest = new Map(store.cards.map((card) => [card.user, card]))
    for (const card of cards) latest.set(card.user, card)
    store.cards = [...latest.values()].sort(byWorth).slice(0, CARDS_MAX)
  }
  const store: RecognitionStore = reactive<RecognitionStore>({
    cards: [],
    async thank(card) {
      await room.ask('thank', { user: card.user })
      store.dismiss(card)
    },
    dismiss(card) {
      store.cards = store.cards.filter((other) => other.user !== card.user)
    },
  })
  room.on('recognised', (event) => put([event]))
  room.on('reset', (snapshot) => put(snapshot.recognised ?? []))
  return store
}
