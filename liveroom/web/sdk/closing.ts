/**
 * Why a connection ended and whether to come back: one table, numbers never reused.
 */

/** What a person is told when it is over for good. */
export type Verdict = 'refused' | 'expired' | 'kicked' | 'banned' | 'ended' | 'failed'

export type Closing =
  | { readonly comeBack: true; readonly why: 'move' | 'slow' | 'restart' | 'full' | 'rate' | 'lost' }
  | { readonly comeBack: false; readonly verdict: Verdict }

const CLOSINGS: Readonly<Record<number, Closing>> = {
  4000: { comeBack: true, why: 'move' },
  4001: { comeBack: true, why: 'slow' },
  4002: { comeBack: true, why: 'restart' },
  4003: { comeBack: true, why: 'full' },
  4008: { comeBack: true, why: 'rate' },
  4100: { comeBack: false, verdict: 'refused' },
  4101: { comeBack: false, verdict: 'expired' },
  4102: { comeBack: false, verdict: 'refused' },
  4103: { comeBack: false, verdict: 'kicked' },
  4104: { comeBack: false, verdict: 'banned' },
  4105: { comeBack: false, verdict: 'ended' },
  4106: { comeBack: false, verdict: 'failed' },
  // RFC 6455 7.4.1: our own frame was too large; sending it again would end the same way
  1009: { comeBack: false, verdict: 'failed' },
}

/** Look up a close code; anything unknown is a lost connection. */
export function closingOf(code: number): Closing {
  return CLOSINGS[code] ?? { comeBack: true, why: 'lost' }
}
