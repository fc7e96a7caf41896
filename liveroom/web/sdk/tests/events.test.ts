/** The way in without websockets: the same visit over fetch, against a server on a real port. */

import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { connect, type Room, type RoomEvent } from '../index'
import type { SocketMaker } from '../link'
import type { ConnectOptions } from '../room'
import { until, WELCOME, type Frame } from './gateway'

const gift = (n: number) => ({ k: 'gift', id: `g${n}`, at: 1, n, user: 'u2', name: 'Bo', gift: 'rose', count: 1, combo: 1 })

/** Answers join, refuses every websocket, serves streams. */
class BlockedNetwork {
  readonly posted: Frame[] = []
  readonly streams: { url: URL; token: string; response: ServerResponse }[] = []
  upgrades = 0
  postStatus = 202
  private constructor(private readonly http: Server) {}

  static async start(): Promise<BlockedNetwork> {
    const http = createServer()
    const network = new BlockedNetwork(http)
    http.on('upgrade', (_request, socket) => {
      network.upgrades += 1
      socket.destroy()
    })
    http.on('request', (request, response) => {
      const url = new URL(request.url ?? '', network.url)
      if (url.pathname.endsWith('/join')) {
        response.writeHead(200, { 'content-type': 'application/json' })
        return response.end(JSON.stringify({ gateway_url: `${network.url.replace('http', 'ws')}/v1/ws`, whep_url: '/w' }))
      }
      if (request.method === 'GET') {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        network.streams.push({ url, token: request.headers.authorization ?? '', response })
        network.send({ t: 'stream', id: `s${network.streams.length}` })
        return network.send(WELCOME)
      }
      let body = ''
      request.on('data', (data: Buffer) => (body += data.toString()))
      request.on('end', () => {
        response.writeHead(network.postStatus)
        response.end()
        if (network.postStatus !== 202) return
        const frame = JSON.parse(body) as Frame
        network.posted.push(frame)
        if (typeof frame['id'] === 'string') network.send({ t: 'ok', id: frame['id'], text: frame['text'] })
      })
      return undefined
    })
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
    return network
  }

  get url(): string {
    return `http://127.0.0.1:${(this.http.address() as AddressInfo).port}`
  }

  write(text: string): void {
    this.streams.at(-1)?.response.write(text)
  }
  send(frame: object): void {
    this.write(`data: ${JSON.stringify(frame)}\n\n`)
  }
  async stop(): Promise<void> {
    this.http.closeAllConnections()
    await new Promise((resolve) => this.http.close(resolve))
  }
}

let network: BlockedNetwork
let room: Room
let events: RoomEvent[]

function enter(options: Partial<ConnectOptions> = {}): void {
  let ids = 0
  room = connect({
    baseUrl: network.url,
    room: 'tea',
    token: 'a.b.c',
    WebSocket: WebSocket as unknown as SocketMaker,
    random: () => 0,
    newId: () => `c${(ids += 1)}`,
    ...options,
  })
  events = []
  room.on('event', (event) => events.push(event))
}
const live = () => until(() => room.state.phase === 'live')

beforeEach(async () => {
  network = await BlockedNetwork.start()
})
afterEach(async () => {
  room.close()
  await network.stop()
})

describe('a network that blocks websockets', () => {
  it('goes over to events by itself, and carries commands by POST', async () => {
    enter()
    await live()
    expect(room.transport).toBe('events')
    expect(network.upgrades).toBe(2)
    expect(network.streams[0]?.token).toBe('Bearer a.b.c')
    expect(network.streams[0]?.url.searchParams.get('room')).toBe('tea')
    const said = await room.say('hi <b>')
    expect(said).toMatchObject({ text: 'hi <b>' })
    expect(network.posted).toEqual([{ t: 'say', id: 'c1', text: 'hi <b>' }])
    network.send({ t: 'batch', epoch: 'e1', offset: 6, events: [gift(6)] })
    await until(() => events.length === 1)
  })

  it('goes over when the page may not even open a websocket', async () => {
    class Forbidden {
      constructor() {
        throw new Error('SecurityError')
      }
    }
    enter({ WebSocket: Forbidden as unknown as SocketMaker })
    await live()
    expect(room.transport).toBe('events')
  })

  it('stays with what it was told to use', async () => {
    enter({ transport: 'websocket' })
    await until(() => network.upgrades >= 4)
    expect(network.streams).toHaveLength(0)
  })
})

describe('a visit over events', () => {
  it('resumes where it stopped and draws nothing twice', async () => {
    enter({ transport: 'events' })
    await live()
    network.send({ t: 'batch', epoch: 'e1', offset: 7, events: [gift(6), gift(7)] })
    network.send({ t: 'to_you', personal: 2, events: [{ k: 'receipt', id: 'r', pn: 2, at: 1 }] })
    await until(() => events.length === 3)
    network.streams[0]?.response.destroy()
    await until(() => network.streams.length === 2)
    const asked = network.streams[1]?.url.searchParams
    expect([asked?.get('epoch'), asked?.get('offset'), asked?.get('personal')]).toEqual(['e1', '7', '2'])
    network.send({ t: 'batch', epoch: 'e1', offset: 8, events: [gift(7), gift(8)] })
    await until(() => events.length === 4)
    expect(events.map((event) => event.n ?? `p${event.pn}`)).toEqual([6, 7, 'p2', 8])
  })

  it('reads events however they are cut into pieces', async () => {
    enter({ transport: 'events' })
    await live()
    const text = `:\n\ndata: ${JSON.stringify({ t: 'batch', epoch: 'e1', offset: 6, events: [{ ...gift(6), name: '小明' }] })}\n\n`
    const bytes = Buffer.from(text)
    for (const byte of bytes) network.streams[0]?.response.write(Buffer.from([byte]))
    await until(() => events.length === 1)
    expect(events[0]).toMatchObject({ name: '小明' })
  })

  it('takes a bye as a websocket would', async () => {
    enter({ transport: 'events' })
    await live()
    network.send({ t: 'bye', code: 4104, why: 'out' })
    network.streams[0]?.response.end()
    await until(() => room.state.phase === 'banned')
    expect(network.streams).toHaveLength(1)
  })

  it('opens another stream when its commands do not get through', async () => {
    enter({ transport: 'events' })
    await live()
    network.postStatus = 503
    const sent = room.gift('rose')
    await until(() => network.streams.length === 2)
    network.postStatus = 202
    expect(await sent).toMatchObject({ id: 'c1' })
    expect(network.posted).toHaveLength(1)
  })
})
