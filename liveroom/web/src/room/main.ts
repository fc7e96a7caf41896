/** Builds the viewer page around a visit that has already begun. */

import type { Player, Room } from '@sdk'
import { createApp } from 'vue'
import { i18n } from '@/i18n'
import { buildContext, provideContext } from '@/stores/context'
import RoomPage from './RoomPage.vue'

export interface Start {
  readonly roomId: string
  readonly room: Room
  readonly player: Promise<Player>
}

export function mount({ roomId, room, player }: Start): void {
  const context = buildContext(room, roomId)
  const app = createApp(RoomPage, { player })
  provideContext(app, context)
  app.use(i18n)
  app.mount('#app')
  room.release()
  void room.api
    .room(roomId)
    .then((card) => (context.connection.room = { ...card, ...context.connection.room }))
    .catch(() => undefined) // the visit itself tells what is wrong
}
