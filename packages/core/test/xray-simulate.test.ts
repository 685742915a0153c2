import { describe, expect, it } from 'vitest'
import { ArgumentError } from '../src/errors.js'
import { type Image, imageRange } from '../src/image/image.js'
import { createRandom } from '../src/random/random.js'
import { displayReading } from '../src/xray/display.js'
import { XRAY_PRESETS, type XrayPreset } from '../src/xray/presets.js'
import { renderMaterials } from '../src/xray/primary.js'
import { changeXraySettings, type XraySettings } from '../src/xray/settings.js'
import { simulateReading, simulateXray } from '../src/xray/simulate.js'
import { anatomicalVolume } from './drr-volumes.js'
import { camera, flat, ideal, wedge } from './xray-fixtures.js'

const PRESETS = Object.keys(XRAY_PRESETS) as XrayPreset[]

describe('the display', () => {
  const reading: Image = {
    width: 100,
    height: 1,
    data: Float32Array.from({ length: 100 }, (_, i) => Math.exp(-i / 20))
  }
  const show = (change: Partial<XraySettings>) =>
    displayReading(reading, 1, { ...ideal, ...change }, null).image.data

  it.each([8, 10, 12, 16])('of %d bits holds whole numbers over their whole range', bits => {
    const data = show({ bits })
    expect([Math.min(...data), Math.max(...data)]).toEqual([0, 2 ** bits - 1])
    expect(data.every(Number.isInteger)).toBe(true)
  })

  it('is straight in the line integral, or in the reading, either way up', () => {
    const log = show({ scale: 'log', bright: 'attenuation' })
    for (let i = 0; i < 100; i++) expect(Math.abs(log[i] - (i / 99) * 65535)).toBeLessThanOrEqual(1)
    show({ scale: 'log', bright: 'exposure' }).forEach((x, i) =>
      expect(Math.abs(x + log[i] - 65535)).toBeLessThanOrEqual(1)
    )
    const least = Math.exp(-99 / 20)
    show({ scale: 'linear', bright: 'exposure' }).forEach((x, i) =>
      expect(Math.abs(x - ((reading.data[i] - least) / (1 - least)) * 65535)).toBeLessThanOrEqual(1)
    )
  })

  it('clips to its window, stretches and bends', () => {
    const clipped = show({ windowLow: 10, windowHigh: 90 })
    expect(clipped.slice(0, 10).every(x => x === 0)).toBe(true)
    expect(clipped.slice(90).every(x => x === 65535)).toBe(true)
    expect(show({ contrast: 2 })[24]).toBe(0)
    expect(show({ gamma: 2 })[50] / 65535).toBeCloseTo((50 / 99) ** 2, 4)
  })
})

describe('simulateXray', () => {
  const [materials] = renderMaterials(anatomicalVolume([40, 40, 40], [6, 6, 6], 2), [camera])

  it.each(PRESETS)(
    'as %s gives a finite image of its bits, not a flat one, and describes itself in JSON',
    preset => {
      const settings = XRAY_PRESETS[preset]
      const x = simulateXray(materials, camera, settings, { seed: 2 })
      expect([x.image.width, x.image.height]).toEqual([100, 80])
      expect(x.image.data.every(v => Number.isInteger(v) && v >= 0 && v < 2 ** settings.bits)).toBe(true)
      const { min, max } = imageRange(x.image)
      expect(max - min).toBeGreaterThan(2 ** (settings.bits - 1))
      expect(x.reading.data.every(Number.isFinite)).toBe(true)
      const copy = JSON.parse(JSON.stringify(x.applied))
      expect(copy).toEqual(x.applied)
      const simple = simulateReading(
        { width: 100, height: 80, data: wedge.layers.softTissue as Float32Array },
        3,
        settings,
        createRandom(1)
      )
      expect(simple.data.every(v => Number.isFinite(v) && v >= 0)).toBe(true)
    }
  )

  it('as ideal shows the line integrals, bone bright', () => {
    const { image, applied } = simulateXray(wedge, camera, ideal)
    for (let u = 0; u < 100; u++) expect(Math.abs(image.data[u] - (u / 99) * 65535)).toBeLessThanOrEqual(1)
    expect(applied.openPhotons).toBeNull()
  })

  it('as worst has instruments, a collimated field, a marker and few photons', () => {
    const { applied } = simulateXray(materials, camera, XRAY_PRESETS.worst, { seed: 1 })
    expect(applied.instruments.length).toBeGreaterThan(0)
    expect(applied.opening).not.toBeNull()
    expect(applied.marker).not.toBeNull()
    expect(XRAY_PRESETS.worst.photons).toBeLessThan(XRAY_PRESETS['low-dose'].photons)
  })

  it('shows metal given in the patient as the darkest thing of a bright-exposure image', () => {
    const rod = {
      kind: 'rod',
      frame: 'lps',
      from: [-40, 0, 0],
      to: [40, 0, 0],
      diameterMm: 12,
      metal: 'iron'
    } as const
    const settings = { ...ideal, bright: 'exposure' } as const
    const plain = simulateXray(materials, camera, settings).reading.data
    const with_ = simulateXray(materials, camera, settings, { instruments: [rod] }).reading.data
    expect(with_[40 * 100 + 50]).toBeLessThan(0.01 * plain[40 * 100 + 50])
    expect(with_[5 * 100 + 50]).toBe(plain[5 * 100 + 50])
  })

  it('burns in the marker, and only it', () => {
    const plain = simulateXray(materials, camera, ideal)
    const marked = simulateXray(materials, camera, { ...ideal, marker: true })
    const m = marked.applied.marker as NonNullable<typeof marked.applied.marker>
    marked.image.data.forEach((x, i) => {
      const [u, v] = [i % 100, Math.floor(i / 100)]
      const within = u >= m.at[0] && v >= m.at[1] && u < m.at[0] + m.size[0] && v < m.at[1] + m.size[1]
      if (within) expect(x === 0 || x === 65535).toBe(true)
      else expect(x).toBe(plain.image.data[i])
    })
  })

  it('refuses settings that are none, naming them', () => {
    const bad: [keyof XraySettings, unknown][] = [
      ['photons', -1],
      ['photons', Number.NaN],
      ['photons', 0],
      ['scatter', -0.1],
      ['blurMm', Number.NaN],
      ['kvp', 20],
      ['bits', 7],
      ['bits', 12.5],
      ['gamma', 0],
      ['instruments', -1],
      ['collimation', 'star'],
      ['windowHigh', 0],
      ['marker', 'yes']
    ]
    for (const [key, value] of bad) {
      const settings = { ...ideal, [key]: value } as XraySettings
      expect(() => simulateXray(wedge, camera, settings), `${key} ${value}`).toThrow(ArgumentError)
      expect(() => simulateReading(flat(1), 1.6, settings, createRandom(1)), `${key} ${value}`).toThrow(
        ArgumentError
      )
    }
    expect(() => simulateXray({ ...wedge, width: 50 }, camera, ideal)).toThrow(ArgumentError)
    expect(() => simulateXray(wedge, camera, ideal, { seed: Number.NaN })).toThrow(ArgumentError)
  })

  it('takes changes as text', () => {
    const changed = changeXraySettings(XRAY_PRESETS['c-arm'], [
      'photons=inf',
      'collimation=circle',
      'marker=true',
      'bits = 10'
    ])
    expect(changed).toEqual({
      ...XRAY_PRESETS['c-arm'],
      photons: Number.POSITIVE_INFINITY,
      collimation: 'circle',
      marker: true,
      bits: 10
    })
    for (const wrong of [
      'photon=3',
      'photons',
      'photons=',
      'photons=many',
      'bits=99',
      'marker=maybe',
      'a=b=c',
      'toString=1'
    ])
      expect(() => changeXraySettings(ideal, [wrong]), wrong).toThrow(ArgumentError)
  })
})
