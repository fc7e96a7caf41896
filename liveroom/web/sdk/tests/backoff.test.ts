import { describe, expect, it } from 'vitest'
import { BACKOFF_MAX_MS, backoffMs } from '../backoff'
import { Recent } from '../recent'
import { closingOf } from '../closing'

describe('backoff', () => {
  it('spreads over the whole interval and doubles it', () => {
    expect(backoffMs(0, () => 0)).toBe(0)
    expect(backoffMs(0, () => 1)).toBe(500)
    expect(backoffMs(3, () => 1)).toBe(4_000)
  })

  it('never waits longer than its bound', () => {
    expect(backoffMs(1_000, () => 1)).toBe(BACKOFF_MAX_MS)
  })

  it('never returns before the server said', () => {
    expect(backoffMs(0, () => 0, 2_000)).toBe(2_000)
    expect(backoffMs(0, () => 1, 2_000)).toBe(2_400)
    expect(backoffMs(2, () => 1, 0)).toBe(2_000)
  })
})

describe('recent', () => {
  it('knows a value until the bound pushes it out', () => {
    const recent = new Recent<number>(2)
    expect([recent.add(1), recent.add(1), recent.add(2), recent.add(3), recent.add(1)]).toEqual([true, false, true, true, true])
  })
})

describe('closing', () => {
  it('treats an unknown code as a lost connection', () => {
    expect(closingOf(1006)).toEqual({ comeBack: true, why: 'lost' })
    expect(closingOf(4003)).toEqual({ comeBack: true, why: 'full' })
    expect(closingOf(4104)).toEqual({ comeBack: false, verdict: 'banned' })
  })
})
