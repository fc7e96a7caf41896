/** The streams of all slots, as the player gets them. */

import type { Player } from '@sdk'
import { onMounted, shallowRef, type ShallowRef } from 'vue'

export function useStreams(player: Promise<Player>): ShallowRef<readonly MediaStream[]> {
  const streams = shallowRef<readonly MediaStream[]>([])
  onMounted(async () => {
    const started = await player
    const update = (): void => void (streams.value = [...started.streams])
    update()
    started.on('slot', update)
  })
  return streams
}
