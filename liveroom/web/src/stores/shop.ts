/** Buying without leaving the video: the pinned product and one purchase at a time. */

import { freshId, Refusal, type Product, type ReceiptEvent, type Room } from '@sdk'
import { reactive } from 'vue'

export type Purchase =
  | { step: 'idle' }
  | { step: 'choosing'; product: Product }
  | { step: 'age'; product: Product; quantity: number; price: Price }
  | { step: 'paying'; product: Product; quantity: number }
  | { step: 'confirming'; product: Product; order: string; amount: number }
  | { step: 'paid'; product: Product; order: string; amount: number; nth: number | null }
  | { step: 'refused'; product: Product; quantity: number; code: string; why: string }

/** After this the person is told that the confirmation takes longer; it still arrives. */
export const RECEIPT_WAIT_MS = 10_000

/** What the buyer was shown: the money, and how many points pay the rest. */
export interface Price {
  readonly payable: number
  readonly points: number
}

export interface ShopStore {
  pin: Product | null
  products: Product[]
  purchase: Purchase
  late: boolean
  open(product: Product): void
  close(): void
  /** Pay exactly the price shown; where the server asks for another, nothing is paid. */
  pay(quantity: number, price: Price): Promise<void>
  confirmAge(): Promise<void>
  loadProducts(): Promise<void>
}

export function shopStore(room: Room, roomId: string): ShopStore {
  const receipts = new Map<string, ReceiptEvent>()
  let key = ''

  /** One idempotency key per intention: trying again after an error never buys twice. */
  async function checkout(product: Product, quantity: number, price: Price): Promise<void> {
    store.purchase = { step: 'paying', product, quantity }
    store.late = false
    try {
      const made = await room.api.checkout(roomId, room.token ?? '', product.id, quantity, key, price.points)
      if (store.purchase.step !== 'paying') return
      if (made.amount !== price.payable) {
        await room.ask('cancel_checkout', { order: made.order })
        throw new Refusal('price_changed', '', 409)
      }
      store.purchase = { step: 'confirming', product, order: made.order, amount: made.amount }
      await room.api.pay(made.pay_url)
      settle(made.order)
      setTimeout(() => (store.late = true), RECEIPT_WAIT_MS)
    } catch (error) {
      const refusal = error instanceof Refusal ? error : new Refusal('network', '')
      store.purchase =
        refusal.code === 'age_unconfirmed'
          ? { step: 'age', product, quantity, price }
          : { step: 'refused', product, quantity, code: refusal.code, why: refusal.why }
      // a stored 409 would come again under the same key
      if (refusal.status === 409 || refusal.code === 'age_unconfirmed') key = freshId()
    }
  }

  function settle(order: string): void {
    const receipt = receipts.get(order)
    const now = store.purchase
    if (!receipt || now.step !== 'confirming' || now.order !== order) return
    store.purchase = { step: 'paid', product: now.product, order, amount: receipt.amount, nth: receipt.nth }
  }

  const store: ShopStore = reactive<ShopStore>({
    pin: null,
    products: [],
    purchase: { step: 'idle' },
    late: false,
    open(product) {
      key = freshId()
      store.purchase = { step: 'choosing', product }
    },
    close: () => (store.purchase = { step: 'idle' }),
    async pay(quantity, price) {
      const now = store.purchase
      if (now.step === 'choosing' || now.step === 'refused' || now.step === 'age') await checkout(now.product, quantity, price)
    },
    async confirmAge() {
      const now = store.purchase
      if (now.step !== 'age') return
      await room.ask('confirm_age')
      await checkout(now.product, now.quantity, now.price)
    },
    async loadProducts() {
      store.products = await room.api.products(roomId, room.token)
    },
  })

  room.on('reset', (snapshot) => (store.pin = snapshot.pin ?? null))
  room.on('pin', (event) => (store.pin = event.product))
  room.on('receipt', (event) => {
    receipts.set(event.order, event)
    settle(event.order)
  })
  return store
}
