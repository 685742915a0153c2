import { describe, expect, it } from 'vitest'
import { createRandom } from '../src/random/random.js'
import { collimatorMask, collimatorOpening } from '../src/xray/collimation.js'
import { broadBlur, gaussianBlur } from '../src/xray/fields.js'
import { heelField } from '../src/xray/heel.js'
import { XRAY_PRESETS } from '../src/xray/presets.js'
import { scatterField } from '../src/xray/scatter.js'
import type { XraySettings } from '../src/xray/settings.js'
import { simulateReading, simulateXray } from '../src/xray/simulate.js'
import { camera, detector, flat, ideal, mean, wedge } from './xray-fixtures.js'

describe('noise', () => {
  it.each([0.5, 4, 400])('has the variance of its mean, at %d photons', photons => {
    const open = flat(0)
    const settings = { ...ideal, photons }
    const { data } = simulateReading(open, 1.6, settings, createRandom(5))
    const m = mean(data)
    const variance = mean(data.map(x => (x - m) ** 2))
    // Five standard errors: of the mean √(λ/n), of the variance √((2λ² + λ)/n).
    expect(Math.abs(m - photons)).toBeLessThan(5 * Math.sqrt(photons / data.length))
    expect(Math.abs(variance - photons)).toBeLessThan(
      5 * Math.sqrt((2 * photons ** 2 + photons) / data.length) + 1 / 12
    )
  })

  it('of the electronics adds its own variance', () => {
    const { data } = simulateReading(
      flat(0),
      1.6,
      { ...ideal, photons: 1000, electronicNoise: 40 },
      createRandom(6)
    )
    const m = mean(data)
    const variance = mean(data.map(x => (x - m) ** 2))
    expect(Math.abs(variance / 2600 - 1)).toBeLessThan(5 * Math.sqrt(2 / data.length))
  })

  it('repeats itself with the seed and only with it', () => {
    const run = (seed: number) => simulateXray(wedge, camera, XRAY_PRESETS.worst, { seed })
    expect(run(4)).toEqual(run(4))
    expect(run(4).image.data).not.toEqual(run(5).image.data)
    const reading = (seed: number) =>
      simulateReading(flat(2), 1.6, XRAY_PRESETS['c-arm'], createRandom(seed)).data
    expect(reading(1)).toEqual(reading(1))
    expect(reading(1)).not.toEqual(reading(2))
  })

  it('leaves what else is random as it was', () => {
    const a = simulateXray(wedge, camera, XRAY_PRESETS.worst, { seed: 9 }).applied
    const b = simulateXray(
      wedge,
      camera,
      { ...XRAY_PRESETS.worst, photons: 500, instruments: 1 },
      { seed: 9 }
    ).applied
    expect(b.opening).toEqual(a.opening)
    expect(b.instruments).toEqual(a.instruments.slice(0, 1))
  })
})

describe('exposure', () => {
  it('is counted in the open beam, or behind the patient', () => {
    const thick = flat(5)
    const count = (settings: XraySettings) =>
      mean(simulateReading(thick, 1.6, settings, createRandom(1)).data)
    expect(count({ ...ideal, photons: 1e5 }) / (1e5 * Math.exp(-5))).toBeCloseTo(1, 2)
    expect(count({ ...ideal, photons: 1000, exposure: 'automatic' }) / 1000).toBeCloseTo(1, 2)
    const { applied } = simulateXray(wedge, camera, { ...ideal, photons: 1000, exposure: 'automatic' })
    expect(applied.openPhotons).toBeGreaterThan(1000)
  })
})

describe('scatter', () => {
  it('has the share of the primary that is asked for, behind the patient', () => {
    const transmission = {
      width: 100,
      height: 80,
      data: Float32Array.from({ length: 8000 }, (_, i) => Math.exp(-(i % 100) / 20))
    }
    const incident = new Float32Array(8000).fill(1)
    for (const scatter of [0.05, 0.4]) {
      const field = scatterField(
        transmission,
        incident,
        3,
        { scatter, scatterMm: 25, scatterVariation: 0.15 },
        createRandom(2)
      )
      const behind = [...transmission.data.keys()].filter(i => transmission.data[i] < 0.5)
      const share = mean(behind.map(i => field?.[i] ?? 0)) / mean(behind.map(i => transmission.data[i]))
      expect(share).toBeCloseTo(scatter, 5)
      expect(Math.min(...(field ?? [-1]))).toBeGreaterThan(0)
    }
  })

  it('is as smooth as its kernels, whatever the primary does', () => {
    const data = Float32Array.from({ length: 8000 }, (_, i) =>
      Math.floor((i % 100) / 10) % 2 === 0 ? 0.1 : 0.4
    )
    const options = { scatter: 0.3, scatterMm: 25, scatterVariation: 0 }
    const transmission = { width: 100, height: 80, data }
    const field = scatterField(transmission, new Float32Array(8000).fill(1), 3, options, createRandom(1))
    const row = (field as Float32Array).subarray(4000, 4100)
    const steps = row.subarray(1).map((x, i) => Math.abs(x - row[i]))
    // A source s blurred by a Gaussian of σ pixels is nowhere steeper than √(2/π) · max(s) / σ; here 25 and 75 mm.
    const source = data.map(t => -t * Math.log(t))
    const steepest =
      Math.sqrt(2 / Math.PI) * (0.4 / (25 / 3) + 0.6 / 25) * (Math.max(...source) / mean(source))
    expect(Math.max(...steps) / mean(row)).toBeLessThan(steepest)
    expect(Math.max(...steps)).toBeGreaterThan(0)
  })

  it('comes from the collimated beam, and falls under the blades too', () => {
    const settings = {
      ...ideal,
      scatter: 0.3,
      collimatorLeak: 0,
      collimation: 'rectangle',
      fieldWidth: 0.5,
      fieldHeight: 0.5
    } as const
    const with_ = simulateReading(flat(2, 100, 80), 3, settings, createRandom(1)).data
    const without = simulateReading(flat(2, 100, 80), 3, { ...settings, scatter: 0 }, createRandom(1)).data
    expect(without[0]).toBe(0)
    expect(with_[40 * 100 + 24]).toBeGreaterThan(0)
    expect(with_[0]).toBeLessThan(with_[40 * 100 + 24])
  })
})

describe('broad blur', () => {
  it('of a patch is a Gaussian blur, to 2 % of its peak', () => {
    const data = Float32Array.from({ length: 200 * 160 }, (_, i) =>
      Math.hypot((i % 200) - 90, Math.floor(i / 200) - 70) < 30 ? 1 : 0
    )
    for (const sigma of [7, 12, 20]) {
      const exact = gaussianBlur(data, 200, 160, sigma)
      const fast = broadBlur(data, 200, 160, sigma)
      const worst = Math.max(...exact.map((x, i) => Math.abs(x - fast[i])))
      expect(worst / Math.max(...exact)).toBeLessThan(0.02)
    }
  })
})

describe('collimation', () => {
  const options = {
    collimation: 'rectangle',
    fieldWidth: 0.5,
    fieldHeight: 0.25,
    fieldTurnDegrees: 0,
    collimatorLeak: 0
  } as const
  const area = (o: Parameters<typeof collimatorOpening>[2]) => {
    const opening = collimatorOpening(200, 160, o, createRandom(1))
    return opening
      ? collimatorMask(200, 160, opening, o.collimatorLeak).reduce((a, b) => a + b, 0)
      : 200 * 160
  }
  it('opens a rectangle, a turned one, a circle, or all', () => {
    expect(area({ ...options, collimation: 'none' })).toBe(32000)
    expect(area(options) / (100 * 40)).toBeCloseTo(1, 2)
    expect(area({ ...options, fieldTurnDegrees: 30 }) / (100 * 40)).toBeCloseTo(1, 2)
    expect(area({ ...options, collimation: 'circle', fieldWidth: 0.75 }) / (Math.PI * 60 ** 2)).toBeCloseTo(
      1,
      2
    )
  })

  it('turns by the angle given, from +column towards +row', () => {
    const opening = collimatorOpening(
      200,
      160,
      { ...options, fieldHeight: 0.1, fieldTurnDegrees: 45 },
      createRandom(1)
    )
    const mask = collimatorMask(200, 160, opening as NonNullable<typeof opening>, 0)
    expect([mask[(80 + 25) * 200 + 100 + 25], mask[(80 - 25) * 200 + 100 + 25]]).toEqual([1, 0])
  })

  it('lets a share through the blades', () => {
    const opening = collimatorOpening(200, 160, options, createRandom(1))
    expect(collimatorMask(200, 160, opening as NonNullable<typeof opening>, 0.02)[0]).toBeCloseTo(0.02, 6)
  })
})

describe('the heel effect', () => {
  it('darkens towards the anode, more so with a flatter anode, and leaves the principal ray alone', () => {
    const options = { ...XRAY_PRESETS.worst, heel: 1, heelDirectionDegrees: 0 }
    const field = heelField(detector, options) as Float32Array
    const row = field.subarray(4000, 4100)
    for (let u = 1; u < 100; u++) expect(row[u]).toBeGreaterThan(row[u - 1])
    expect((row[49] + row[50]) / 2).toBeCloseTo(1, 2)
    const flatter = heelField(detector, { ...options, anodeDegrees: 9 }) as Float32Array
    expect(flatter[4000]).toBeLessThan(field[4000])
    const down = heelField(detector, { ...options, heelDirectionDegrees: 90 }) as Float32Array
    expect(down[50]).toBeLessThan(1)
    expect(down[7950]).toBeGreaterThan(1)
    expect(heelField(detector, { ...options, heel: 0 })).toBeNull()
  })
})
