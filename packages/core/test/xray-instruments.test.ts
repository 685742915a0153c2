import { describe, expect, it } from 'vitest'
import { ArgumentError } from '../src/errors.js'
import { centredDetector, project } from '../src/geometry/camera.js'
import { IDENTITY4, normalize, type Vec3 } from '../src/geometry/linear.js'
import { applyRigid, invertRigid } from '../src/geometry/rigid.js'
import { poseFromView } from '../src/geometry/view.js'
import { createRandom } from '../src/random/random.js'
import {
  type Instrument,
  instrumentPaths,
  instrumentsFromJson,
  randomInstruments
} from '../src/xray/instruments.js'
import { chord, type Solid } from '../src/xray/solids.js'

const box: Solid = {
  shape: 'box',
  centre: [0, 0, 100],
  axes: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1]
  ],
  half: [10, 20, 5]
}
const rod: Solid = { shape: 'cylinder', from: [-50, 0, 100], to: [50, 0, 100], radius: 4 }

describe('chords', () => {
  it('have their closed forms', () => {
    expect(chord(box, [0, 0, 1])).toBeCloseTo(10, 12)
    expect(chord(box, [1, 0, 0])).toBe(0)
    expect(chord(box, normalize([0.05, 0, 1]))).toBeCloseTo(10 * Math.hypot(0.05, 1), 12)
    expect(chord(rod, [0, 0, 1])).toBeCloseTo(8, 12)
    // A ray that passes the axis at distance d: 2·√(r² − d²).
    const y = 3
    const d = y * Math.cos(Math.atan2(y, 100))
    expect(chord(rod, normalize([0, y, 100]))).toBeCloseTo(2 * Math.sqrt(16 - d * d), 9)
    expect(
      chord({ shape: 'cylinder', from: [0, 0, 100], to: [0, 0, 130], radius: 4 }, [0, 0, 1])
    ).toBeCloseTo(30, 12)
    expect(chord(rod, [0, 0, 1], 100)).toBeCloseTo(4, 12)
  })

  it('agree with counting steps along rays in every direction', () => {
    const random = createRandom(3)
    const axis = normalize([0.4, -0.7, 0.5])
    const tilted: Solid = {
      shape: 'cylinder',
      from: [-12 * axis[0], -12 * axis[1], 60 - 12 * axis[2]],
      to: [12 * axis[0], 12 * axis[1], 60 + 12 * axis[2]],
      radius: 7
    }
    const inside = (p: Vec3) => {
      const along = p[0] * axis[0] + p[1] * axis[1] + (p[2] - 60) * axis[2]
      const off = Math.sqrt(Math.max(0, p[0] ** 2 + p[1] ** 2 + (p[2] - 60) ** 2 - along ** 2))
      return Math.abs(along) <= 12 && off <= 7
    }
    for (let n = 0; n < 60; n++) {
      const ray = normalize([random.uniform(-0.2, 0.2), random.uniform(-0.2, 0.2), 1])
      let counted = 0
      for (let t = 0; t < 120; t += 0.01) if (inside([ray[0] * t, ray[1] * t, ray[2] * t])) counted += 0.01
      expect(Math.abs(chord(tilted, ray) - counted)).toBeLessThan(0.03)
    }
  })
})

describe('instruments', () => {
  const detector = centredDetector(1000, [1, 1], [200, 160])

  it('cast their shadow where they project to, in the patient or on the image', () => {
    const cameraFromLps = poseFromView(
      { alpha: 0.2, beta: 0, gamma: -0.4, translation: [0, 0, 0] },
      [0, 0, 0]
    )
    const camera = { detector, cameraFromLps }
    const ends: [Vec3, Vec3] = [
      [-20, 5, 10],
      [15, -10, 30]
    ]
    const wire: Instrument = {
      kind: 'wire',
      frame: 'lps',
      from: ends[0],
      to: ends[1],
      diameterMm: 4,
      metal: 'iron'
    }
    const { iron, titanium } = instrumentPaths([wire], camera)
    expect(titanium).toBeUndefined()
    const middle: Vec3 = [
      (ends[0][0] + ends[1][0]) / 2,
      (ends[0][1] + ends[1][1]) / 2,
      (ends[0][2] + ends[1][2]) / 2
    ]
    const { u, v } = project(camera, middle)
    expect(iron?.[Math.round(v) * 200 + Math.round(u)]).toBeGreaterThan(3)
    // The same wire given in camera coordinates.
    const moved = {
      ...wire,
      frame: 'camera' as const,
      from: applyRigid(cameraFromLps, ends[0]),
      to: applyRigid(cameraFromLps, ends[1])
    }
    const again = instrumentPaths([moved], camera).iron
    expect(Math.max(...(again ?? []).map((x, i) => Math.abs(x - (iron?.[i] ?? 0))))).toBeLessThan(1e-3)
    expect(applyRigid(invertRigid(cameraFromLps), moved.from)[0]).toBeCloseTo(ends[0][0], 9)
  })

  it('of every kind hold the metal of their volume', () => {
    // Σ path · pixel area at the detector, scaled back to the depth: the volume, for a thin thing across the beam.
    const volume = (i: Instrument) => {
      const paths = instrumentPaths([i], {
        detector: centredDetector(1000, [0.5, 0.5], [600, 400]),
        cameraFromLps: IDENTITY4
      })
      return (paths.iron ?? new Float32Array()).reduce((a, b) => a + b, 0) * 0.25 * 0.7 ** 2
    }
    const across = { frame: 'camera', from: [-30, 0, 700], to: [30, 0, 700], metal: 'iron' } as const
    const cylinder = (r: number, l: number) => Math.PI * r * r * l
    expect(volume({ ...across, kind: 'rod', diameterMm: 6 }) / cylinder(3, 60)).toBeCloseTo(1, 1)
    expect(volume({ ...across, kind: 'wire', diameterMm: 3 }) / cylinder(1.5, 60)).toBeCloseTo(1, 1)
    const screw = cylinder(3, 30) + cylinder(2.1, 30) + cylinder(4.2, 3.6)
    expect(volume({ ...across, kind: 'screw', diameterMm: 6 }) / screw).toBeCloseTo(1, 1)
    const retractor = 60 * 20 * 2.5 + 18 * 14 * 2.5
    expect(volume({ ...across, kind: 'retractor', diameterMm: 20 }) / retractor).toBeCloseTo(1, 1)
  })

  it('drawn at random lie in the field and repeat themselves', () => {
    const drawn = randomInstruments(30, detector, createRandom(8))
    expect(randomInstruments(30, detector, createRandom(8))).toEqual(drawn)
    expect(new Set(drawn.map(i => i.kind)).size).toBe(4)
    for (const i of drawn) {
      const paths = Object.values(instrumentPaths([i], { detector, cameraFromLps: IDENTITY4 }))
      expect(paths[0].some(x => x > 0)).toBe(true)
    }
  })

  it('are read from JSON, or refused by name', () => {
    const good = { kind: 'wire', from: [0, 0, 0], to: [0, 0, 50], diameterMm: 2 }
    expect(instrumentsFromJson([good])).toEqual([{ ...good, frame: 'lps', metal: 'titanium' }])
    for (const wrong of [
      'wire',
      [null],
      [{ ...good, kind: 'spoon' }],
      [{ ...good, to: [0, 0] }],
      [{ ...good, to: [0, 0, 0] }],
      [{ ...good, diameterMm: -2 }],
      [{ ...good, from: [0, Number.NaN, 0] }]
    ])
      expect(() => instrumentsFromJson(wrong)).toThrow(ArgumentError)
  })
})
