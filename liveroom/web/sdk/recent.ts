/** What was seen lately, bounded: the oldest is forgotten when it is full. */

export const RECENT_MAX = 4096

export class Recent<T> {
  private readonly seen = new Set<T>()

  constructor(private readonly max: number = RECENT_MAX) {}

  /** Note a value; false when it was there already. */
  add(value: T): boolean {
    if (this.seen.has(value)) return false
    this.seen.add(value)
    if (this.seen.size > this.max) {
      const oldest = this.seen.values().next()
      if (!oldest.done) this.seen.delete(oldest.value)
    }
    return true
  }

  clear(): void {
    this.seen.clear()
  }
}
