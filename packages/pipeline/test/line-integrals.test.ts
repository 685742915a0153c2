import type { Image } from '@raypose/core'
import { describe, expect, it } from 'vitest'
import { lineIntegrals } from '../src/register/line-integrals.js'

const path: Image = {
  width: 40,
  height: 30,
  data: Float32Array.from({ length: 1200 }, (_, i) => (i < 60 ? 0 : ((i * 37) % 500) / 100))
}
const reading: Image = { ...path, data: path.data.map(x => 4000 * Math.exp(-x)) }

/** Largest difference but for a constant and a factor, relative to the range. */
function unlike(a: Float32Array, b: Float32Array): number {
  const range = (d: Float32Array) => [Math.min(...d), Math.max(...d)]
  const [a0, a1] = range(a)
  const [b0, b1] = range(b)
  return Math.max(...a.map((x, i) => Math.abs((x - a0) / (a1 - a0) - (b[i] - b0) / (b1 - b0))))
}

describe('line integrals of an X-ray', () => {
  it('come from detector readings by the logarithm, to the value', () => {
    const out = lineIntegrals({ image: reading, intensity: 'linear', bright: 'exposure' })
    expect(Math.max(...out.data.map((x, i) => Math.abs(x - path.data[i])))).toBeLessThan(1e-4)
  })

  it('are the image itself where it is logarithmic already, whichever way round', () => {
    expect(
      unlike(lineIntegrals({ image: path, intensity: 'log', bright: 'attenuation' }).data, path.data)
    ).toBeLessThan(1e-6)
    const negative = { ...path, data: path.data.map(x => 7 - x) }
    expect(
      unlike(lineIntegrals({ image: negative, intensity: 'log', bright: 'exposure' }).data, path.data)
    ).toBeLessThan(1e-6)
  })

  it('come from a reading stored as its negative, to a tenth: its zero is not stored', () => {
    const stored = { ...reading, data: reading.data.map(x => 4000 - x) }
    const out = lineIntegrals({ image: stored, intensity: 'linear', bright: 'attenuation' })
    expect(unlike(out.data, path.data)).toBeLessThan(0.1)
  })

  it('stay finite where nothing arrives', () => {
    const dark = { ...reading, data: reading.data.map((x, i) => (i % 3 ? x : 0)) }
    expect(
      lineIntegrals({ image: dark, intensity: 'linear', bright: 'exposure' }).data.every(Number.isFinite)
    ).toBe(true)
  })
})
