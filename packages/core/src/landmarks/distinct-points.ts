import { ArgumentError } from '../errors.js'
import { type Camera, onDetector, project } from '../geometry/camera.js'
import type { Vec3 } from '../geometry/linear.js'
import { imageGradient } from '../image/edges.js'
import type { Image } from '../image/image.js'

/** A point that stands out in pictures of it. */
export interface DistinctPoint {
  /** LPS mm. */
  readonly point: Vec3
  /** How much its surroundings look like a corner, against the picture's average; median over the views that show it. */
  readonly score: number
  /** Share of the views that show it. */
  readonly visible: number
}

export interface DistinctPointOptions {
  /** How many points are wanted. */
  readonly count: number
  /** A point that a smaller share of the views shows is none. */
  readonly minVisible: number
  /** Points stand at least so far from each other and from `apart`, mm. */
  readonly minDistanceMm: number
  /** Points that there are already. */
  readonly apart: readonly Vec3[]
  /** Half width of the window that a corner is looked for in, pixels. */
  readonly windowRadius: number
  /** Standard deviation of the smoothing before the derivatives, pixels. */
  readonly sigma: number
}

export const DISTINCT_POINT_DEFAULTS: DistinctPointOptions = {
  count: 40,
  minVisible: 0.35,
  minDistanceMm: 8,
  apart: [],
  windowRadius: 4,
  sigma: 1.2
}

/**
 * Points that can be told from their surroundings in most X-rays of them: in every view the smaller eigenvalue of the structure tensor around
 * the projection, which is large at corners and small on lines and in flat places (Shi & Tomasi 1994), then those of the largest
 * scores that are spread out (adaptive non-maximal suppression, Brown, Szeliski & Winder 2005).
 * @param candidates LPS mm, x y z of each
 * @param images one of each camera
 * @throws ArgumentError where images and cameras differ in number, or an option is out of range
 */
export function distinctPoints(
  candidates: ArrayLike<number>,
  images: readonly Image[],
  cameras: readonly Camera[],
  options: Partial<DistinctPointOptions> = {}
): DistinctPoint[] {
  const o = { ...DISTINCT_POINT_DEFAULTS, ...options }
  if (images.length !== cameras.length || images.length === 0)
    throw new ArgumentError(
      `${images.length} images of ${cameras.length} cameras`,
      'Give one image of each camera.'
    )
  if (!(o.count >= 0 && o.windowRadius >= 1 && o.sigma >= 0.5 && o.minVisible > 0 && o.minDistanceMm >= 0))
    throw new ArgumentError(
      'An option of the distinct points is out of range',
      'Window and smoothing are positive, the least share of views too; numbers and distances are not negative.'
    )
  const total = candidates.length / 3
  const scores: number[][] = Array.from({ length: total }, () => [])
  for (const [k, image] of images.entries()) {
    const corner = cornerness(image, o)
    for (let i = 0; i < total; i++) {
      const p: Vec3 = [candidates[3 * i], candidates[3 * i + 1], candidates[3 * i + 2]]
      const { u, v, depth } = project(cameras[k], p)
      if (depth > 0 && onDetector(cameras[k].detector, u, v))
        scores[i].push(corner(Math.round(u), Math.round(v)))
    }
  }
  const points = scores.flatMap((list, i): DistinctPoint[] => {
    const visible = list.length / images.length
    if (visible < o.minVisible) return []
    const point: Vec3 = [candidates[3 * i], candidates[3 * i + 1], candidates[3 * i + 2]]
    return [{ point, score: list.sort((a, b) => a - b)[list.length >> 1], visible }]
  })
  return spreadOut(points, o)
}

/**
 * How much a picture looks like a corner about a pixel (column x, row y): the square root of the structure tensor's smaller eigenvalue in a
 * window, against the root of its mean trace over the picture.
 */
export function cornerness(
  image: Image,
  o: Pick<DistinctPointOptions, 'windowRadius' | 'sigma'>
): (x: number, y: number) => number {
  const { width, height } = image
  const { gx, gy } = imageGradient(image, o.sigma)
  let trace = 0
  for (let i = 0; i < gx.length; i++) trace += (gx[i] * gx[i] + gy[i] * gy[i]) / gx.length
  return (x, y) => {
    let [a, b, c, n] = [0, 0, 0, 0]
    for (let v = Math.max(0, y - o.windowRadius); v <= Math.min(height - 1, y + o.windowRadius); v++)
      for (let u = Math.max(0, x - o.windowRadius); u <= Math.min(width - 1, x + o.windowRadius); u++) {
        const i = v * width + u
        a += gx[i] * gx[i]
        b += gx[i] * gy[i]
        c += gy[i] * gy[i]
        n++
      }
    const smaller = (a + c - Math.hypot(a - c, 2 * b)) / 2
    return trace > 0 ? Math.sqrt(Math.max(0, smaller) / n / trace) : 0
  }
}

/** A point counts as outdone by one whose score is larger by this factor. */
const CLEARLY = 1.1

/** The points that keep the largest distance to any clearly better one. */
function spreadOut(points: readonly DistinctPoint[], o: DistinctPointOptions): DistinctPoint[] {
  const sorted = [...points].sort((a, b) => b.score - a.score)
  const square = ([ax, ay, az]: Vec3, [bx, by, bz]: Vec3) => (ax - bx) ** 2 + (ay - by) ** 2 + (az - bz) ** 2
  const radius = sorted.map((p, i) => {
    let nearest = Number.POSITIVE_INFINITY
    for (const q of o.apart) nearest = Math.min(nearest, square(p.point, q))
    for (let j = 0; j < i && sorted[j].score > CLEARLY * p.score; j++)
      nearest = Math.min(nearest, square(p.point, sorted[j].point))
    return nearest
  })
  const order = sorted.map((_, i) => i).sort((i, j) => radius[j] - radius[i] || i - j)
  const taken: DistinctPoint[] = []
  const least = o.minDistanceMm ** 2
  for (const i of order) {
    if (taken.length >= o.count) break
    const p = sorted[i].point
    if (radius[i] >= least && taken.every(q => square(p, q.point) >= least)) taken.push(sorted[i])
  }
  return taken
}
