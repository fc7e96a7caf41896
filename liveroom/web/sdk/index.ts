/** The liveroom SDK: a room in one import, without a framework. */

export { freshId } from './ids'
export * from './events'
export { connect, Room, type ConnectOptions, type RoomListeners, type Transport } from './room'
export { isFinal, type RoomPhase, type RoomState } from './state'
export { closingOf, type Closing, type Verdict } from './closing'
export { Api, Refusal, type Checkout, type GiftKind, type Pack, type Joined, type MediaReport, type MediaSession, type MediaStream, type MediaTotals, type ReplayPart, type Segment, type Traded } from './http'
export { GUESTS_MAX, Player } from './whep'
export { Publisher } from './whip'
export type { MediaOptions, MediaState, MediaStats } from './media'
export type { Answer } from './commands'
export type { Resume, WelcomeFrame } from './frames'
