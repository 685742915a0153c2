import { expect, it } from 'vitest'
import { ArgumentError } from '../src/errors.js'
import { PAPER_DETECTOR, project } from '../src/geometry/camera.js'
import { distance, type Vec3 } from '../src/geometry/linear.js'
import { DEGREE } from '../src/geometry/rotation.js'
import { poseFromView } from '../src/geometry/view.js'
import { createImage } from '../src/image/image.js'
import { distinctPoints } from '../src/landmarks/distinct-points.js'

const isocenter: Vec3 = [0, 0, 0]
const cameras = [-20, -10, 0, 10, 20].map(g => ({
  detector: PAPER_DETECTOR,
  cameraFromLps: poseFromView(
    { alpha: 0, beta: 0, gamma: g * DEGREE, translation: [0, 0, 0] as const },
    isocenter
  )
}))

/** Pictures with a filled square whose corner is at the projection of `corner`, and nothing else. */
const pictures = (corner: Vec3) =>
  cameras.map(camera => {
    const { u, v } = project(camera, corner)
    const image = createImage(...PAPER_DETECTOR.size)
    for (let y = 0; y < image.height; y++)
      for (let x = 0; x < image.width; x++) if (x >= u && y >= v) image.data[y * image.width + x] = 1
    return image
  })

it('prefers a corner to an edge, and an edge to nothing', () => {
  const corner: Vec3 = [0, 0, 10]
  const edge: Vec3 = [0, 0, -30]
  const flat: Vec3 = [-50, 0, 40]
  const found = distinctPoints([...flat, ...edge, ...corner], pictures(corner), cameras)
  const scoreOf = (p: Vec3) => found.find(f => distance(f.point, p) < 1e-6)!.score
  expect(found[0].point).toEqual(corner)
  expect(scoreOf(corner)).toBeGreaterThan(10 * scoreOf(edge))
  expect(scoreOf(flat)).toBe(0)
})

it('keeps its distance from other points and from those that there are', () => {
  const candidates: number[] = []
  for (let x = -40; x <= 40; x += 4) for (let z = -40; z <= 40; z += 4) candidates.push(x, 0, z)
  const apart: Vec3[] = [[0, 0, 0]]
  const found = distinctPoints(candidates, pictures([0, 0, 0]), cameras, {
    count: 12,
    minDistanceMm: 15,
    apart
  })
  expect(found.length).toBe(12)
  const all = [...apart, ...found.map(f => f.point)]
  for (const [i, p] of all.entries())
    for (const q of all.slice(0, i)) expect(distance(p, q)).toBeGreaterThanOrEqual(15)
})

it('leaves out what too few views show', () => {
  const far: Vec3 = [0, 0, 400]
  expect(distinctPoints(far, pictures([0, 0, 0]), cameras)).toEqual([])
})

it('wants an image of each camera', () => {
  expect(() => distinctPoints([0, 0, 0], pictures([0, 0, 0]).slice(1), cameras)).toThrow(ArgumentError)
})
