import { expect, test } from 'vitest'
import { awakeClock } from '../src/training/awake-clock.js'

test('counts work on from what it had', () => {
  let now = 0
  const clock = awakeClock(12, () => now)
  now = 1500
  expect(clock.seconds()).toBeCloseTo(13.5, 9)
  now = 4000
  expect(clock.seconds()).toBeCloseTo(16, 9)
  clock.end()
})

test('does not count an hour in which the process was stopped', () => {
  let now = 0
  const clock = awakeClock(0, () => now)
  now = 2000
  clock.seconds()
  now += 3_600_000
  expect(clock.seconds()).toBeLessThanOrEqual(7)
  now += 1000
  expect(clock.seconds()).toBeLessThanOrEqual(8)
  clock.end()
})

test('beats by itself, so that long work between two looks is counted whole', async () => {
  const start = performance.now()
  // A clock six times as fast: 1.2 s of it between two beats would be more than one gap may hold.
  const clock = awakeClock(0, () => 6 * (performance.now() - start))
  await new Promise(done => setTimeout(done, 2200))
  expect(clock.seconds()).toBeGreaterThan(10)
  clock.end()
})
