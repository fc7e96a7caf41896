/**
 * Frames of the gateway, and the two codecs that carry them: MessagePack and JSON.
 *
 * Bytes or text in, typed frames out; a frame of an unknown type is passed on for the caller to ignore.
 */

import { decode, encode } from '@msgpack/msgpack'
import type { Counters, RoomCard, RoomEvent, Snapshot, You } from './events'

export const MSGPACK = 'liveroom.msgpack.v1'
export const JSON_TEXT = 'liveroom.json.v1'

/** Where a client stood when it lost the connection. */
export interface Resume {
  readonly epoch: string
  readonly offset: number
  readonly personal?: number
}

export type ClientFrame =
  | { t: 'hello'; token: string; room: string; resume?: Resume }
  | { t: 'say'; id: string; text: string }
  | { t: 'like'; n: number }
  | { t: 'gift'; id: string; gift: string; count: number }
  | { t: 'ask'; id: string; do: string; with: Record<string, unknown> }
  | { t: 'token'; token: string }
  | { t: 'ping' }

export interface WelcomeFrame {
  readonly t: 'welcome'
  readonly you: You
  readonly room: RoomCard
  readonly snapshot: Snapshot
  readonly epoch: string
  readonly offset: number
  readonly personal: number
  readonly tick_ms?: number
  readonly resumed: boolean
}

export type ServerFrame =
  | WelcomeFrame
  | { t: 'batch'; epoch: string; offset: number; events: readonly RoomEvent[]; counters?: Counters }
  | { t: 'to_you'; personal: number; events: readonly RoomEvent[] }
  | ({ t: 'ok'; id: string } & Record<string, unknown>)
  | { t: 'no'; id: string; code: string; why: string; retry_ms?: number }
  | { t: 'pong' }
  | { t: 'move'; after_ms: number }
  | { t: 'bye'; code: number; why: string; after_ms?: number }

/** Write one frame for the subprotocol in use. */
export function encodeFrame(frame: ClientFrame, protocol: string): string | Uint8Array<ArrayBuffer> {
  return protocol === MSGPACK ? encode(frame, { ignoreUndefined: true }) : JSON.stringify(frame)
}

/** Read one frame; null when it is no map with a type. */
export function decodeFrame(data: unknown): ServerFrame | null {
  const value: unknown =
    typeof data === 'string'
      ? JSON.parse(data)
      : decode(data instanceof ArrayBuffer ? new Uint8Array(data) : (data as Uint8Array))
  if (typeof value !== 'object' || value === null || !('t' in value)) return null
  return value as ServerFrame
}
