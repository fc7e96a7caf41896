/** Topping up coins without leaving the video: packs, one purchase at a time, its receipt. */

import { freshId, Refusal, type CoinsEvent, type Pack, type Room } from '@sdk'
import { reactive } from 'vue'
import type { MeStore } from './me'
import type { NoticeStore } from './notices'
import { i18n } from '@/i18n'
import { integer } from '@/i18n/format'
import { RECEIPT_WAIT_MS } from './shop'

export type TopUp =
  | { step: 'choosing' }
  | { step: 'age' }
  | { step: 'paying' }
  | { step: 'confirming'; order: string }
  | { step: 'paid'; coins: number }
  | { step: 'refused'; code: string }

export interface CoinStore {
  packs: Pack[]
  chosen: string
  topUp: TopUp
  late: boolean
  /** Start anew, as when the sheet opens. */
  open(): Promise<void>
  pay(): Promise<void>
  confirmAge(): Promise<void>
}

export function coinStore(room: Room, roomId: string, me: MeStore, notices: NoticeStore): CoinStore {
  const receipts = new Map<string, CoinsEvent>()
  let key = ''

  function settle(order: string): void {
    const receipt = receipts.get(order)
    if (receipt && store.topUp.step === 'confirming' && store.topUp.order === order) store.topUp = { step: 'paid', coins: receipt.coins }
  }

  const store: CoinStore = reactive<CoinStore>({
    packs: [],
    chosen: '',
    topUp: { step: 'choosing' },
    late: false,
    async open() {
      key = freshId()
      store.topUp = { step: 'choosing' }
      if (store.packs.length === 0) store.packs = await room.api.packs()
      store.chosen ||= store.packs[1]?.id ?? store.packs[0]?.id ?? ''
    },
    /** One idempotency key per intention: trying again after an error never buys twice. */
    async pay() {
      store.topUp = { step: 'paying' }
      store.late = false
      try {
        const made = await room.api.buyCoins(roomId, room.token ?? '', store.chosen, key)
        store.topUp = { step: 'confirming', order: made.order }
        await room.api.pay(made.pay_url)
        settle(made.order)
        setTimeout(() => (store.late = true), RECEIPT_WAIT_MS)
      } catch (error) {
        const code = error instanceof Refusal ? error.code : 'network'
        store.topUp = code === 'age_unconfirmed' ? { step: 'age' } : { step: 'refused', code }
        if (code !== 'network') key = freshId()
      }
    },
    async confirmAge() {
      await room.ask('confirm_age')
      await store.pay()
    },
  })

  room.on('coins', (event) => {
    receipts.set(event.order, event)
    me.coins = event.coins_left
    settle(event.order)
  })
  room.on('tip_reminder', (event) => notices.tell(i18n.global.t('coins.reminder', { n: integer(event.coins) })))
  return store
}
