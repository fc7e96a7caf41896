/** A gateway on a real port: it answers hello as a test says and records what clients send. */

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { decode, encode } from '@msgpack/msgpack'
import { WebSocketServer, type WebSocket } from 'ws'
import { MSGPACK } from '../frames'

export type Frame = Record<string, unknown> & { t: string }

export const WELCOME = {
  t: 'welcome',
  you: { user: 'u1', name: 'Mia', role: 'viewer', tier: 'gold', coins: 20 },
  room: { id: 'tea', title: 'Tea' },
  snapshot: { stage: { slots: [] }, pin: null, rounds: [], counters: { online: 1, likes: 0 }, texts: [] },
  epoch: 'e1',
  offset: 5,
  personal: 0,
  tick_ms: 50,
  resumed: false,
}

export class Gateway {
  readonly received: Frame[] = []
  readonly sockets: WebSocket[] = []
  joins = 0
  joinAnswer: { status: number; body: unknown } | null = null
  onFrame: (frame: Frame, send: (frame: object) => void, socket: WebSocket) => void = (frame, send) => {
    if (frame.t === 'hello') send(WELCOME)
    else if (frame.t === 'ping') send({ t: 'pong' })
    else if (typeof frame['id'] === 'string') send({ t: 'ok', id: frame['id'] })
  }

  private constructor(
    private readonly http: Server,
    private readonly ws: WebSocketServer,
  ) {}

  static async start(): Promise<Gateway> {
    const http = createServer()
    const ws = new WebSocketServer({
      server: http,
      handleProtocols: (offered) => [...offered][0] ?? false,
    })
    const gateway = new Gateway(http, ws)
    http.on('request', (_request, response) => {
      gateway.joins += 1
      const answer = gateway.joinAnswer ?? {
        status: 200,
        body: { gateway_url: `${gateway.url.replace('http', 'ws')}/v1/ws`, whep_url: '/v1/rooms/tea/whep', ice_servers: [] },
      }
      response.writeHead(answer.status, { 'content-type': 'application/json' })
      response.end(JSON.stringify(answer.body))
    })
    ws.on('connection', (socket) => {
      gateway.sockets.push(socket)
      const send = (frame: object): void =>
        socket.send(socket.protocol === MSGPACK ? encode(frame) : JSON.stringify(frame))
      socket.on('message', (data: Buffer, binary: boolean) => {
        const frame = (binary ? decode(data) : JSON.parse(data.toString())) as Frame
        gateway.received.push(frame)
        gateway.onFrame(frame, send, socket)
      })
    })
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
    return gateway
  }

  get url(): string {
    return `http://127.0.0.1:${(this.http.address() as AddressInfo).port}`
  }

  /** Send to the newest connection. */
  send(frame: object): void {
    const socket = this.sockets.at(-1)
    socket?.send(socket.protocol === MSGPACK ? encode(frame) : JSON.stringify(frame))
  }

  of(type: string): Frame[] {
    return this.received.filter((frame) => frame.t === type)
  }

  async stop(): Promise<void> {
    for (const socket of this.ws.clients) socket.terminate()
    this.ws.close()
    await new Promise((resolve) => this.http.close(resolve))
  }
}

/** Wait until a condition holds, at most two seconds. */
export async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 2_000
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`not in time: ${condition.toString()}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
