/** Taps gathered into few frames: the server counts them, nobody needs each one at once. */

export const LIKE_FLUSH_MS = 400
/** More taps than this in one frame are not human and not sent. */
export const LIKES_PER_FRAME_MAX = 20

export class Likes {
  private waiting = 0
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(private readonly send: (count: number) => void) {}

  add(count: number): void {
    this.waiting = Math.min(LIKES_PER_FRAME_MAX, this.waiting + count)
    this.timer ??= setTimeout(() => this.flush(), LIKE_FLUSH_MS)
  }

  close(): void {
    clearTimeout(this.timer)
    this.timer = undefined
    this.waiting = 0
  }

  private flush(): void {
    this.timer = undefined
    const count = this.waiting
    this.waiting = 0
    if (count > 0) this.send(count)
  }
}
