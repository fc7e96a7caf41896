/**
 * When to try again: full jitter, so that a thousand clients do not return at once.
 */

export const BACKOFF_BASE_MS = 500
export const BACKOFF_MAX_MS = 20_000
/** Spread added to a wait that the server asked for. */
export const HINT_SPREAD = 0.2

/**
 * Milliseconds to wait before attempt `attempt` (0 = first).
 *
 * The server's `after_ms` is a floor; without one the wait is uniform in [0, cap].
 */
export function backoffMs(attempt: number, random: () => number, afterMs?: number): number {
  const cap = Math.min(BACKOFF_MAX_MS, BACKOFF_BASE_MS * 2 ** Math.min(attempt, 16))
  if (afterMs === undefined) return random() * cap
  return afterMs + random() * Math.max(afterMs * HINT_SPREAD, attempt > 0 ? cap : 0)
}
