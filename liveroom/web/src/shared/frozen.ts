/** Lists that hold still under a finger or pointer, and say how much is new meanwhile. */

import { computed, ref, shallowRef, watch, type ComputedRef, type Ref } from 'vue'

export interface Frozen<T> {
  readonly shown: ComputedRef<readonly T[]>
  readonly fresh: ComputedRef<number>
  readonly held: Ref<boolean>
  hold(): void
  release(): void
}

export function useFrozen<T extends { readonly id: string }>(source: () => readonly T[]): Frozen<T> {
  const held = ref(false)
  const kept = shallowRef<readonly T[]>([])
  // what has been dealt with leaves even a held list: it must not be pressed twice
  const shown = computed(() => {
    if (!held.value) return source()
    const present = new Set(source().map((item) => item.id))
    return kept.value.filter((item) => present.has(item.id))
  })
  const fresh = computed(() => {
    if (!held.value) return 0
    const known = new Set(kept.value.map((item) => item.id))
    return source().filter((item) => !known.has(item.id)).length
  })
  watch(held, (holding) => {
    if (holding) kept.value = source()
  }, { flush: 'sync' })
  return { shown, fresh, held, hold: () => void (held.value = true), release: () => void (held.value = false) }
}
