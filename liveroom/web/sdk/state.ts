/**
 * Where a visitor stands with the room: one union that pages draw from.
 */

import type { Verdict } from './closing'

export type RoomState =
  | { readonly phase: 'joining' }
  | { readonly phase: 'live' }
  /** Connected, but answers come late. */
  | { readonly phase: 'weak'; readonly roundTripMs: number }
  | { readonly phase: 'reconnecting'; readonly attempt: number; readonly retryAt: number }
  /** The device itself has no network; returns by itself. */
  | { readonly phase: 'offline' }
  | { readonly phase: 'full'; readonly retryAt: number }
  | { readonly phase: 'missing' }
  | { readonly phase: 'closed' }
  | { readonly phase: Verdict; readonly why: string }

export type RoomPhase = RoomState['phase']

const FINAL: ReadonlySet<RoomPhase> = new Set<RoomPhase>([
  'missing', 'closed', 'refused', 'expired', 'kicked', 'banned', 'ended', 'failed',
])

/** Whether nothing more will come of this connection. */
export function isFinal(state: RoomState): boolean {
  return FINAL.has(state.phase)
}
