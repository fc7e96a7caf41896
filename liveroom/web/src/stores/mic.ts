/**
 * My own place on stage: asking for the mic, the camera, publishing, a private call.
 *
 * The camera opens when I ask, so that I am seen at once when the host accepts; nothing leaves
 * this device before that.
 */

import { Publisher, type CallEvent, type Refusal, type Room, type SeatEvent } from '@sdk'
import { reactive, shallowReactive } from 'vue'

export type MicPhase = 'none' | 'asked' | 'next' | 'invited' | 'seated' | 'live'
export type CameraTrouble = 'denied' | 'insecure' | 'none' | null

export interface MicStore {
  phase: MicPhase
  position: number
  slot: number
  audio: boolean
  video: boolean
  trouble: CameraTrouble
  /** Why the last seat ended: the page says it once. */
  ended: 'declined' | 'down' | null
  refusal: Refusal | null
  call: { phase: 'invited' | 'active'; user: string; name: string } | null
  readonly media: { stream: MediaStream | null }
  ask(): Promise<void>
  /** Publish on the seat I was given. */
  take(): Promise<void>
  leave(): Promise<void>
  toggle(kind: 'audio' | 'video'): void
  answer(): Promise<void>
  hangUp(): Promise<void>
}

export function micStore(room: Room): MicStore {
  const media = shallowReactive<{ stream: MediaStream | null }>({ stream: null })
  let publisher: Publisher | null = null
  let seat: SeatEvent | null = null

  async function open(): Promise<boolean> {
    if (media.stream) return true
    if (!navigator.mediaDevices) store.trouble = 'insecure'
    else {
      try {
        media.stream = await navigator.mediaDevices.getUserMedia({
          video: { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 24 }, facingMode: 'user' },
          audio: { echoCancellation: true, noiseSuppression: true },
        })
        store.trouble = null
        apply()
        return true
      } catch (error) {
        if (!(error instanceof DOMException)) throw error
        store.trouble = error.name === 'NotFoundError' ? 'none' : 'denied'
      }
    }
    return false
  }

  function close(): void {
    media.stream?.getTracks().forEach((track) => track.stop())
    media.stream = null
    store.audio = store.video = true
  }

  function apply(): void {
    media.stream?.getAudioTracks().forEach((track) => (track.enabled = store.audio))
    media.stream?.getVideoTracks().forEach((track) => (track.enabled = store.video))
  }

  async function publish(url: string, token: string | undefined): Promise<void> {
    if (!media.stream || publisher) return
    const joined = await room.joined
    const started = new Publisher({ url, token: token ?? room.token ?? '', iceServers: joined.ice_servers }, media.stream)
    publisher = started
    started.on('state', (state) => {
      if (publisher === started && state === 'connected' && store.phase !== 'none') store.phase = 'live'
    })
    started.on('refused', (refusal) => {
      if (publisher !== started) return
      publisher = null
      store.refusal = refusal
    })
    await started.start()
  }

  function stop(): void {
    const ending = publisher
    publisher = null
    seat = null
    void ending?.close()
    close()
  }

  function called(event: CallEvent): void {
    // The host of the room has the studio for it.
    if (room.you?.role === 'host') return
    if (event.phase !== 'ended') {
      store.call = { phase: event.phase, user: event.user, name: event.name }
      return
    }
    store.call = null
    if (!seat) stop()
  }

  const store: MicStore = reactive<MicStore>({
    phase: 'none',
    position: 0,
    slot: 0,
    audio: true,
    video: true,
    trouble: null,
    ended: null,
    refusal: null,
    call: null,
    media,
    async ask() {
      if (!(await open())) return
      try {
        const answer = await room.ask('mic')
        store.position = Number(answer['position'] ?? 1)
        if (store.phase === 'none') store.phase = 'asked'
      } catch (error) {
        close()
        throw error
      }
    },
    async take() {
      if (!seat || !(await open())) return
      store.phase = 'seated'
      await publish(seat.whip_url, seat.token)
    },
    async leave() {
      stop()
      store.phase = 'none'
      await room.ask('leave_mic')
    },
    toggle(kind) {
      store[kind] = !store[kind]
      apply()
    },
    async answer() {
      if (!(await open())) return
      const answer = await room.ask('answer_call')
      if (store.call) store.call = { ...store.call, phase: 'active' }
      await publish(String(answer['whip_url']), answer['token'] as string | undefined)
    },
    async hangUp() {
      const wasActive = store.call?.phase === 'active'
      store.call = null
      if (!seat && wasActive) stop()
      await room.ask('hang_up')
    },
  })
  room.on('mic', (event) => {
    if (event.phase === 'asked' || event.phase === 'next') {
      store.phase = event.phase
      store.position = event.position ?? 1
      return
    }
    if (store.phase !== 'none' && event.phase !== 'none') store.ended = event.phase
    store.phase = 'none'
    stop()
  })
  room.on('seat', (event) => {
    seat = event
    store.slot = event.slot
    if (store.phase === 'live' || store.phase === 'seated') return
    if (event.invited || !media.stream) store.phase = 'invited'
    else void store.take()
  })
  room.on('call', called)
  return store
}
