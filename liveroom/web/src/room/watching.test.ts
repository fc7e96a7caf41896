import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Refusal } from '@sdk'
import { beat, BEAT_MS } from './watching'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

it('beats only while somebody watches, and no more once the day is done', async () => {
  let [watches, day, asked] = [false, 'monday', 0]
  const answers = [new Refusal('rate', ''), { done: false }, { done: true }]
  const ask = async (): Promise<Record<string, unknown>> => {
    const answer = answers[asked++] ?? { done: true }
    if (answer instanceof Refusal) throw answer
    return answer
  }
  const end = beat({ ask }, () => watches, () => day)
  const pass = (beats: number) => vi.advanceTimersByTimeAsync(beats * BEAT_MS)
  await pass(3)
  expect(asked).toBe(0)
  watches = true
  await pass(6)
  expect(asked).toBe(3)
  day = 'tuesday'
  await pass(3)
  expect(asked).toBe(4)
  day = 'wednesday'
  end()
  await pass(3)
  expect(asked).toBe(4)
})
