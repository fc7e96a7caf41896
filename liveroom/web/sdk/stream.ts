/**
 * A visit over server-sent events and POST, for networks that block websockets.
 *
 * The same face as `Link`: frames in by handler, frames out by `send`, one `closed` at the end.
 * Reads the answer of `fetch`, because `EventSource` cannot carry a token.
 */

import { closingOf } from './closing'
import type { ClientFrame, Resume, ServerFrame } from './frames'
import { DEAD_AFTER_MS, WELCOME_TIMEOUT_MS, type LinkHandlers, type Line } from './link'

/** The server shows life every 10 s; silence for so long means that the stream is dead. */
export const SILENT_AFTER_MS = 25_000
/** Commands that could not be posted are tried again so often before the stream counts as lost. */
export const POSTS_MAX = 3

export interface StreamOptions {
  readonly baseUrl: string
  readonly room: string
  readonly token: string
  readonly resume: Resume | null
  readonly fetch: typeof globalThis.fetch
}

export class EventLink implements Line {
  private readonly abort = new AbortController()
  private watchdog: ReturnType<typeof setTimeout> | undefined
  private id: string | null = null
  private waiting: ClientFrame[] = []
  private posting = false
  private bye: { code: number; why: string; afterMs?: number } | null = null
  private over = false

  constructor(
    private readonly options: StreamOptions,
    private readonly handlers: LinkHandlers,
  ) {
    this.watch(WELCOME_TIMEOUT_MS, 'no welcome')
    void this.read()
  }

  /** Frames leave one after the other, in their order. */
  send(frame: ClientFrame): void {
    if (this.over) return
    this.waiting.push(frame)
    void this.post()
  }

  /** Leave; `closed` is not called. */
  close(): void {
    this.over = true
    clearTimeout(this.watchdog)
    this.abort.abort()
  }

  /** Give up at once. */
  drop(why: string): void {
    this.end(1006, why)
  }

  private async read(): Promise<void> {
    try {
      const response = await this.options.fetch(this.address(), {
        headers: { authorization: `Bearer ${this.options.token}`, accept: 'text/event-stream' },
        cache: 'no-store',
        signal: this.abort.signal,
      })
      if (!response.ok || !response.body) return this.end(1006, `status ${response.status}`)
      await this.take(response.body.getReader())
      this.end(this.bye?.code ?? 1006, 'the stream ended')
    } catch (error) {
      this.end(1006, String(error))
    }
  }

  private async take(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder()
    let text = ''
    for (;;) {
      const { done, value } = await reader.read()
      if (done || this.over) return
      text += decoder.decode(value, { stream: true })
      const events = text.split('\n\n')
      text = events.pop() ?? ''
      for (const event of events) this.receive(event)
      if (this.id !== null) this.watch(SILENT_AFTER_MS, 'silent')
    }
  }

  private receive(event: string): void {
    if (this.over || !event.startsWith('data: ')) return // a comment shows life
    const frame = JSON.parse(event.slice('data: '.length)) as ServerFrame | { t: 'stream'; id: string }
    if (frame.t === 'stream') {
      this.id = String(frame.id)
      void this.post()
      return
    }
    if (frame.t === 'bye') this.bye = { code: frame.code, why: frame.why, afterMs: frame.after_ms }
    this.handlers.frame(frame)
  }

  private async post(): Promise<void> {
    if (this.posting || this.id === null) return
    this.posting = true
    let failures = 0
    while (this.waiting.length > 0 && !this.over) {
      const startedAt = Date.now()
      const sent = await this.postOne(this.waiting[0] as ClientFrame)
      if (this.over) break
      if (sent) {
        this.waiting.shift()
        failures = 0
        this.handlers.quality(Date.now() - startedAt, false)
      } else if ((failures += 1) >= POSTS_MAX) this.drop('commands do not get through')
      else await new Promise((resolve) => setTimeout(resolve, 200 * failures))
    }
    this.posting = false
  }

  /** False when it may be tried again. */
  private async postOne(frame: ClientFrame): Promise<boolean> {
    try {
      const response = await this.options.fetch(new URL(`/v1/events/${this.id}`, this.options.baseUrl).href, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(frame),
        signal: AbortSignal.any([this.abort.signal, AbortSignal.timeout(DEAD_AFTER_MS)]),
      })
      if (response.status === 404) this.drop('the stream has ended')
      return response.status !== 429 && response.status < 500
    } catch {
      return false
    }
  }

  private address(): string {
    const url = new URL('/v1/events', this.options.baseUrl)
    url.searchParams.set('room', this.options.room)
    const { resume } = this.options
    if (resume) {
      url.searchParams.set('epoch', resume.epoch)
      url.searchParams.set('offset', String(resume.offset))
      if (resume.personal !== undefined) url.searchParams.set('personal', String(resume.personal))
    }
    return url.href
  }

  private watch(afterMs: number, why: string): void {
    clearTimeout(this.watchdog)
    this.watchdog = setTimeout(() => this.drop(why), afterMs)
  }

  private end(code: number, why: string): void {
    if (this.over) return
    this.over = true
    clearTimeout(this.watchdog)
    this.abort.abort()
    const known = this.bye ?? { code, why, afterMs: undefined }
    this.handlers.closed(closingOf(known.code), known.afterMs, known.why || why)
  }
}
