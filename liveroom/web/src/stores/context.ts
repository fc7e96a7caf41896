/** All stores of one visit, built once and injected where they are drawn. */

import type { Room } from '@sdk'
import { inject, type App, type InjectionKey } from 'vue'
import { chatStore, type ChatStore } from './chat'
import { coinStore, type CoinStore } from './coins'
import { connectionStore, type ConnectionStore } from './connection'
import { crowdStore, type CrowdStore } from './crowd'
import { giftStore, type GiftStore } from './gifts'
import { loyaltyStore, type LoyaltyStore } from './loyalty'
import { meStore, type MeStore } from './me'
import { micStore, type MicStore } from './mic'
import { noticeStore, type NoticeStore } from './notices'
import { orderStore, type OrderStore } from './order'
import { pkStore, type PkStore } from './pk'
import { recognitionStore, type RecognitionStore } from './recognition'
import { replayStore, type ReplayStore } from './replays'
import { shopStore, type ShopStore } from './shop'
import { stageStore, type StageStore } from './stage'

export interface Context {
  readonly roomId: string
  readonly room: Room
  readonly connection: ConnectionStore
  readonly stage: StageStore
  readonly crowd: CrowdStore
  readonly chat: ChatStore
  readonly gifts: GiftStore
  readonly shop: ShopStore
  readonly replays: ReplayStore
  readonly me: MeStore
  readonly coins: CoinStore
  readonly loyalty: LoyaltyStore
  readonly mic: MicStore
  readonly order: OrderStore
  readonly pk: PkStore
  readonly recognition: RecognitionStore
  readonly notices: NoticeStore
}

const KEY: InjectionKey<Context> = Symbol('context')

/** Build the stores; call `room.release()` afterwards so that nothing early is lost. */
export function buildContext(room: Room, roomId: string): Context {
  const me = meStore(room, roomId)
  const notices = noticeStore()
  const stage = stageStore(room)
  return {
    roomId,
    room,
    connection: connectionStore(room),
    stage,
    crowd: crowdStore(room),
    chat: chatStore(room),
    gifts: giftStore(room),
    shop: shopStore(room, roomId),
    replays: replayStore(room, roomId),
    me,
    coins: coinStore(room, roomId, me, notices),
    loyalty: loyaltyStore(room, me, notices),
    mic: micStore(room),
    order: orderStore(room),
    pk: pkStore(room, roomId, stage),
    recognition: recognitionStore(room),
    notices,
  }
}

export function provideContext(app: App, context: Context): void {
  app.provide(KEY, context)
}

export function useContext(): Context {
  const context = inject(KEY)
  if (!context) throw new Error('no context: the page was mounted without provideContext')
  return context
}

