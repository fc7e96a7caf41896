/** Typed listeners; a listener that throws does not silence the others. */

export class Emitter<M extends object> {
  private readonly listeners = new Map<keyof M, Set<(value: never) => void>>()

  /** Listen; returns how to stop. */
  on<K extends keyof M>(name: K, listener: (value: M[K]) => void): () => void {
    const set = this.listeners.get(name) ?? new Set()
    this.listeners.set(name, set)
    set.add(listener as (value: never) => void)
    return () => set.delete(listener as (value: never) => void)
  }

  protected emit<K extends keyof M>(name: K, value: M[K]): void {
    for (const listener of this.listeners.get(name) ?? []) {
      try {
        ;(listener as (value: M[K]) => void)(value)
      } catch (error) {
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }
}
