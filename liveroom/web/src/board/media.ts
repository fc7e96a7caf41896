/** The media tab's samples: a report of the server, flattened into numbers that charts draw. */

import type { Api, MediaReport } from '@sdk'
import { shallowRef, type ShallowRef } from 'vue'

/** Sessions listed one by one; the totals are of all. */
export const LISTED = 50
const BITS_PER_MBIT = 1_000_000

export interface MediaReader {
  readonly report: ShallowRef<MediaReport | null>
  read(token: string): Promise<Record<string, number>>
}

/** Read reports; rates need the one before. */
export function useMedia(api: Api, roomId: string): MediaReader {
  const report = shallowRef<MediaReport | null>(null)
  return {
    report,
    async read(token) {
      const next = await api.sessions(roomId, token, LISTED)
      const values = flatten(next, report.value)
      report.value = next
      return values
    },
  }
}

/** What has no value yet (latency before the first packet) is left out: the chart has a gap. */
export function flatten(next: MediaReport, before: MediaReport | null): Record<string, number> {
  const { totals, forward } = next
  const values: Record<string, number> = {
    legs: totals.legs,
    out_mbps: totals.bitrate_out_bps / BITS_PER_MBIT,
    in_mbps: totals.bitrate_in_bps / BITS_PER_MBIT,
    loss_percent: totals.loss * 100,
    video_legs: 0,
  }
  for (const [layer, count] of Object.entries(totals.layers)) {
    values[`layer.${layer}`] = count
    values['video_legs']! += count
  }
  if (forward.p50_ms !== null) values['forward_p50_ms'] = forward.p50_ms
  if (forward.p99_ms !== null) values['forward_p99_ms'] = forward.p99_ms
  const seconds = before ? (next.at - before.at) / 1000 : 0
  // a session that left took its count along: that is no negative rate
  if (before && seconds > 0) values['repairs_per_s'] = Math.max(0, (totals.repairs - before.totals.repairs) / seconds)
  return values
}
