import { createRandom, indexToLps, lpsToIndex, type Vec3, type Volume, voxelCount } from '@raypose/core'
import type { CtFit } from './ct-fit.js'
import { shapeNormals } from './ct-fit.js'
import type { SurfaceModel } from './surface-model.js'

/** How far a CT is continued where it ends within the anatomy, mm. */
const CONTINUED_MM = 130
/** A surface that comes this near to the last slice is taken to be cut by it, mm. */
const NEAR_END_MM = 4
/** What the last slice shows within this distance of the surface belongs to the bone, mm. */
const BELONGS_MM = 4
const NOISE_HU = 15
const AIR_BELOW_HU = -400
const BONE_ABOVE_HU = 150

/**
 * Continues a CT whose first or last slice cuts the anatomy: the last slice goes on outward (limbs are nearly prisms there), and the
 * bones of the model end where the fitted surface does, with the density that they have near the cut. A CT that holds all of the surface
 * comes back as it is.
 */
export function continueCt(
  model: SurfaceModel,
  volume: Volume,
  fit: Pick<CtFit, 'shape'>
): { volume: Volume; continued: boolean } {
  const axis = [0, 1, 2].reduce((b, a) =>
    Math.abs(volume.direction[6 + a]) > Math.abs(volume.direction[6 + b]) ? a : b
  )
  let [lowest, highest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (let v = 0; v < fit.shape.length; v += 3) {
    const at = lpsToIndex(volume, [fit.shape[v], fit.shape[v + 1], fit.shape[v + 2]])[axis]
    lowest = Math.min(lowest, at)
    highest = Math.max(highest, at)
  }
  const near = NEAR_END_MM / volume.spacing[axis]
  const more = Math.ceil(CONTINUED_MM / volume.spacing[axis])
  const before = lowest < near ? more : 0
  const after = highest > volume.size[axis] - 1 - near ? more : 0
  if (before + after === 0) return { volume, continued: false }
  const longer = lengthened(volume, axis, before, after)
  const normals = shapeNormals(model, fit.shape)
  if (before > 0) endBones(longer, axis, before, -1, fit.shape, normals)
  if (after > 0) endBones(longer, axis, longer.size[axis] - 1 - after, 1, fit.shape, normals)
  return { volume: longer, continued: true }
}

function lengthened(v: Volume, axis: number, before: number, after: number): Volume<Int16Array> {
  const size = v.size.map((n, a) => n + (a === axis ? before + after : 0)) as unknown as Vec3
  const origin = indexToLps(v, [0, 1, 2].map(a => (a === axis ? -before : 0)) as unknown as Vec3)
  const data = new Int16Array(voxelCount({ ...v, size }))
  const random = createRandom(2)
  const ends = { before: endSlice(v, axis, 0), after: endSlice(v, axis, v.size[axis] - 1) }
  const stride = [1, v.size[0], v.size[0] * v.size[1]]
  const [p, q] = [0, 1, 2].filter(a => a !== axis)
  const from: [number, number, number] = [0, 0, 0]
  let o = 0
  for (from[2] = 0; from[2] < size[2]; from[2]++)
    for (from[1] = 0; from[1] < size[1]; from[1]++)
      for (from[0] = 0; from[0] < size[0]; from[0]++) {
        const at = from[axis] - before
        if (at >= 0 && at < v.size[axis])
          data[o] =
            v.data[from[0] * stride[0] + from[1] * stride[1] + from[2] * stride[2] - before * stride[axis]]
        else {
          const hu = (at < 0 ? ends.before : ends.after)[from[q] * v.size[p] + from[p]]
          data[o] = hu < AIR_BELOW_HU ? hu : Math.round(hu + NOISE_HU * random.normal())
        }
        o++
      }
  return { ...v, size, origin, data }
}

/** Slices averaged at an end: one slice's noise, drawn out, would be streaks in every X-ray. */
const AVERAGED = 3

/** The slice at an end, the mean over its neighbours; soft tissue smoothed within it too. */
function endSlice(v: Volume, axis: number, last: number): Int16Array {
  const [p, q] = [0, 1, 2].filter(a => a !== axis)
  const stride = [1, v.size[0], v.size[0] * v.size[1]]
  const inward = last === 0 ? 1 : -1
  const depth = Math.min(AVERAGED, v.size[axis])
  const [np, nq] = [v.size[p], v.size[q]]
  const mean = new Float32Array(np * nq)
  for (let b = 0; b < nq; b++)
    for (let a = 0; a < np; a++) {
      let s = 0
      for (let k = 0; k < depth; k++)
        s += v.data[a * stride[p] + b * stride[q] + (last + k * inward) * stride[axis]]
      mean[b * np + a] = s / depth
    }
  return Int16Array.from(mean, (hu, at) => {
    const [a, b] = [at % np, Math.floor(at / np)]
    if (hu > BONE_ABOVE_HU || hu < AIR_BELOW_HU || a < 2 || b < 2 || a >= np - 2 || b >= nq - 2)
      return Math.round(hu)
    let s = 0
    let n = 0
    for (let y = -2; y <= 2; y++)
      for (let x = -2; x <= 2; x++) {
        const h = mean[at + y * np + x]
        // Neighbours of another tissue stay out, so that its border stays sharp.
        if (Math.abs(h - hu) > 80) continue
        s += h
        n++
      }
    return Math.round(s / n)
  })
}

/**
 * Ends the bones beyond slice `last` of a lengthened CT (towards `way`): what the slice's bone would go on as becomes soft tissue outside
 * the surface, bone inside it.
 */
function endBones(
  v: Volume<Int16Array>,
  axis: number,
  last: number,
  way: 1 | -1,
  shape: Float64Array,
  normals: Float64Array
): void {
  const random = createRandom(1)
  const { candidates, extent } = verticesNear(v, axis, last, way, shape)
  if (candidates.length === 0) return
  const signed = signedDistance(shape, normals, candidates)
  const others = [0, 1, 2].filter(a => a !== axis)
  const [p, q] = others
  const stride = [1, v.size[0], v.size[0] * v.size[1]]
  const belongs = new Map<number, boolean>()
  const each = (slice: number, visit: (o: number, at: number, d: number) => void) => {
    const index: [number, number, number] = [0, 0, 0]
    index[axis] = slice
    for (let b = extent.low[q]; b <= extent.high[q]; b++)
      for (let a = extent.low[p]; a <= extent.high[p]; a++) {
        index[p] = a
        index[q] = b
        visit(
          index[0] * stride[0] + index[1] * stride[1] + index[2] * stride[2],
          b * v.size[p] + a,
          signed(indexToLps(v, index))
        )
      }
  }
  const [cortex, inside, outside]: [number[], number[], number[]] = [[], [], []]
  each(last, (o, at, d) => {
    if (d < BELONGS_MM) belongs.set(at, true)
    if (d < -4) inside.push(v.data[o])
    else if (d < 0) cortex.push(v.data[o])
    else if (d > 6 && v.data[o] > -30 && v.data[o] < 100) outside.push(v.data[o])
  })
  const cortexHu = quantile(cortex, 0.8, 500)
  const insideHu = quantile(inside, 0.5, 150)
  const softHu = quantile(outside, 0.5, 45)
  const end = way > 0 ? v.size[axis] - 1 : 0
  for (let slice = last + way; slice !== end + way; slice += way)
    each(slice, (o, at, d) => {
      // Softened over the width of a voxel, as a scanner does.
      const solid = Math.min(1, Math.max(0, 0.5 - d / 1.5))
      if (solid === 0 && !belongs.has(at)) return
      const soft = belongs.has(at) ? softHu + NOISE_HU * random.normal() : v.data[o]
      const shell = Math.min(1, Math.max(0, (d + 2) / 1.5 + 0.5))
      const bone = insideHu + (cortexHu - insideHu) * shell + NOISE_HU * random.normal()
      v.data[o] = Math.round(soft + (bone - soft) * solid)
    })
}

/** Vertices at and beyond a slice, and the box of indices around them. */
function verticesNear(v: Volume, axis: number, last: number, way: 1 | -1, shape: Float64Array) {
  const candidates: number[] = []
  const low = [Infinity, Infinity, Infinity]
  const high = [-Infinity, -Infinity, -Infinity]
  for (let i = 0; i < shape.length; i += 3) {
    const index = lpsToIndex(v, [shape[i], shape[i + 1], shape[i + 2]])
    if ((index[axis] - last) * way * v.spacing[axis] < -12) continue
    candidates.push(i)
    for (let k = 0; k < 3; k++) {
      low[k] = Math.min(low[k], index[k])
      high[k] = Math.max(high[k], index[k])
    }
  }
  const margin = 8
  return {
    candidates,
    extent: {
      low: low.map((x, k) => Math.max(0, Math.floor(x - margin / v.spacing[k]))),
      high: high.map((x, k) => Math.min(v.size[k] - 1, Math.ceil(x + margin / v.spacing[k])))
    }
  }
}

/** Distance to the surface through the nearest vertex, negative inside: enough where vertices are denser than voxels. */
function signedDistance(
  shape: Float64Array,
  normals: Float64Array,
  candidates: readonly number[]
): (p: Vec3) => number {
  return ([x, y, z]) => {
    let best = Number.POSITIVE_INFINITY
    let near = 0
    for (const i of candidates) {
      const d = (x - shape[i]) ** 2 + (y - shape[i + 1]) ** 2 + (z - shape[i + 2]) ** 2
      if (d < best) {
        best = d
        near = i
      }
    }
    const along =
      (x - shape[near]) * normals[near] +
      (y - shape[near + 1]) * normals[near + 1] +
      (z - shape[near + 2]) * normals[near + 2]
    // Near the surface the distance along the normal is finer than that to the vertex.
    const far = Math.sqrt(best)
    return far < 4 ? along : Math.sign(along) * far
  }
}

function quantile(values: number[], share: number, otherwise: number): number {
  if (values.length < 10) return otherwise
  return values.sort((a, b) => a - b)[Math.floor(values.length * share)]
}
