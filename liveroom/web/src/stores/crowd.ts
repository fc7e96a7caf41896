/** Counters of the room: people online, likes of everybody, with my own taps ahead of the server. */

import type { Room } from '@sdk'
import { reactive } from 'vue'

export interface CrowdStore {
  online: number
  likes: number
  followers: number
  following: boolean
  /** Likes by others since last drawn; the burst takes them. */
  othersLikes: number
  like(): void
  follow(): Promise<void>
}

export function crowdStore(room: Room): CrowdStore {
  let mine = 0
  const store: CrowdStore = reactive<CrowdStore>({
    online: 0,
    likes: 0,
    followers: 0,
    following: false,
    othersLikes: 0,
    like() {
      mine += 1
      store.likes += 1
      room.like()
    },
    async follow() {
      const wanted = !store.following
      store.following = wanted
      store.followers += wanted ? 1 : -1
      try {
        const answer = await room.ask(wanted ? 'follow' : 'unfollow')
        if (typeof answer['following'] === 'boolean') store.following = answer['following']
        if (typeof answer['followers'] === 'number') store.followers = answer['followers']
      } catch (error) {
        store.following = !wanted
        store.followers -= wanted ? 1 : -1
        throw error
      }
    },
  })
  room.on('counters', ({ online, likes, followers }) => {
    if (online !== undefined) store.online = online
    if (followers !== undefined) store.followers = followers
    if (likes === undefined) return
    const news = likes - store.likes + mine
    if (store.likes > 0 && news > mine) store.othersLikes += news - mine
    store.likes = Math.max(store.likes, likes)
    mine = 0
  })
  room.on('welcome', ({ you, room: card }) => {
    store.following = you.following ?? false
    store.followers = card.followers ?? store.followers
  })
  return store
}
