/**
 * Commands under way: each has an id, is answered by `ok` or `no`, and money survives a reconnect.
 *
 * Knows no socket: `write` is given when there is one. A resent command keeps its id, so the
 * server answers it once however often it arrives.
 */

import type { ClientFrame, ServerFrame } from './frames'
import { Refusal } from './http'

export type Command = Extract<ClientFrame, { id: string }>
export type Answer = Readonly<Record<string, unknown>>
type Write = (frame: ClientFrame) => void

/** Beyond this many unanswered commands new ones are refused with `busy`. */
export const PENDING_MAX = 64
export const COMMAND_TIMEOUT_MS = 30_000
/** Wait before asking again when the same command is still being carried out. */
export const TWIN_WAIT_MS = 300

interface Pending {
  readonly frame: Command
  readonly resolve: (answer: Answer) => void
  readonly reject: (refusal: Refusal) => void
  readonly timer: ReturnType<typeof setTimeout>
}

export class Commands {
  private readonly pending = new Map<string, Pending>()
  private write: Write | null = null

  /** Send now, or keep until the next connection if the command may be resent. */
  submit(frame: Command): Promise<Answer> {
    if (this.pending.size >= PENDING_MAX) return Promise.reject(new Refusal('busy', 'Too many commands are waiting.'))
    if (!this.write && !resendable(frame)) {
      return Promise.reject(new Refusal('disconnected', 'Not connected right now; try again.'))
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.pending.delete(frame.id)
        reject(new Refusal('timeout', 'No answer came; check before you try again.'))
      }, COMMAND_TIMEOUT_MS)
      this.pending.set(frame.id, { frame, resolve, reject, timer })
      this.write?.(frame)
    })
  }

  /** Take an `ok` or a `no`. */
  receive(frame: Extract<ServerFrame, { t: 'ok' | 'no' }>): void {
    const pending = this.pending.get(frame.id)
    if (!pending) return
    if (frame.t === 'no' && frame.code === 'twin_in_flight') {
      setTimeout(() => this.pending.has(pending.frame.id) && this.write?.(pending.frame), Number(frame.retry_ms ?? TWIN_WAIT_MS))
      return
    }
    this.pending.delete(frame.id)
    clearTimeout(pending.timer)
    if (frame.t === 'ok') pending.resolve(frame)
    else pending.reject(new Refusal(String(frame.code), String(frame.why), 0, frame.retry_ms as number | undefined))
  }

  /** A connection is ready: write to it, first what is still unanswered. */
  connected(write: Write): void {
    this.write = write
    for (const { frame } of this.pending.values()) write(frame)
  }

  /** The connection is gone: what may not be resent is refused. */
  disconnected(): void {
    this.write = null
    for (const [id, { frame, reject, timer }] of this.pending) {
      if (resendable(frame)) continue
      this.pending.delete(id)
      clearTimeout(timer)
      reject(new Refusal('disconnected', 'The connection was lost; say it again.'))
    }
  }

  /** It is over: refuse everything. */
  close(): void {
    this.write = null
    for (const { reject, timer } of this.pending.values()) {
      clearTimeout(timer)
      reject(new Refusal('closed', 'The room was left.'))
    }
    this.pending.clear()
  }
}

/** Text said twice is a nuisance, a gift lost is money. */
function resendable(frame: Command): boolean {
  return frame.t !== 'say'
}
