import { describe, expect, it } from 'vitest'
import { ArgumentError } from '../src/errors.js'
import { type Camera, centredDetector } from '../src/geometry/camera.js'
import { poseFromView } from '../src/geometry/view.js'
import { type Image, imageRange } from '../src/image/image.js'
import { createRandom } from '../src/random/random.js'
import { augmentView } from '../src/xray/augment.js'
import { collimatorMask, collimatorOpening } from '../src/xray/collimation.js'
import { displayReading } from '../src/xray/display.js'
import { broadBlur, gaussianBlur } from '../src/xray/fields.js'
import { heelField } from '../src/xray/heel.js'
import { XRAY_PRESETS, type XrayPreset } from '../src/xray/presets.js'
import { type MaterialIntegrals, renderMaterials } from '../src/xray/primary.js'
import { scatterField } from '../src/xray/scatter.js'
import { changeXraySettings, type XraySettings } from '../src/xray/settings.js'
import { simulateReading, simulateXray } from '../src/xray/simulate.js'
import { anatomicalVolume } from './drr-volumes.js'

const detector = centredDetector(1200, [3, 3], [100, 80])
const camera: Camera = {
  detector,
  cameraFromLps: poseFromView({ alpha: 0, beta: 0, gamma: 0, translation: [0, 0, 0] }, [0, 0, 0])
}
/** A wedge of soft tissue, 0 to 20 cm thick from left to right. */
const wedge: MaterialIntegrals = {
  width: 100,
  height: 80,
  layers: { softTissue: Float32Array.from({ length: 8000 }, (_, i) => (i % 100) / 5) }
}
const flat = (value: number, width = 400, height = 300): Image => ({
  width,
  height,
  data: new Float32Array(width * height).fill(value)
})
const PRESETS = Object.keys(XRAY_PRESETS) as XrayPreset[]
const ideal: XraySettings = XRAY_PRESETS.ideal
const mean = (a: ArrayLike<number>) => Array.from(a).reduce((x, y) => x + y, 0) / a.length

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
    const view = {
      width: 2,
      height: 1,
      bone: new Float32Array(2),
      soft: new Float32Array(2),
      points: new Float32Array(2)
    }
    for (const strength of [-1, Number.NaN])
      expect(() => augmentView(view, createRandom(1), { strength })).toThrow(ArgumentError)
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

describe('augmentation', () => {
  const view = {
    width: 240,
    height: 188,
    bone: Float32Array.from({ length: 240 * 188 }, (_, i) =>
      Math.hypot((i % 240) - 130, Math.floor(i / 240) - 90) < 6 ? 3 : 0
    ),
    soft: new Float32Array(240 * 188).fill(1),
    points: Float32Array.from([130, 90])
  }

  it('of strength 0 is the image itself, from 0 to 1', () => {
    const { image, points } = augmentView(view, createRandom(1), { strength: 0 })
    expect(points).toEqual(view.points)
    image.data.forEach((x, i) => expect(Math.abs(x - (view.bone[i] > 0 ? 1 : 0))).toBeLessThan(1e-4))
  })

  it('takes the landmarks along with the image', () => {
    let checked = 0
    for (let seed = 0; seed < 30; seed++) {
      const { image, points } = augmentView(view, createRandom(seed), { strength: 0.3 })
      expect(image.data.every(Number.isFinite)).toBe(true)
      const [u, v] = points
      const near = image.data[Math.round(v) * 240 + Math.round(u)]
      const away = image.data[Math.round(v) * 240 + Math.round(u) + 20]
      if (near > away + 0.15) checked++
    }
    // Some are covered by a patch; nearly all show the bright disc at its landmark.
    expect(checked).toBeGreaterThan(22)
  })

  it('repeats itself with the seed', () => {
    expect(augmentView(view, createRandom(3))).toEqual(augmentView(view, createRandom(3)))
    expect(augmentView(view, createRandom(3)).image.data).not.toEqual(
      augmentView(view, createRandom(4)).image.data
    )
  })
})
