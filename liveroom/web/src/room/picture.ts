/** How the picture stands: does it play, with sound, which shape; and where it goes on this screen. */

import { onBeforeUnmount, ref, type Ref } from 'vue'

export interface Picture {
  readonly playing: boolean
  /** New frames came just now: whatever the news say, there is something to see. */
  readonly moving: boolean
  readonly silent: boolean
  /** Sound comes and no picture: the line carries no more. */
  readonly soundOnly: boolean
  /** Width by height; 0 until known. */
  readonly ratio: number
}

/** From this shape on a picture is wide; squarer ones lose little when they fill a phone. */
const WIDE = 1.2

export function isWide(picture: Picture): boolean {
  return picture.ratio >= WIDE
}

/** Whether picture and talk have room side by side. */
export function useWideScreen(): Ref<boolean> {
  const query = matchMedia('(min-width: 720px) and (min-aspect-ratio: 5 / 4)')
  const wide = ref(query.matches)
  const listen = (): void => void (wide.value = query.matches)
  query.addEventListener('change', listen)
  onBeforeUnmount(() => query.removeEventListener('change', listen))
  return wide
}
