/** Going live: devices, preview, and the WHIP session. ready → connecting → live → stopped. */

import { Publisher, Refusal, type MediaStats, type Room } from '@sdk'
import { onBeforeUnmount, reactive, shallowReactive, watch } from 'vue'

export type Air = 'ready' | 'connecting' | 'live' | 'stopped'
export type Trouble = 'denied' | 'insecure' | 'none' | null
const STATS_MS = 1_000

export interface Devices {
  cameras: MediaDeviceInfo[]
  microphones: MediaDeviceInfo[]
  camera: string
  microphone: string
  screen: boolean
  trouble: Trouble
}

export interface BroadcastStore {
  devices: Devices
  media: { stream: MediaStream | null; stats: MediaStats | null }
  air: { state: Air; since: number; refusal: Refusal | null }
  open(): Promise<void>
  shareScreen(): Promise<void>
  goLive(): Promise<void>
  stop(): Promise<void>
}

export function useBroadcast(room: Room): BroadcastStore {
  const devices = reactive<Devices>({ cameras: [], microphones: [], camera: '', microphone: '', screen: false, trouble: null })
  const media = shallowReactive<BroadcastStore['media']>({ stream: null, stats: null })
  const air = shallowReactive<BroadcastStore['air']>({ state: 'ready', since: 0, refusal: null })
  let publisher: Publisher | null = null

  function use(stream: MediaStream): void {
    const old = media.stream
    media.stream = stream
    void publisher?.replace(stream)
    const kept = new Set(stream.getTracks())
    old?.getTracks().forEach((track) => kept.has(track) || track.stop())
  }

  async function open(): Promise<void> {
    if (!navigator.mediaDevices) return void (devices.trouble = 'insecure')
    try {
      const stream = await navigator.mediaDevices.getUserMedia({
        video: { deviceId: devices.camera ? { exact: devices.camera } : undefined, width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } },
        audio: { deviceId: devices.microphone ? { exact: devices.microphone } : undefined, echoCancellation: true, noiseSuppression: true },
      })
      devices.trouble = null
      devices.screen = false
      use(stream)
      const all = await navigator.mediaDevices.enumerateDevices()
      devices.cameras = all.filter((device) => device.kind === 'videoinput')
      devices.microphones = all.filter((device) => device.kind === 'audioinput')
      devices.camera ||= stream.getVideoTracks()[0]?.getSettings().deviceId ?? ''
      devices.microphone ||= stream.getAudioTracks()[0]?.getSettings().deviceId ?? ''
    } catch (error) {
      if (!(error instanceof DOMException)) throw error
      devices.trouble = error.name === 'NotFoundError' ? 'none' : 'denied'
    }
  }

  async function shareScreen(): Promise<void> {
    if (devices.screen) return open()
    try {
      const screen = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { ideal: 30 } } })
      const [track] = screen.getVideoTracks()
      track?.addEventListener('ended', () => void open())
      use(new MediaStream([...screen.getVideoTracks(), ...(media.stream?.getAudioTracks() ?? [])]))
      devices.screen = true
    } catch (error) {
      // the person closed the picker
      if (!(error instanceof DOMException)) throw error
    }
  }

  async function goLive(): Promise<void> {
    if (!media.stream) await open()
    if (!media.stream) return
    air.state = 'connecting'
    air.refusal = null
    const joined = await room.joined
    const started = new Publisher(
      { url: joined.whip_url ?? room.api.url(`/v1/rooms/${room.card?.id ?? ''}/whip`), token: room.token ?? joined.token, iceServers: joined.ice_servers },
      media.stream,
    )
    publisher = started
    started.on('state', (state) => {
      if (publisher !== started) return
      if (state === 'connected') {
        air.state = 'live'
        air.since ||= Date.now()
      } else if (state === 'connecting' || state === 'lost') air.state = 'connecting'
    })
    started.on('refused', (refusal) => {
      air.refusal = refusal
      air.state = 'stopped'
      publisher = null
    })
    await started.start()
  }

  async function stop(): Promise<void> {
    const ending = publisher
    publisher = null
    air.state = 'stopped'
    air.since = 0
    media.stats = null
    await ending?.close()
  }

  const timer = setInterval(async () => {
    const stats = await publisher?.stats()
    if (stats && publisher) media.stats = stats
  }, STATS_MS)
  watch([() => devices.camera, () => devices.microphone], (_now, [camera, microphone]) => {
    if (camera || microphone) void open()
  })
  const leave = (): void => void stop()
  window.addEventListener('pagehide', leave)
  onBeforeUnmount(() => {
    clearInterval(timer)
    window.removeEventListener('pagehide', leave)
    void stop()
  })
  return { devices, media, air, open, shareScreen, goLive, stop }
}
