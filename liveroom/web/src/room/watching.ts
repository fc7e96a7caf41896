/** Tells the server every now and then that somebody watches, as long as it counts today. */

import { Refusal, type Room } from '@sdk'

export const BEAT_MS = 15_000

/** Beat while `watches()` holds; returns what ends it. */
export function beat(room: Pick<Room, 'ask'>, watches: () => boolean, today: () => string): () => void {
  let doneOn = ''
  async function once(): Promise<void> {
    if (doneOn === today() || !watches()) return
    try {
      if ((await room.ask('watching'))['done'] === true) doneOn = today()
    } catch (error) {
      // watching on is what matters: a beat that is lost is only time not counted
      if (!(error instanceof Refusal)) throw error
    }
  }
  const timer = setInterval(() => void once(), BEAT_MS)
  return () => clearInterval(timer)
}
