/** Where the visit stands: the state of the connection, who I am, which room this is. */

import type { Room, RoomCard, RoomState, You } from '@sdk'
import { reactive } from 'vue'

export interface ConnectionStore {
  state: RoomState
  /** The welcome came at least once: the page is more than a poster. */
  entered: boolean
  you: You | null
  room: RoomCard | null
}

export function connectionStore(room: Room): ConnectionStore {
  const store: ConnectionStore = reactive<ConnectionStore>({ state: room.state, entered: false, you: null, room: null })
  room.on('state', (state) => (store.state = state))
  room.on('welcome', (welcome) => {
    store.entered = true
    store.you = welcome.you
    store.room = { ...store.room, ...welcome.room }
  })
  return store
}
