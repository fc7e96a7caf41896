import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Refusal } from '../http'
import { StatsMeter } from '../media'
import { Player } from '../whep'
import { until } from './gateway'

interface Request {
  method: string
  url: string
  body: string
  authorization: string
}

/** As much of a peer connection as a session touches; the network is moved by hand. */
class FakePeer extends EventTarget {
  static made: FakePeer[] = []
  connectionState = 'new'
  localDescription: { sdp: string } | null = null
  remote = ''
  readonly transceivers: string[] = []
  closed = false

  constructor() {
    super()
    FakePeer.made.push(this)
  }
  addTransceiver(kind: string): object {
    this.transceivers.push(kind)
    return { sender: {} }
  }
  createOffer(): Promise<{ sdp: string }> {
    return Promise.resolve({ sdp: 'offer' })
  }
  setLocalDescription(description: { sdp: string }): Promise<void> {
    this.localDescription = description
    return Promise.resolve()
  }
  setRemoteDescription({ sdp }: { sdp: string }): Promise<void> {
    this.remote = sdp
    return Promise.resolve()
  }
  become(state: string): void {
    this.connectionState = state
    this.dispatchEvent(new Event('connectionstatechange'))
  }
  close(): void {
    this.closed = true
  }
}

let requests: Request[]
let answer: () => Response

function player(): Player {
  return new Player({
    url: 'http://shop.example/v1/rooms/tea/whep',
    token: 'a.b.c',
    random: () => 0,
    RTCPeerConnection: FakePeer as unknown as typeof RTCPeerConnection,
    fetch: (url, init) => {
      const headers = new Headers(init?.headers)
      requests.push({
        method: init?.method ?? 'GET',
        url: String(url),
        body: String(init?.body ?? ''),
        authorization: headers.get('authorization') ?? '',
      })
      return Promise.resolve(init?.method === 'DELETE' ? new Response(null, { status: 200 }) : answer())
    },
  })
}
const created = (): Response =>
  new Response('answer', { status: 201, headers: { location: '/v1/rooms/tea/whep/s1', etag: '"1"' } })

beforeEach(() => {
  requests = []
  FakePeer.made = []
  answer = created
  vi.stubGlobal('MediaStream', class {})
})
afterEach(() => vi.unstubAllGlobals())

describe('a WHEP session', () => {
  it('posts its offer with the token and takes the answer', async () => {
    const watching = player()
    await watching.start()
    expect(requests[0]).toEqual({
      method: 'POST',
      url: 'http://shop.example/v1/rooms/tea/whep',
      body: 'offer',
      authorization: 'Bearer a.b.c',
    })
    expect(FakePeer.made[0]).toMatchObject({ remote: 'answer', transceivers: ['video', 'audio'] })
    FakePeer.made[0]?.become('connected')
    expect(watching.state).toBe('connected')
  })

  it('deletes what Location named when it is closed', async () => {
    const watching = player()
    await watching.start()
    await watching.close()
    expect(requests[1]).toMatchObject({ method: 'DELETE', url: 'http://shop.example/v1/rooms/tea/whep/s1' })
    expect(FakePeer.made[0]?.closed).toBe(true)
  })

  it('comes back after a loss with a new connection', async () => {
    const watching = player()
    await watching.start()
    FakePeer.made[0]?.become('connected')
    FakePeer.made[0]?.become('failed')
    expect(watching.state).toBe('lost')
    await until(() => FakePeer.made.length === 2)
    FakePeer.made[1]?.become('connected')
    expect(watching.state).toBe('connected')
    await watching.close()
  })

  it('tries again when the server cannot right now', async () => {
    const watching = player()
    answer = () => new Response('{"code":"unavailable"}', { status: 503 })
    await watching.start()
    expect(watching.state).toBe('lost')
    answer = created
    await until(() => FakePeer.made[1]?.remote === 'answer')
    await watching.close()
  })

  it('takes a no for a no', async () => {
    const watching = player()
    const refusals: Refusal[] = []
    watching.on('refused', (refusal) => refusals.push(refusal))
    answer = () => new Response('{"code":"other_room","detail":"no"}', { status: 403 })
    await watching.start()
    expect(refusals[0]).toMatchObject({ code: 'other_room', status: 403, why: 'no' })
    expect(watching.state).toBe('closed')
    expect(FakePeer.made).toHaveLength(1)
  })
})

describe('statistics', () => {
  it('are rates between two readings', async () => {
    let row = { type: 'inbound-rtp', kind: 'video', bytesReceived: 0, packetsReceived: 0, packetsLost: 0, framesDecoded: 0 }
    const peer = { getStats: () => Promise.resolve(new Map([['video', row]])) } as unknown as RTCPeerConnection
    const meter = new StatsMeter('inbound')
    vi.useFakeTimers({ now: 0 })
    expect((await meter.read(peer)).bitrateBps).toBe(0)
    vi.setSystemTime(1_000)
    row = { ...row, bytesReceived: 125_000, packetsReceived: 90, packetsLost: 10, framesDecoded: 15 }
    expect(await meter.read(peer)).toMatchObject({ bitrateBps: 1_000_000, loss: 0.1, framesDecoded: 15 })
    vi.useRealTimers()
  })

  it('says when sound comes and no picture', async () => {
    const counts = { video: 10, audio: 10 }
    const rows = (): object[] =>
      Object.entries(counts).map(([kind, packetsReceived]) => ({ type: 'inbound-rtp', kind, packetsReceived }))
    const peer = { getStats: () => Promise.resolve(rows()) } as unknown as RTCPeerConnection
    const meter = new StatsMeter('inbound')
    expect((await meter.read(peer)).soundOnly).toBe(false)
    counts.audio += 50
    expect((await meter.read(peer)).soundOnly).toBe(true)
    counts.audio += 50
    counts.video += 1
    expect((await meter.read(peer)).soundOnly).toBe(false)
    expect((await meter.read(peer)).soundOnly).toBe(false)
  })
})
