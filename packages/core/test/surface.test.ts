import { createRequire } from 'node:module'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { VolumeError } from '../src/errors.js'
import { surfaceTargets } from '../src/evaluation/targets.js'
import { type Camera, PAPER_DETECTOR, project } from '../src/geometry/camera.js'
import { distance, IDENTITY3, type Mat3, normalize, scale, sub, type Vec3 } from '../src/geometry/linear.js'
import { poseFromView } from '../src/geometry/view.js'
import type { Detection } from '../src/landmarks/back-projection.js'
import { boneSurface, OPEN_BONE_WINDOW, PAPER_BONE_WINDOW } from '../src/landmarks/bone-surface.js'
import { followBorders } from '../src/landmarks/border-following.js'
import { refineLandmarks } from '../src/landmarks/refine.js'
import { nearestPoint, pointCells } from '../src/landmarks/sphere-growing.js'
import { BACK_PROJECTION_GRID, gridViews } from '../src/landmarks/views.js'
import { createRandom } from '../src/random/random.js'
import { type Grid, indexToLps, type Volume } from '../src/volume/volume.js'

fc.configureGlobal({ seed: 5 })

/** An image from rows of text: # is 1. */
function picture(...rows: string[]): { mask: Uint8Array; width: number; height: number } {
  const width = rows[0].length
  return { mask: Uint8Array.from(rows.join(''), c => (c === '#' ? 1 : 0)), width, height: rows.length }
}
const bordersOf = (...rows: string[]) => {
  const { mask, width, height } = picture(...rows)
  return followBorders(mask, width, height).borders
}
const pointsOf = (points: ArrayLike<number>) =>
  Array.from({ length: points.length / 2 }, (_, i) => `${points[2 * i]},${points[2 * i + 1]}`)

describe('border following', () => {
  it('finds nothing in an empty image and one point at a single pixel', () => {
    expect(bordersOf('...', '...')).toEqual([])
    expect(bordersOf('...', '.#.', '...')).toEqual([
      { kind: 'outer', parent: -1, points: Int32Array.of(1, 1) }
    ])
  })

  it('walks counter-clockwise around a block that fills the image', () => {
    const [b, ...more] = bordersOf('###', '###', '###')
    expect(more).toEqual([])
    expect(b.kind).toBe('outer')
    expect(pointsOf(b.points)).toEqual(['0,0', '0,1', '0,2', '1,2', '2,2', '2,1', '2,0', '1,0'])
  })

  it('passes both ways along a line one pixel wide', () => {
    expect(pointsOf(bordersOf('.....', '.###.', '.....')[0].points)).toEqual(['1,1', '2,1', '3,1', '2,1'])
  })

  it('tells a hole from the outside: the hole border lies on the ones around it', () => {
    const [outer, hole, ...more] = bordersOf('#####', '#####', '##.##', '#####', '#####')
    expect(more).toEqual([])
    expect(outer).toMatchObject({ kind: 'outer', parent: -1 })
    expect(outer.points.length / 2).toBe(16)
    expect(hole).toMatchObject({ kind: 'hole', parent: 0 })
    expect(new Set(pointsOf(hole.points))).toEqual(new Set(['2,1', '1,2', '3,2', '2,3']))
  })

  it('connects ones over corners and zeros not', () => {
    // A diamond encloses its middle: one component, one hole.
    expect(bordersOf('.#.', '#.#', '.#.').map(b => b.kind)).toEqual(['outer', 'hole'])
    expect(bordersOf('#..', '.#.', '..#').length).toBe(1)
  })

  it('nests: a ring with a ring with a dot in it', () => {
    const borders = bordersOf(
      '#########',
      '#.......#',
      '#.#####.#',
      '#.#...#.#',
      '#.#.#.#.#',
      '#.#...#.#',
      '#.#####.#',
      '#.......#',
      '#########'
    )
    expect(borders.map(b => [b.kind, b.parent])).toEqual([
      ['outer', -1],
      ['hole', 0],
      ['outer', 1],
      ['hole', 2],
      ['outer', 3]
    ])
  })

  it('gives components side by side the same parent', () => {
    const borders = bordersOf(
      '########',
      '#......#',
      '#.#..#.#',
      '#......#',
      '########',
      '........',
      '.##.....'
    )
    expect(borders.map(b => [b.kind, b.parent])).toEqual([
      ['outer', -1],
      ['hole', 0],
      ['outer', 1],
      ['outer', 1],
      ['outer', -1]
    ])
  })

  const images = fc
    .tuple(
      fc.integer({ min: 1, max: 14 }),
      fc.integer({ min: 1, max: 14 }),
      fc.integer(),
      fc.double({ min: 0.1, max: 0.95, noNaN: true })
    )
    .map(([width, height, seed, density]) => {
      const random = createRandom(seed)
      return {
        width,
        height,
        mask: Uint8Array.from({ length: width * height }, () => (random.chance(density) ? 1 : 0))
      }
    })

  it('marks exactly the ones that have a zero beside them', () => {
    fc.assert(
      fc.property(images, ({ mask, width, height }) => {
        const { borders, labels } = followBorders(mask, width, height)
        const walked = new Set(borders.flatMap(b => pointsOf(b.points)))
        const at = (x: number, y: number) =>
          x < 0 || y < 0 || x >= width || y >= height ? 0 : mask[y * width + x]
        for (let y = 0; y < height; y++)
          for (let x = 0; x < width; x++) {
            const border = at(x, y) === 1 && !(at(x - 1, y) && at(x + 1, y) && at(x, y - 1) && at(x, y + 1))
            expect(walked.has(`${x},${y}`)).toBe(border)
            expect(labels[y * width + x] === mask[y * width + x]).toBe(!border)
          }
      }),
      { numRuns: 300 }
    )
  })

  it('walks in steps to neighbours, back to where it started', () => {
    fc.assert(
      fc.property(images, ({ mask, width, height }) => {
        for (const { points } of followBorders(mask, width, height).borders)
          for (let i = 0; i < points.length; i += 2) {
            const j = (i + 2) % points.length
            const step = Math.max(Math.abs(points[j] - points[i]), Math.abs(points[j + 1] - points[i + 1]))
            expect(step).toBe(points.length === 2 ? 0 : 1)
          }
      })
    )
  })

  describe('against OpenCV', () => {
    // biome-ignore lint/suspicious/noExplicitAny: opencv-js is untyped
    let cv: any
    beforeAll(async () => {
      // The module can be a thenable that resolves to itself: `await` would never end on it.
      cv = createRequire(import.meta.url)('@techstark/opencv-js')
      if (cv instanceof Promise) cv = await cv
      if (!cv.Mat) await new Promise(done => (cv.onRuntimeInitialized = done))
    })

    it('finds the same borders with the same nesting in random images', () => {
      fc.assert(
        fc.property(images, ({ mask, width, height }) => {
          const source = cv.matFromArray(height, width, cv.CV_8UC1, mask)
          const contours = new cv.MatVector()
          const hierarchy = new cv.Mat()
          cv.findContours(source, contours, hierarchy, cv.RETR_TREE, cv.CHAIN_APPROX_NONE)
          // A border by its pixels as often as they are walked, and those of all the borders around it.
          const theirs: string[][] = []
          for (let i = 0; i < contours.size(); i++) theirs.push(pointsOf(contours.get(i).data32S).sort())
          const named = (own: string[][], parents: number[]) =>
            own
              .map((_, i) => {
                const path: string[] = []
                for (let j = i; j >= 0; j = parents[j]) path.push(own[j].join(' '))
                return path.join(' < ')
              })
              .sort()
          const { borders } = followBorders(mask, width, height)
          const expected = named(
            theirs,
            theirs.map((_, i) => hierarchy.data32S[4 * i + 3])
          )
          const found = named(
            borders.map(b => pointsOf(b.points).sort()),
            borders.map(b => b.parent)
          )
          for (const m of [source, contours, hierarchy]) m.delete()
          expect(found).toEqual(expected)
        }),
        { numRuns: 300 }
      )
    })
  })
})

// Axes exchanged and flipped, so that a frame mix-up would show.
const FLIPPED: Mat3 = [-1, 0, 0, 0, 0, -1, 0, -1, 0]
const centre: Vec3 = [20, -150, 870]
const spacing: Vec3 = [1.1, 0.9, 2]

/** A ball with cortex of the given HU between two radii (mm), marrow inside and water outside. */
function ball(cortex: number, outer: number, inner: number, direction = FLIPPED): Volume<Int16Array> {
  const size: Vec3 = [64, 70, 34]
  const half = indexToLps({ size, spacing, origin: [0, 0, 0], direction }, [31.7, 34.6, 16.4])
  const grid: Grid = { size, spacing, direction, origin: sub(centre, half) }
  const data = new Int16Array(size[0] * size[1] * size[2])
  for (let k = 0; k < size[2]; k++)
    for (let j = 0; j < size[1]; j++)
      for (let i = 0; i < size[0]; i++) {
        const r = distance(indexToLps(grid, [i, j, k]), centre)
        data[(k * size[1] + j) * size[0] + i] = r > outer ? 0 : r > inner ? cortex : 60
      }
  return { ...grid, data }
}
const rowsOf = (xyz: Float32Array): Vec3[] =>
  Array.from({ length: xyz.length / 3 }, (_, i) => [xyz[3 * i], xyz[3 * i + 1], xyz[3 * i + 2]])

describe('the bone surface', () => {
  it.each([
    ['straight', IDENTITY3],
    ['flipped', FLIPPED]
  ])('of a hollow ball lies within a pixel of its two faces, %s axes', (_, direction) => {
    const points = rowsOf(boneSurface(ball(400, 25, 18, direction)))
    let [outside, inside] = [0, 0]
    for (const p of points) {
      const r = distance(p, centre)
      // A border pixel has a neighbour beyond the face, at most 1.1 mm away.
      const near = Math.min(Math.abs(r - 25), Math.abs(r - 18))
      expect(near).toBeLessThan(1.1)
      if (Math.abs(r - 25) < Math.abs(r - 18)) outside++
      else inside++
    }
    expect(outside).toBeGreaterThan(inside)
    expect(inside).toBeGreaterThan(500)
    // All the way round.
    for (const axis of [0, 1, 2])
      for (const sign of [-1, 1]) {
        const furthest = Math.max(...points.map(p => sign * (p[axis] - centre[axis])))
        expect(furthest).toBeGreaterThan(25 - 2.2)
      }
  })

  it('depends on the window: dense cortex is bone only in the open one', () => {
    const dense = ball(900, 25, 18)
    expect(() => boneSurface(dense)).toThrow(VolumeError)
    expect(boneSurface(dense, { window: OPEN_BONE_WINDOW }).length).toBeGreaterThan(0)
    expect(PAPER_BONE_WINDOW).toEqual({ low: 200, high: 500 })
    for (const hu of [200, 500]) expect(() => boneSurface(ball(hu, 25, 18))).not.toThrow()
    for (const hu of [199, 501])
      expect(() => boneSurface(ball(hu, 25, 18))).toThrow(/no bone.*between 200 and 500 HU/)
  })

  it('has every point once', () => {
    const points = rowsOf(boneSurface(ball(400, 25, 24.2)))
    expect(new Set(points.map(p => p.join())).size).toBe(points.length)
  })

  it('leaves out specks where asked to', () => {
    const v = ball(0, 25, 18)
    v.data[(10 * 70 + 20) * 64 + 30] = 300
    expect(distance(rowsOf(boneSurface(v))[0], indexToLps(v, [30, 20, 10]))).toBeLessThan(1e-4)
    expect(() => boneSurface(v, { minBorderPixels: 2 })).toThrow(VolumeError)
  })
})

describe('sphere growing', () => {
  it('finds the nearest point, from inside the cloud and from far away', () => {
    const x = fc.double({ min: -60, max: 60, noNaN: true })
    const far = fc.double({ min: -900, max: 900, noNaN: true })
    const cloud = fc.array(fc.tuple(x, x, x), { minLength: 1, maxLength: 60 })
    fc.assert(
      fc.property(
        cloud,
        fc.oneof(fc.tuple(x, x, x), fc.tuple(far, far, far)),
        fc.double({ min: 0.5, max: 40, noNaN: true }),
        (points, p, cell) => {
          const xyz = Float32Array.from(points.flat())
          const all = rowsOf(xyz).map(q => distance(q, p))
          const least = Math.min(...all)
          const found = nearestPoint(pointCells(xyz, cell), p)!
          expect(found.distance).toBeCloseTo(least, 9)
          expect(distance(found.point, p)).toBe(found.distance)
          expect([...found.point]).toEqual([...xyz.subarray(3 * found.index, 3 * found.index + 3)])
          // Within the radius, and just short of it.
          expect(nearestPoint(pointCells(xyz, cell), p, least + 1e-6)?.distance).toBeCloseTo(least, 9)
          if (least > 1e-3) expect(nearestPoint(pointCells(xyz, cell), p, least - 1e-4)).toBeNull()
        }
      ),
      { numRuns: 300 }
    )
  })

  it('finds nothing where there is nothing, or nowhere', () => {
    expect(nearestPoint(pointCells(new Float32Array(0)), [0, 0, 0])).toBeNull()
    expect(nearestPoint(pointCells(Float32Array.of(1, 2, 3)), [Number.NaN, 0, 0])).toBeNull()
  })

  it('takes points of any extent', () => {
    const cells = pointCells(Float32Array.of(-1e6, 0, 0, 1e6, 1e6, 1e6), 0.01)
    expect(nearestPoint(cells, [9e5, 1e6, 1e6])?.index).toBe(1)
  })
})

describe('landmark refinement', () => {
  const surface = pointCells(boneSurface(ball(400, 25, 10)))
  const cameras: Camera[] = gridViews(BACK_PROJECTION_GRID).map(view => ({
    detector: PAPER_DETECTOR,
    cameraFromLps: poseFromView(view, centre)
  }))
  const seen = (p: Vec3, noise: number, seed: number): Detection[] => {
    const random = createRandom(seed)
    return cameras.map(c => {
      const { u, v } = project(c, p)
      return { u: u + noise * random.normal(), v: v + noise * random.normal(), confidence: 0.9 }
    })
  }
  const at = (direction: Vec3, r: number): Vec3 => {
    const d = scale(normalize(direction), r)
    return [centre[0] + d[0], centre[1] + d[1], centre[2] + d[2]]
  }
  const truths = [at([1, 2, 0.5], 25), at([-1, 0.3, -1], 29), at([0.2, -1, 0.1], 21), at([0, 0, 1], 60)]
  const perLandmark = truths.map((p, i) => seen(p, 1, i + 1))
  const detections = cameras.map((_, k) => [
    ...perLandmark.map(d => d[k]),
    { u: 100, v: 100, confidence: 0.1 }
  ])
  const refined = refineLandmarks(detections, cameras, surface)

  it('moves what the rays meet in to the nearest bone surface', () => {
    truths.slice(0, 3).forEach((p, i) => {
      const { point, rays, surfaceDistance } = refined[i]
      expect(distance(rays.point!, p)).toBeLessThan(1)
      expect(Math.abs(distance(point!, centre) - 25)).toBeLessThan(1.1)
      expect(distance(point!, rays.point!)).toBeCloseTo(surfaceDistance, 9)
      const all = rowsOf(surface.points).map(q => distance(q, rays.point!))
      expect(surfaceDistance).toBeCloseTo(Math.min(...all), 9)
    })
    expect(refined[1].surfaceDistance).toBeGreaterThan(2)
    expect(refined[1].surfaceDistance).toBeLessThan(6)
  })

  it('drops, with a reason, a landmark far from bone and one not seen', () => {
    expect(refined[3]).toMatchObject({
      point: null,
      reason: 'no bone surface within 30 mm of where the rays meet'
    })
    expect(distance(refined[3].rays.point!, truths[3])).toBeLessThan(1)
    expect(refined[4]).toMatchObject({ point: null, reason: expect.stringMatching(/seen in 0 views/) })
  })

  it('can leave the points where the rays meet, and reach further', () => {
    const options = { snap: false, maxSurfaceMm: 40, backProjection: { method: 'robust' } } as const
    const free = refineLandmarks(detections, cameras, surface, options)
    for (const i of [0, 1, 2, 3]) expect(free[i].point).toEqual(free[i].rays.point)
    expect(free[3].surfaceDistance).toBeGreaterThan(33)
    expect(free[0].rays.point).not.toEqual(refined[0].rays.point)
  })
})

describe('surface targets', () => {
  const ct = ball(900, 25, 18)
  it('are different points on the bone surface, the same for the same seed', () => {
    const targets = surfaceTargets(ct, 50, 7)
    expect(targets.length).toBe(50)
    expect(new Set(targets.map(p => p.join())).size).toBe(50)
    const surface = new Set(rowsOf(boneSurface(ct, { window: OPEN_BONE_WINDOW })).map(p => p.join()))
    for (const p of targets) expect(surface.has(p.join())).toBe(true)
    expect(surfaceTargets(ct, 50, 7)).toEqual(targets)
    expect(surfaceTargets(ct, 50, 8)).not.toEqual(targets)
  })

  it('are drawn evenly: half of them on each side of the ball', () => {
    const left = surfaceTargets(ct, 400, 3).filter(p => p[0] > centre[0]).length
    // Six standard deviations of a fair coin.
    expect(Math.abs(left - 200)).toBeLessThan(6 * 10)
  })

  it('keep to a box', () => {
    const within = { min: [0, -200, centre[2]] as Vec3, max: [100, -100, 900] as Vec3 }
    for (const p of surfaceTargets(ct, 30, 1, { within })) expect(p[2]).toBeGreaterThanOrEqual(centre[2])
  })

  it('are refused where there are too few', () => {
    expect(() => surfaceTargets(ct, 1e6, 1)).toThrow(/fewer than the 1000000 targets/)
    const within = { min: [500, 500, 500] as Vec3, max: [600, 600, 600] as Vec3 }
    expect(() => surfaceTargets(ct, 1, 1, { within })).toThrow(VolumeError)
  })
})
