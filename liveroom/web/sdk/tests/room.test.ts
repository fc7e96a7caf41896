import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { connect, Refusal, type Room, type RoomEvent, type RoomState } from '../index'
import type { ConnectOptions } from '../room'
import type { SocketMaker } from '../link'
import { Gateway, until, WELCOME } from './gateway'

let gateway: Gateway
let room: Room
let states: RoomState[]
let events: RoomEvent[]

function enter(options: Partial<ConnectOptions> = {}): Room {
  let ids = 0
  room = connect({
    baseUrl: gateway.url,
    room: 'tea',
    token: 'a.b.c',
    WebSocket: WebSocket as unknown as SocketMaker,
    random: () => 0,
    newId: () => `c${(ids += 1)}`,
    ...options,
  })
  states = []
  events = []
  room.on('state', (state) => states.push(state))
  room.on('event', (event) => events.push(event))
  return room
}

const gift = (n: number) => ({ k: 'gift', id: `g${n}`, at: 1, n, user: 'u2', name: 'Bo', gift: 'rose', count: 1, combo: 1 })
const live = () => until(() => room.state.phase === 'live')

beforeEach(async () => {
  gateway = await Gateway.start()
})
afterEach(async () => {
  room.close()
  await gateway.stop()
})

describe('entering', () => {
  it.each(['msgpack', 'json'] as const)('says hello first and is live at the welcome (%s)', async (codec) => {
    enter({ codec })
    await live()
    expect(gateway.received[0]).toEqual({ t: 'hello', token: 'a.b.c', room: 'tea' })
    expect(room.you?.tier).toBe('gold')
  })

  it('takes the anonymous token that join hands out', async () => {
    gateway.joinAnswer = {
      status: 200,
      body: { gateway_url: `${gateway.url.replace('http', 'ws')}/v1/ws`, whep_url: '/w', token: 'anon' },
    }
    enter({ token: null })
    await live()
    expect(gateway.received[0]?.['token']).toBe('anon')
    expect((await room.joined).token).toBe('anon')
  })

  it('is missing when the room does not exist, and does not ask again', async () => {
    gateway.joinAnswer = { status: 404, body: { code: 'no_such_room', detail: 'no' } }
    enter()
    await until(() => room.state.phase === 'missing')
    expect(gateway.joins).toBe(1)
  })

  it('waits as long as a full server says', async () => {
    gateway.joinAnswer = { status: 503, body: { code: 'full', detail: 'full', retry_ms: 60_000 } }
    enter()
    await until(() => room.state.phase === 'full')
    gateway.joinAnswer = null
    room.retryNow()
    await live()
  })
})

describe('events', () => {
  it('delivers each durable event once, whatever comes twice', async () => {
    enter()
    await live()
    gateway.send({ t: 'batch', epoch: 'e1', offset: 7, events: [gift(6), gift(7)] })
    gateway.send({ t: 'batch', epoch: 'e1', offset: 8, events: [gift(7), gift(8), { ...gift(8), id: 'copy' }] })
    gateway.send({ t: 'to_you', personal: 1, events: [{ k: 'receipt', id: 'r1', pn: 1, at: 1 }] })
    gateway.send({ t: 'to_you', personal: 1, events: [{ k: 'receipt', id: 'r1', pn: 1, at: 1 }] })
    await until(() => events.some((event) => event.k === 'receipt'))
    expect(events.map((event) => event.n ?? `p${event.pn}`)).toEqual([6, 7, 8, 'p1'])
  })

  it('keeps what happens until the page is ready', async () => {
    enter({ hold: true })
    await live()
    gateway.send({ t: 'batch', epoch: 'e1', offset: 6, events: [gift(6)] })
    const seen: string[] = []
    for (const name of ['welcome', 'reset', 'gift'] as const) room.on(name, () => seen.push(name))
    await room.ask('me')
    expect(seen).toEqual([])
    room.release()
    expect(seen).toEqual(['welcome', 'reset', 'gift'])
  })

  it('ignores frames and kinds it does not know', async () => {
    enter()
    await live()
    gateway.send({ t: 'weather', sun: true })
    gateway.send({ t: 'batch', epoch: 'e1', offset: 6, events: [{ k: 'comet', id: 'x', at: 1 }, gift(6)] })
    await until(() => events.length === 2)
    expect(room.state.phase).toBe('live')
  })
})

describe('losing the connection', () => {
  it('resumes from the last offset and draws nothing twice', async () => {
    enter()
    let resets = 0
    room.on('reset', () => (resets += 1))
    await live()
    gateway.send({ t: 'batch', epoch: 'e1', offset: 6, events: [gift(6)] })
    gateway.send({ t: 'to_you', personal: 2, events: [{ k: 'receipt', id: 'r', pn: 2, at: 1 }] })
    await until(() => events.length === 2)
    gateway.onFrame = (frame, send) => {
      if (frame.t !== 'hello') return
      send({ ...WELCOME, offset: 7, personal: 2, resumed: true })
      send({ t: 'batch', epoch: 'e1', offset: 7, events: [gift(6), gift(7)] })
    }
    gateway.sockets[0]?.terminate()
    await until(() => events.length === 3)
    expect(gateway.of('hello')[1]?.['resume']).toEqual({ epoch: 'e1', offset: 6, personal: 2 })
    expect(events.map((event) => event.n)).toEqual([6, undefined, 7])
    expect(resets).toBe(1)
    expect(states.map((state) => state.phase)).toEqual(['live', 'reconnecting', 'live'])
  })

  it('takes the fresh snapshot when too much was missed', async () => {
    enter()
    await live()
    const pins: unknown[] = []
    room.on('reset', (snapshot) => pins.push(snapshot.pin))
    gateway.onFrame = (frame, send) => {
      const snapshot = { ...WELCOME.snapshot, pin: { id: 'p', title: 'Oolong', price: 9900 } }
      if (frame.t === 'hello') send({ ...WELCOME, epoch: 'e2', offset: 1, snapshot })
    }
    gateway.sockets[0]?.terminate()
    await until(() => pins.length === 1)
    gateway.send({ t: 'batch', epoch: 'e2', offset: 6, events: [gift(6)] })
    await until(() => events.length === 1)
    expect(pins[0]).toMatchObject({ id: 'p' })
  })

  it('sends a gift again under the same id until it is answered', async () => {
    enter()
    await live()
    gateway.onFrame = () => undefined
    const sent = room.gift('rose', 3)
    await until(() => gateway.of('gift').length === 1)
    gateway.onFrame = (frame, send) => {
      if (frame.t === 'hello') send({ ...WELCOME, resumed: true })
      if (frame.t === 'gift') send({ t: 'ok', id: frame['id'], coins_left: 17 })
    }
    gateway.sockets[0]?.terminate()
    expect(await sent).toMatchObject({ coins_left: 17 })
    expect(gateway.of('gift').map((frame) => frame['id'])).toEqual(['c1', 'c1'])
  })

  it('does not say a sentence twice', async () => {
    enter()
    await live()
    gateway.onFrame = (frame, send) => {
      if (frame.t === 'hello') send({ ...WELCOME, resumed: true })
    }
    const said = room.say('hello').catch((refusal: unknown) => refusal)
    await until(() => gateway.of('say').length === 1)
    gateway.sockets[0]?.terminate()
    expect(await said).toBeInstanceOf(Refusal)
    await live()
    expect(gateway.of('say')).toHaveLength(1)
  })

  it.each([
    [4100, 'refused'],
    [4102, 'refused'],
    [4103, 'kicked'],
    [4104, 'banned'],
    [4105, 'ended'],
    [4106, 'failed'],
  ])('does not come back after %i: %s', async (code, phase) => {
    enter()
    await live()
    gateway.send({ t: 'bye', code, why: 'because' })
    gateway.sockets[0]?.close(code)
    await until(() => room.state.phase === phase)
    expect(room.state).toMatchObject({ why: 'because' })
    expect(gateway.sockets).toHaveLength(1)
  })

  it("waits at least the server's after_ms", async () => {
    enter()
    await live()
    gateway.send({ t: 'bye', code: 4002, why: 'restart', after_ms: 150 })
    const left = Date.now()
    gateway.sockets[0]?.close(4002)
    await until(() => gateway.sockets.length === 2)
    expect(Date.now() - left).toBeGreaterThanOrEqual(145)
  })

  it('comes back with a renewed token when the old one has expired', async () => {
    enter({ renew: () => Promise.resolve('fresh') })
    await live()
    gateway.sockets[0]?.close(4101)
    await until(() => gateway.of('hello').length === 2)
    expect(gateway.of('hello')[1]?.['token']).toBe('fresh')
  })

  it('moves to another node without an error when asked', async () => {
    enter()
    await live()
    gateway.send({ t: 'move', after_ms: 10 })
    await until(() => gateway.of('hello').length === 2)
    expect(gateway.of('hello')[1]?.['resume']).toMatchObject({ offset: 5 })
    await live()
  })
})

describe('commands', () => {
  it('rejects with the code of the refusal', async () => {
    enter()
    await live()
    gateway.onFrame = (frame, send) => send({ t: 'no', id: frame['id'], code: 'rate', why: 'slow', retry_ms: 400 })
    const refusal = await room.ask('follow').catch((reason: unknown) => reason)
    expect(refusal).toMatchObject({ code: 'rate', retryMs: 400 })
    expect(gateway.of('ask')[0]).toMatchObject({ do: 'follow', with: {} })
  })

  it('asks again by itself while a twin is in flight', async () => {
    enter()
    await live()
    let asked = 0
    gateway.onFrame = (frame, send) => {
      asked += 1
      if (asked === 1) send({ t: 'no', id: frame['id'], code: 'twin_in_flight', why: '', retry_ms: 5 })
      else send({ t: 'ok', id: frame['id'], done: true })
    }
    expect(await room.gift('rose')).toMatchObject({ done: true })
  })

  it('gathers likes into one frame', async () => {
    enter()
    await live()
    for (let tap = 0; tap < 7; tap += 1) room.like()
    await until(() => gateway.of('like').length === 1)
    expect(gateway.of('like')[0]).toEqual({ t: 'like', n: 7 })
  })
})
