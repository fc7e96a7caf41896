/**
 * The evenings of the server's property test, replayed: `LIVEROOM_SCRIPTS` names a file of scripts.
 *
 * Each script is what one client went through (connections, frames, cuts) and what the proven
 * client drew. This SDK must say the same hellos and draw the same. Without the variable a
 * short committed script is replayed.
 */

import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { connect, type Room } from '../index'
import type { SocketMaker } from '../link'
import type { Resume, ServerFrame } from '../frames'

type Step = { connect: Resume | null } | { frame: ServerFrame } | { cut: true }
interface Script {
  readonly steps: readonly Step[]
  readonly drawn: readonly string[]
}

/** A socket whose other end is the script. */
class Wire {
  static opened: Wire[] = []
  binaryType = ''
  readonly protocol = 'liveroom.json.v1'
  readyState = 1
  readonly sent: { resume?: Resume }[] = []
  private readonly listeners = new Map<string, (event: unknown) => void>()

  constructor() {
    Wire.opened.push(this)
    queueMicrotask(() => this.listeners.get('open')?.({}))
  }
  addEventListener(type: string, listener: (event: never) => void): void {
    this.listeners.set(type, listener as (event: unknown) => void)
  }
  send(data: string): void {
    this.sent.push(JSON.parse(data) as { resume?: Resume })
  }
  close(): void {
    this.readyState = 3
  }
  take(frame: ServerFrame): void {
    this.listeners.get('message')?.({ data: JSON.stringify(frame) })
  }
  cut(): void {
    this.readyState = 3
    this.listeners.get('close')?.({ code: 1006, reason: '' })
  }
}

const answer = (): Promise<Response> =>
  Promise.resolve(new Response(JSON.stringify({ gateway_url: 'ws://script', whep_url: '/w', token: 't' })))

async function socket(count: number): Promise<Wire> {
  for (let turn = 0; turn < 500; turn += 1) {
    const wire = Wire.opened[count - 1]
    if (wire && wire.sent.length > 0) return wire
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  throw new Error('the client did not come back')
}

async function replay(script: Script): Promise<string[]> {
  Wire.opened = []
  const drawn: string[] = []
  const room: Room = connect({
    baseUrl: 'http://script',
    room: 'r1',
    token: 't',
    codec: 'json',
    transport: 'websocket',
    WebSocket: Wire as unknown as SocketMaker,
    fetch: answer as typeof globalThis.fetch,
    random: () => 0,
  })
  room.on('welcome', (frame) => void (frame.resumed || drawn.push(`begin ${frame.epoch} ${frame.offset} ${frame.personal}`)))
  room.on('event', (event) => drawn.push(event.id))
  let wire: Wire | null = null
  let connections = 0
  for (const step of script.steps) {
    if ('connect' in step) {
      wire = await socket((connections += 1))
      expect(wire.sent[0]?.resume ?? null).toEqual(step.connect)
    } else if ('frame' in step) wire?.take(step.frame)
    else wire?.cut()
  }
  room.close()
  return drawn
}

const file = process.env['LIVEROOM_SCRIPTS'] ?? new URL('./scripts.json', import.meta.url)
const scripts = JSON.parse(readFileSync(file, 'utf8')) as Script[]

describe('the evenings of the property test', () => {
  it(`draws ${scripts.length} of them like the proven client`, async () => {
    expect(scripts.length).toBeGreaterThan(0)
    for (const script of scripts) expect(await replay(script)).toEqual(script.drawn)
  }, 120_000)
})
