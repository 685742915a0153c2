import { BackendError } from '../errors.js'
import { assertVolume, type Volume } from '../volume/volume.js'
import { type AttenuationOptions, attenuationOf } from './attenuation.js'
import { rayDirection, rayFrame } from './ray-frame.js'
import { outputFor, type Renderer } from './renderer.js'

/**
 * The plain renderer that the fast ones are held to, in float64 and exact: each ray is cut where it crosses the planes
 * through the voxel centres (Siddon 1985, on the dual grid); in between the trilinear volume is a cubic along the ray,
 * which Gauss's two-point rule integrates exactly.
 *
 * @throws VolumeError for a volume that is not one
 */
export function createReferenceRenderer(volume: Volume, options: AttenuationOptions = {}): Renderer {
  assertVolume(volume)
  const mu = attenuationOf(options)
  let density: Float32Array | null = Float32Array.from(volume.data, mu)
  const bytes = density.byteLength
  return {
    backend: 'reference',
    errorBound: 0,
    bytes,
    render(camera, out) {
      if (!density)
        throw new BackendError('The renderer was disposed of', 'Create another one for the volume.')
      const frame = rayFrame(volume, camera)
      const data = outputFor(camera, out)
      const { size, pixel, principalPoint, sdd } = camera.detector
      const [width, height] = size
      for (let v = 0; v < height; v++)
        for (let u = 0; u < width; u++) {
          const length = Math.hypot(
            (u - principalPoint[0]) * pixel[0],
            (v - principalPoint[1]) * pixel[1],
            sdd
          )
          data[v * width + u] =
            length * integrate(density, volume.size, frame.source, rayDirection(frame, u, v))
        }
      return { width, height, data }
    },
    dispose() {
      density = null
    }
  }
}

/** ∫ density(s + t·d) dt over t ≥ 0, for s and d in voxels. */
function integrate(
  density: Float32Array,
  size: readonly [number, number, number],
  s: readonly [number, number, number],
  d: readonly [number, number, number]
): number {
  let tStart = 0
  let tEnd = Number.POSITIVE_INFINITY
  for (let a = 0; a < 3; a++) {
    if (d[a] === 0) {
      if (s[a] < 0 || s[a] > size[a] - 1) return 0
      continue
    }
    const t0 = -s[a] / d[a]
    const t1 = (size[a] - 1 - s[a]) / d[a]
    tStart = Math.max(tStart, Math.min(t0, t1))
    tEnd = Math.min(tEnd, Math.max(t0, t1))
  }
  if (!(tEnd > tStart)) return 0
  // Next crossing of each axis, as plane number and t.
  const plane = [0, 0, 0]
  const next = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  for (let a = 0; a < 3; a++) {
    if (d[a] === 0) continue
    const x = s[a] + tStart * d[a]
    plane[a] = d[a] > 0 ? Math.floor(x) + 1 : Math.ceil(x) - 1
    next[a] = (plane[a] - s[a]) / d[a]
  }
  const gauss = 0.5 / Math.sqrt(3)
  let sum = 0
  let t = tStart
  while (t < tEnd) {
    const a = next[0] <= next[1] ? (next[0] <= next[2] ? 0 : 2) : next[1] <= next[2] ? 1 : 2
    const end = Math.min(next[a], tEnd)
    if (end > t) {
      const h = end - t
      const middle = t + h / 2
      sum +=
        (h / 2) *
        (trilinear(density, size, s, d, middle, middle - gauss * h) +
          trilinear(density, size, s, d, middle, middle + gauss * h))
      t = end
    }
    plane[a] += d[a] > 0 ? 1 : -1
    next[a] = (plane[a] - s[a]) / d[a]
  }
  return sum
}

/** Value at s + t·d by the trilinear form of the cell that holds s + tCell·d. */
function trilinear(
  density: Float32Array,
  [ni, nj, nk]: readonly [number, number, number],
  s: readonly [number, number, number],
  d: readonly [number, number, number],
  tCell: number,
  t: number
): number {
  const i = Math.max(0, Math.min(ni - 2, Math.floor(s[0] + tCell * d[0])))
  const j = Math.max(0, Math.min(nj - 2, Math.floor(s[1] + tCell * d[1])))
  const k = Math.max(0, Math.min(nk - 2, Math.floor(s[2] + tCell * d[2])))
  const fx = s[0] + t * d[0] - i
  const fy = s[1] + t * d[1] - j
  const fz = s[2] + t * d[2] - k
  // An axis of one voxel has no extent: its only rays lie in the plane and see that plane's values.
  const di = ni > 1 ? 1 : 0
  const dj = nj > 1 ? ni : 0
  const dk = nk > 1 ? ni * nj : 0
  const o = (k * nj + j) * ni + i
  const row = (p: number) => density[p] + fx * (density[p + di] - density[p])
  const near = row(o) + fy * (row(o + dj) - row(o))
  const far = row(o + dk) + fy * (row(o + dk + dj) - row(o + dk))
  return near + fz * (far - near)
}
