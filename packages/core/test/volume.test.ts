import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ArgumentError, VolumeError } from '../src/errors.js'
import { distance, IDENTITY3, type Mat3, type Vec3 } from '../src/geometry/linear.js'
import { expSO3 } from '../src/geometry/rotation.js'
import { createRandom } from '../src/random/random.js'
import { type Box, cropToBox, resampledGrid, resampleVolume } from '../src/volume/resample.js'
import {
  assertVolume,
  type Grid,
  gridCentre,
  indexToLps,
  isRightHanded,
  lpsToIndex,
  sampleTrilinear,
  type Volume
} from '../src/volume/volume.js'

fc.configureGlobal({ seed: 5 })

// i runs to the right, j to the feet, k to the front: every axis flipped or exchanged.
const FLIPPED: Mat3 = [-1, 0, 0, 0, 0, -1, 0, -1, 0]

/** A volume of f at the LPS point of each voxel, rounded to whole HU. */
function volumeOf(grid: Grid, f: (p: Vec3) => number): Volume<Int16Array> {
  const [ni, nj, nk] = grid.size
  const data = new Int16Array(ni * nj * nk)
  for (let k = 0; k < nk; k++)
    for (let j = 0; j < nj; j++)
      for (let i = 0; i < ni; i++) data[(k * nj + j) * ni + i] = Math.round(f(indexToLps(grid, [i, j, k])))
  return { ...grid, data }
}

function noise(grid: Grid, seed = 1): Volume<Int16Array> {
  const random = createRandom(seed)
  return volumeOf(grid, () => random.uniform(-1000, 2000))
}

const eachVoxel = (g: Grid, f: (p: Vec3, at: number) => void) => {
  for (let k = 0; k < g.size[2]; k++)
    for (let j = 0; j < g.size[1]; j++)
      for (let i = 0; i < g.size[0]; i++) f(indexToLps(g, [i, j, k]), (k * g.size[1] + j) * g.size[0] + i)
}

/** Largest difference from the plain trilinear sampler, HU. */
function largestError(out: Volume<Int16Array>, source: Volume): number {
  let worst = 0
  eachVoxel(out, (p, at) => {
    worst = Math.max(worst, Math.abs(out.data[at] - sampleTrilinear(source, p, -1000)))
  })
  return worst
}

describe('index and LPS', () => {
  it('lps = origin + direction · (spacing ∘ index), with the columns of direction as the axes', () => {
    const g: Grid = { size: [10, 20, 30], spacing: [0.5, 2, 3], origin: [100, 200, 300], direction: FLIPPED }
    expect(indexToLps(g, [0, 0, 0])).toEqual([100, 200, 300])
    expect(indexToLps(g, [4, 0, 0])).toEqual([98, 200, 300])
    expect(indexToLps(g, [0, 4, 0])).toEqual([100, 200, 292])
    expect(indexToLps(g, [0, 0, 4])).toEqual([100, 188, 300])
    expect(gridCentre(g)).toEqual([100 - 4.5 * 0.5, 200 - 14.5 * 3, 300 - 9.5 * 2])
  })

  it('round-trips for any rotation or reflection of the axes', () => {
    const x = fc.double({ min: -300, max: 300, noNaN: true })
    const w = fc.double({ min: -3, max: 3, noNaN: true })
    const s = fc.double({ min: 0.1, max: 5, noNaN: true })
    fc.assert(
      fc.property(
        fc.tuple(w, w, w),
        fc.boolean(),
        fc.tuple(s, s, s),
        fc.tuple(x, x, x),
        (turn, flip, spacing, p) => {
          const r = expSO3(turn)
          const direction = flip ? r.map((v, i) => (i % 3 === 1 ? -v : v)) : r
          const g: Grid = { size: [5, 5, 5], spacing, origin: [-30, 40, 50], direction }
          expect(distance(indexToLps(g, lpsToIndex(g, p)), p)).toBeLessThan(1e-9)
          expect(isRightHanded(g)).toBe(!flip)
        }
      )
    )
  })

  it('has i fastest in memory', () => {
    const v = volumeOf(
      { size: [2, 3, 4], spacing: [1, 1, 1], origin: [0, 0, 0], direction: IDENTITY3 },
      p => p[0] + 10 * p[1] + 100 * p[2]
    )
    expect([...v.data.subarray(0, 8)]).toEqual([0, 1, 10, 11, 20, 21, 100, 101])
  })
})

describe('trilinear sampling', () => {
  const grid: Grid = { size: [6, 7, 8], spacing: [0.7, 1.3, 2.1], origin: [-3, 5, 9], direction: FLIPPED }
  const linear = ([x, y, z]: Vec3) => 7 + 3 * x - 5 * y + 11 * z

  it('reproduces a linear function of LPS under flipped axes', () => {
    const v: Volume = { ...grid, data: Float32Array.from(volumeOf(grid, () => 0).data) }
    eachVoxel(v, (p, at) => {
      v.data[at] = linear(p)
    })
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 5, noNaN: true }),
        fc.double({ min: 0, max: 6, noNaN: true }),
        fc.double({ min: 0, max: 7, noNaN: true }),
        (i, j, k) => {
          const p = indexToLps(grid, [i, j, k])
          expect(sampleTrilinear(v, p)).toBeCloseTo(linear(p), 3)
        }
      )
    )
  })

  it('is the voxel value at every voxel centre, the outermost included', () => {
    const spacing: Vec3 = [0.1, 0.3, 0.7]
    const v = noise({ ...grid, spacing, direction: expSO3([0.3, -0.4, 0.5]) })
    eachVoxel(v, (p, at) => expect(sampleTrilinear(v, p, 12345)).toBeCloseTo(v.data[at], 6))
  })

  it('is 0, or what is asked for, outside the box of the voxel centres', () => {
    const v = noise(grid)
    const beyond: Vec3[] = [
      [-0.01, 0, 0],
      [5.01, 0, 0],
      [0, -0.01, 0],
      [0, 6.01, 0],
      [0, 0, -0.01],
      [0, 0, 7.01]
    ]
    for (const index of beyond) {
      expect(sampleTrilinear(v, indexToLps(v, index))).toBe(0)
      expect(sampleTrilinear(v, indexToLps(v, index), -1000)).toBe(-1000)
    }
    expect(sampleTrilinear(v, [Number.NaN, 0, 0], -1)).toBe(-1)
  })

  it('works on a single slice', () => {
    const v = noise({ ...grid, size: [3, 3, 1] })
    expect(sampleTrilinear(v, indexToLps(v, [1, 2, 0]))).toBeCloseTo(v.data[7], 9)
  })
})

describe('assertVolume', () => {
  const good: Volume = noise({ size: [2, 3, 4], spacing: [1, 1, 1], origin: [0, 0, 0], direction: FLIPPED })
  it('accepts a volume with flipped axes', () => expect(() => assertVolume(good)).not.toThrow())
  it.each([
    ['too little data', { ...good, data: good.data.slice(1) }, /says 2 × 3 × 4 voxels but holds 23/],
    ['a fractional size', { ...good, size: [2, 3, 4.5] as Vec3 }, /says 2 × 3 × 4.5/],
    ['an empty size', { ...good, size: [0, 3, 4] as Vec3, data: new Int16Array(0) }, /says 0 × 3 × 4/],
    ['a zero spacing', { ...good, spacing: [1, 0, 1] as Vec3 }, /spacing 1, 0, 1 mm/],
    ['a negative spacing', { ...good, spacing: [1, 1, -1] as Vec3 }, /spacing 1, 1, -1 mm/],
    ['a NaN origin', { ...good, origin: [0, Number.NaN, 0] as Vec3 }, /or position is not/],
    ['a sheared axis (gantry tilt)', { ...good, direction: [1, 0, 0, 0, 1, 0.2, 0, 0, 0.98] }, /gantry tilt/],
    [
      'axes that are not of unit length',
      { ...good, direction: [2, 0, 0, 0, 1, 0, 0, 0, 1] },
      /not orthogonal unit/
    ],
    ['a direction of 12 numbers', { ...good, direction: [...FLIPPED, 0, 0, 0] }, /not orthogonal unit/],
    ['a direction of 6 numbers', { ...good, direction: [1, 0, 0, 0, 1, 0] }, /not orthogonal unit/],
    [
      'a NaN voxel',
      { ...good, data: Float32Array.from(good.data, (x, i) => (i === 9 ? Number.NaN : x)) },
      /not a number, at voxel 1, 1, 1/
    ]
  ])('refuses %s', (_, v, message) => {
    expect(() => assertVolume(v)).toThrow(VolumeError)
    expect(() => assertVolume(v)).toThrow(message)
  })
})

describe('resampling', () => {
  const ct = noise({
    size: [23, 19, 17],
    spacing: [0.9, 1.1, 2.5],
    origin: [-40, 30, 500],
    direction: FLIPPED
  })

  it('is trilinear on an isotropic grid along the own axes, to rounding', () => {
    const out = resampleVolume(ct, { spacing: 0.82 })
    expect(out.spacing).toEqual([0.82, 0.82, 0.82])
    expect(out.direction).toEqual(FLIPPED)
    expect(largestError(out, ct)).toBeLessThanOrEqual(0.501)
  })

  it('is trilinear on any other grid, to rounding, with air outside', () => {
    const out = resampleVolume(ct, {
      spacing: [0.8, 1, 1.3],
      size: [40, 35, 50],
      origin: [-70, 20, 470],
      direction: expSO3([0.2, -0.3, 0.4])
    })
    expect(out.size).toEqual([40, 35, 50])
    expect(out.origin).toEqual([-70, 20, 470])
    expect(largestError(out, ct)).toBeLessThanOrEqual(0.501)
    expect(out.data).toContain(-1000)
    expect(out.data.some(x => x > 500)).toBe(true)
  })

  it('gives the same values at the same places when the axes are exchanged', () => {
    const own = resampleVolume(ct, { spacing: 1 })
    const straight = resampleVolume(ct, { spacing: 1, direction: IDENTITY3 })
    expect(straight.size).toEqual([own.size[0], own.size[2], own.size[1]])
    expect(distance(gridCentre(straight), gridCentre(own))).toBeLessThan(1e-9)
    eachVoxel(straight, (p, at) => {
      const [i, j, k] = lpsToIndex(own, p).map(Math.round)
      // Half-way values may round either way.
      expect(
        Math.abs(straight.data[at] - own.data[(k * own.size[1] + j) * own.size[0] + i])
      ).toBeLessThanOrEqual(1)
    })
  })

  it('returns the same voxels on the same grid', () => {
    const out = resampleVolume(ct, { spacing: ct.spacing })
    expect(out.size).toEqual(ct.size)
    expect(distance(out.origin, ct.origin)).toBeLessThan(1e-9)
    expect(out.data).toEqual(ct.data)
    expect(out.data).not.toBe(ct.data)
  })

  it('fills with air what lies outside, on a grid larger than the volume', () => {
    const origin = indexToLps(ct, [-2, -3, -1])
    const out = resampleVolume(ct, { spacing: ct.spacing, origin, size: [28, 24, 20] })
    expect(largestError(out, ct)).toBeLessThanOrEqual(0.501)
    expect(out.data.subarray(0, 28 * 24).every(x => x === -1000)).toBe(true)
    // Wholly elsewhere.
    const away = resampleVolume(ct, { spacing: 1, origin: [1000, 1000, 1000], size: [3, 3, 3] })
    expect(away.data.every(x => x === -1000)).toBe(true)
  })

  it('averages over blocks where the output is a whole multiple coarser', () => {
    const v = noise({ size: [12, 9, 8], spacing: [1, 1, 1], origin: [0, 0, 0], direction: IDENTITY3 })
    const out = resampleVolume(v, { spacing: [3, 3, 2] })
    expect(out.size).toEqual([4, 3, 4])
    // The blocks tile the volume: the first voxel is centred in the first block.
    expect(distance(out.origin, [1, 1, 0.5])).toBeLessThan(1e-12)
    eachVoxel(out, ([x, y, z], at) => {
      let sum = 0
      for (let k = z - 0.5; k <= z + 0.5; k++)
        for (let j = y - 1; j <= y + 1; j++)
          for (let i = x - 1; i <= x + 1; i++) sum += v.data[(k * 9 + j) * 12 + i]
      expect(Math.abs(out.data[at] - sum / 18)).toBeLessThanOrEqual(0.501)
    })
  })

  it('keeps a linear function away from the border when averaging by a fraction, aligned or rotated', () => {
    const f = ([x, y, z]: Vec3) => 300 + 11 * x - 7 * y + 5 * z
    const v = volumeOf(
      { size: [40, 40, 40], spacing: [0.5, 0.5, 0.5], origin: [-10, -10, -10], direction: IDENTITY3 },
      f
    )
    for (const direction of [IDENTITY3, expSO3([0.3, 0.2, -0.4])]) {
      const out = resampleVolume(v, { spacing: 1.3, size: [9, 9, 9], origin: [-5, -5, -5], direction })
      let compared = 0
      eachVoxel(out, (p, at) => {
        if (p.some(x => Math.abs(x) > 8)) return
        expect(Math.abs(out.data[at] - f(p))).toBeLessThan(1.5)
        compared++
      })
      expect(compared).toBeGreaterThan(400)
    }
  })

  it('averages by a fraction with the overlaps of the voxels as weights', () => {
    const v = noise({ size: [50, 1, 1], spacing: [1, 1, 1], origin: [0, 0, 0], direction: IDENTITY3 })
    for (const spacing of [1.6, 2.6, 3.3]) {
      const out = resampleVolume(v, { spacing: [spacing, 1, 1] })
      eachVoxel(out, ([x], at) => {
        let [sum, weight] = [0, 0]
        for (let i = 0; i < 50; i++) {
          const overlap = Math.min(i + 0.5, x + spacing / 2) - Math.max(i - 0.5, x - spacing / 2)
          if (overlap <= 0) continue
          sum += overlap * v.data[i]
          weight += overlap
        }
        expect(Math.abs(out.data[at] - sum / weight)).toBeLessThanOrEqual(0.501)
      })
    }
  })

  it('does not pass over a thin plate when downsampling, whatever the axes', () => {
    // A plate one voxel thick, 0.5 mm, on a coarse grid of 3 mm: 1/6 of its attenuation, wherever it lies.
    for (const at of [20, 21, 22, 23, 24, 25]) {
      const grid: Grid = { size: [60, 6, 6], spacing: [0.5, 3, 3], origin: [0, 0, 0], direction: IDENTITY3 }
      const v = volumeOf(grid, p => (Math.abs(p[0] - at * 0.5) < 0.1 ? 1200 : 0))
      const row = resampleVolume(v, { spacing: 3 }).data.subarray(0, 10)
      expect(row.reduce((s, x) => s + x, 0)).toBe(200)
      // The same with j along x: now every sixth value of a slice of 6 × 10.
      const turned = resampleVolume(v, { spacing: 3, direction: [0, 1, 0, 1, 0, 0, 0, 0, 1] })
      expect(turned.size).toEqual([6, 10, 6])
      expect(
        turned.data
          .subarray(0, 60)
          .filter((_, i) => i % 6 === 2)
          .reduce((s, x) => s + x, 0)
      ).toBe(200)
    }
  })

  it('fills with air beyond the volume along every one of exchanged axes', () => {
    const direction: Mat3 = [0, 0, 1, -1, 0, 0, 0, 1, 0]
    const g = resampledGrid(ct, { spacing: 1.2, direction })
    const size: Vec3 = [g.size[0] + 6, g.size[1] + 6, g.size[2] + 6]
    const out = resampleVolume(ct, { spacing: 1.2, direction, size })
    expect(largestError(out, ct)).toBeLessThanOrEqual(0.501)
    expect(out.data.filter(x => x !== -1000).length).toBeLessThanOrEqual(g.size[0] * g.size[1] * g.size[2])
  })

  it('rounds to the nearest and stops at the ends of 16 bits', () => {
    const line = (values: number[]): Volume => ({
      size: [values.length, 1, 1],
      spacing: [1, 1, 1],
      origin: [0, 0, 0],
      direction: IDENTITY3,
      data: Float32Array.from(values)
    })
    const out = resampleVolume(line([1.4, 1.6, -1.4, -1.6, 1e6, -1e6]), { spacing: 1 })
    expect([...out.data]).toEqual([1, 2, -1, -2, 32767, -32768])
  })

  it('covers the volume without passing beyond it, and centres what is left over', () => {
    const g: Grid = { size: [11, 11, 11], spacing: [1, 1, 1], origin: [5, 6, 7], direction: IDENTITY3 }
    const out = resampledGrid(g, { spacing: 3 })
    expect(out.size).toEqual([4, 4, 4])
    expect(out.origin).toEqual([5.5, 6.5, 7.5])
    expect(resampledGrid(g, { spacing: 0.1 }).size).toEqual([101, 101, 101])
    expect(resampledGrid(g, { spacing: 3, origin: [6, 6, 7] }).size).toEqual([4, 4, 4])
    expect(resampledGrid(g, { spacing: 3, origin: [7, 6, 7] }).size).toEqual([3, 4, 4])
    expect(resampledGrid(g, { spacing: 2, size: [3, 3, 3] }).origin).toEqual([8, 9, 10])
  })

  it.each([
    ['a zero spacing', { spacing: 0 }],
    ['a NaN spacing', { spacing: Number.NaN }],
    ['a sheared direction', { spacing: 1, direction: [1, 0.5, 0, 0, 1, 0, 0, 0, 1] }],
    ['an empty size', { spacing: 1, size: [0, 4, 4] as Vec3 }],
    ['an origin beyond the volume and no size', { spacing: 1, origin: [9999, 0, 0] as Vec3 }],
    ['more voxels than an array holds', { spacing: 1e-3 }]
  ])('refuses %s', (_, options) => {
    expect(() => resampleVolume(ct, options)).toThrow(ArgumentError)
  })

  it('refuses a volume that is not one', () => {
    expect(() => resampleVolume({ ...ct, data: new Int16Array(5) }, { spacing: 1 })).toThrow(VolumeError)
  })
})

describe('cropping', () => {
  const ct = noise({ size: [20, 18, 16], spacing: [0.5, 1, 2], origin: [10, 20, 30], direction: FLIPPED })

  it('keeps every voxel around the box, with its value and place', () => {
    // i = 20 − 2x, j = 30 − z, k = (20 − y)/2: the box is i 4…10, j 5…9, k 2.25…5.75.
    const out = cropToBox(ct, { min: [5, 8.5, 21], max: [8, 15.5, 25] })
    expect(out.size).toEqual([7, 5, 5])
    expect(out.data).toBeInstanceOf(Int16Array)
    eachVoxel(out, (p, at) => expect(out.data[at]).toBe(sampleTrilinear(ct, p, 5555)))
    expect(lpsToIndex(ct, out.origin).map(Math.round)).toEqual([4, 5, 2])
  })

  it('stops at the border of the volume', () => {
    const out = cropToBox(ct, { min: [-1e4, -1e4, -1e4], max: [1e4, 1e4, 1e4] })
    expect(out.size).toEqual(ct.size)
    expect(out.data).toEqual(ct.data)
  })

  it.each([
    ['outside', { min: [500, 500, 500], max: [600, 600, 600] }],
    ['with its corners exchanged', { min: [8, 15, 25], max: [5, 9, 21] }],
    ['with a NaN', { min: [Number.NaN, 0, 0], max: [1, 1, 1] }]
  ])('refuses a box %s', (_, box) => {
    expect(() => cropToBox(ct, box as unknown as Box)).toThrow(VolumeError)
  })
})
