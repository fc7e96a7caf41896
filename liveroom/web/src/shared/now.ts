/** The time as a reactive value, for countdowns and timers; ticks only while somebody looks. */

import { onBeforeUnmount, ref, type Ref } from 'vue'

export function useNow(intervalMs = 500): Readonly<Ref<number>> {
  const now = ref(Date.now())
  const timer = setInterval(() => (now.value = Date.now()), intervalMs)
  onBeforeUnmount(() => clearInterval(timer))
  return now
}
