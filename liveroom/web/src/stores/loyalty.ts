/** What being a customer is worth: points, coupons, check-in, and what a purchase costs me. */

import { Refusal, type Room, type Tier } from '@sdk'
import { reactive } from 'vue'
import { i18n } from '@/i18n'
import { integer, money } from '@/i18n/format'
import type { MeStore } from './me'
import type { NoticeStore } from './notices'

/** As many points as an order takes; the server knows how many I have. */
const ALL_POINTS = 1_000_000_000

/** What a coupon does; amounts in minor units, times epoch ms. */
export interface CouponTemplate {
  readonly id: string
  readonly title: string
  readonly off_fen: number
  readonly off_permille: number
  readonly most_fen: number | null
  readonly from_fen: number
  readonly products: readonly string[]
  readonly categories: readonly string[]
  readonly valid_days: number
  readonly until: number | null
}
export interface HeldCoupon {
  readonly template: CouponTemplate
  readonly count: number
  readonly expires_at: number | null
}
export interface OpenCoupon {
  readonly template: CouponTemplate
  readonly taken: boolean
}
export interface Balance {
  readonly points: number
  readonly pending: number
  readonly expiring: number
  readonly expires_at: number | null
}
/** `payable` is the money with points used, `saved` what prices and offers take off the list. */
export interface Quote {
  readonly savings: readonly { readonly offer: string; readonly title: string; readonly amount: number }[]
  readonly list_total: number
  readonly points: number
  readonly paid_by_points: number
  readonly payable: number
  readonly saved: number
}

export interface LoyaltyStore {
  balance: Balance | null
  held: readonly HeldCoupon[]
  open: readonly OpenCoupon[]
  /** Days in a row, once I have checked in on `checkedInOn`. */
  streak: number
  checkedInOn: string
  quote: Quote | null
  /** The quote being waited for: no amount shown is certain. */
  quoting: boolean
  /** Counts what made the card stale. */
  changes: number
  load(): Promise<void>
  claim(template: string): Promise<void>
  checkIn(): Promise<void>
  quoteFor(product: string, quantity: number): Promise<void>
}

export const today = (): string => new Date().toDateString()

export function loyaltyStore(room: Room, me: MeStore, notices: NoticeStore): LoyaltyStore {
  const { t, te } = i18n.global
  let asked = 0

  const store: LoyaltyStore = reactive<LoyaltyStore>({
    balance: null,
    held: [],
    open: [],
    streak: 0,
    checkedInOn: '',
    quote: null,
    quoting: false,
    changes: 0,
    async load() {
      const [balance, held, open] = await Promise.all([room.ask('points'), room.ask('coupons'), room.ask('open_coupons')])
      store.balance = balance as unknown as Balance
      store.held = held['coupons'] as HeldCoupon[]
      store.open = open['coupons'] as OpenCoupon[]
    },
    async claim(template) {
      try {
        await room.ask('claim_coupon', { template })
      } finally {
        await store.load()
      }
    },
    async checkIn() {
      const earned = await room.ask('check_in')
      store.streak = earned['streak'] as number
      store.checkedInOn = today()
      if (earned['points'] === 0) notices.tell(t('loyalty.already'))
    },
    /** One question tells both prices: without points they are `paid_by_points` more. */
    async quoteFor(product, quantity) {
      const mine = (asked += 1)
      store.quoting = true
      try {
        const found = await room.ask('quote', { lines: [{ product, quantity }], points: ALL_POINTS })
        if (mine === asked) store.quote = found as unknown as Quote
      } catch (error) {
        if (mine === asked) store.quote = null
        if (!(error instanceof Refusal)) throw error
      } finally {
        if (mine === asked) store.quoting = false
      }
    },
  })

  room.on('coupon', ({ title }) => {
    store.changes += 1
    notices.tell(t('loyalty.got', { title }), 'good')
  })
  room.on('points', ({ points, why }) => {
    store.changes += 1
    const key = `loyalty.earned.${why}`
    notices.tell(t(te(key) ? key : 'loyalty.earnedOther', { n: integer(points) }), 'good')
  })
  room.on('level', ({ move, tier, missing }) => {
    store.changes += 1
    me.card = { ...me.card, tier: tier as Tier }
    notices.tell(t(`loyalty.level.${move}`, { tier: t(`tier.${tier}`), amount: money(missing) }), move === 'raised' ? 'festive' : 'info')
  })
  return store
}
