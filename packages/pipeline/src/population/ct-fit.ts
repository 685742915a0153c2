import {
  absoluteOrientation,
  composeRigid,
  expSO3,
  fitShapePrior,
  invertRigid,
  type Mat4,
  PoseError,
  rigid,
  solveSpd,
  type Vec3,
  type Volume
} from '@raypose/core'
import { type Points, transformPoints } from '../shape-model/align.js'
import { vertexNormals } from '../shape-model/sphere-mesh-fit.js'
import { boneEdges } from './bone-edges.js'
import { deformElastically } from './elastic-fit.js'
import { createSampler } from './sampler.js'
import { type Shape, type SurfaceModel, shapeLandmarks, shapeOf } from './surface-model.js'

/** The surfaces of a model laid onto the bones of a CT. */
export interface CtFit {
  /** Every vertex of the model in the CT, LPS mm: in correspondence with the atlas's patients. */
  readonly shape: Shape
  /** The model's landmarks there, LPS mm. */
  readonly landmarks: readonly Vec3[]
  /** Distances of the vertices to the bone's surface along their normals, mm, and the share that has one within 5 mm. */
  readonly residual: { readonly medianMm: number; readonly p95Mm: number; readonly seen: number }
  /** The same before the surfaces were bent beyond the model's modes. */
  readonly modelResidual: CtFit['residual']
  readonly weights: readonly number[]
}

/** Reach of the search for the bone's surface, mm, round by round: from what landmarks leave to the surface itself. */
const REACH = [14, 14, 12, 12, 10, 10, 8, 8, 7, 7, 6, 6, 5, 5, 5, 5]
/** How far a surface strays from the model, mm: balances edges against the model's modes. */
const SIGMA_MM = 2
/** One vertex in so many takes part in fitting the modes. */
const STRIDE = 3

/**
 * Lays the surface model onto the bones of a CT: rigidly and by its modes onto `landmarks`, then onto the bone's surface along the
 * vertices' normals (iterated closest points, robust), then bent elastically onto it.
 * @param landmarks LPS mm, as `model.landmarks`; null where unknown. Some may be wrong
 * @throws PoseError for fewer than 4 landmarks, or where hardly any of the surface is found in the CT
 */
export function fitSurfacesToCt(
  model: SurfaceModel,
  volume: Volume,
  landmarks: readonly (Vec3 | null)[]
): CtFit {
  const sample = createSampler(volume)
  const start = fitLandmarks(model, landmarks)
  let { place, weights } = start
  const all = model.mean.length / 3
  const some = Int32Array.from({ length: Math.floor(all / STRIDE) }, (_, i) => i * STRIDE)
  for (const reach of REACH) {
    const shape = shapeOf(model, weights)
    const inCt = transformPoints(shape, place)
    const normals = shapeNormals(model, inCt)
    const edges = boneEdges(sample, inCt, normals, some, reach)
    ;({ place, weights } = modelStep(model, shape, place, weights, normals, some, edges, reach))
  }
  const rough = transformPoints(shapeOf(model, weights), place)
  const modelResidual = surfaceResidual(model, sample, rough)
  if (!(modelResidual.seen > 0.3))
    throw new PoseError(
      `Only ${(modelResidual.seen * 100).toFixed(0)} % of the atlas's surface was found on bone in the CT`,
      'Check the landmarks beside the CT, and that it holds the anatomy of the atlas.'
    )
  const shape = deformElastically(model, sample, rough)
  return {
    shape,
    landmarks: shapeLandmarks(model, shape),
    residual: surfaceResidual(model, sample, shape),
    modelResidual,
    weights
  }
}

/** Outward normals of all bones of a shape. */
export function shapeNormals(model: Pick<SurfaceModel, 'bones'>, shape: Shape): Points {
  const out = new Float64Array(shape.length)
  for (const b of model.bones)
    out.set(vertexNormals(shape.subarray(b.start * 3, (b.start + b.count) * 3), b.faces), b.start * 3)
  return out
}

function surfaceResidual(
  model: SurfaceModel,
  sample: ReturnType<typeof createSampler>,
  shape: Shape
): CtFit['residual'] {
  const every = Int32Array.from({ length: shape.length / 3 }, (_, i) => i)
  const edges = boneEdges(sample, shape, shapeNormals(model, shape), every, 5)
  const found = edges.filter(Number.isFinite).map(Math.abs).sort()
  return {
    medianMm: found[Math.floor(found.length / 2)] ?? Number.NaN,
    p95Mm: found[Math.floor(found.length * 0.95)] ?? Number.NaN,
    seen: found.length / every.length
  }
}

interface Placed {
  readonly place: Mat4
  readonly weights: number[]
}

/** Modes that landmarks alone can tell. */
const LANDMARK_MODES = 10

function fitLandmarks(model: SurfaceModel, landmarks: readonly (Vec3 | null)[]): Placed {
  const mean = shapeLandmarks(model, model.mean)
  const modes = model.modes.slice(0, LANDMARK_MODES).map(m => shapeLandmarks(model, m))
  const fit = fitShapePrior({ mean, modes }, landmarks)
  if (!fit)
    throw new PoseError(
      `${landmarks.filter(p => p).length} landmarks are known in the CT; laying the atlas onto it takes at least 4`,
      'Give a file of landmarks beside the CT whose names are those of the atlas.'
    )
  const weights = model.modes.map((_, k) => fit.weights[k] ?? 0)
  return {
    place: absoluteOrientation(shapeLandmarks(model, shapeOf(model, weights)), fit.landmarks),
    weights
  }
}

/** One Gauss–Newton step of motion and mode weights on the distances to the surface, with Geman–McClure weights. */
function modelStep(
  model: SurfaceModel,
  shape: Shape,
  place: Mat4,
  weights: readonly number[],
  normals: Points,
  some: Int32Array,
  edges: Float64Array,
  reach: number
): Placed {
  const modes = model.modes.length
  const n = modes + 6
  const a = new Float64Array(n * n)
  const r = new Float64Array(n)
  const row = new Float64Array(n)
  const scale = reach / 2.5
  const back = invertRigid(place)
  let count = 0
  for (let s = 0; s < some.length; s++) {
    const e = edges[s]
    if (!Number.isFinite(e)) continue
    count++
    const i = some[s] * 3
    // The normal in the model's frame.
    const nx = back[0] * normals[i] + back[1] * normals[i + 1] + back[2] * normals[i + 2]
    const ny = back[4] * normals[i] + back[5] * normals[i + 1] + back[6] * normals[i + 2]
    const nz = back[8] * normals[i] + back[9] * normals[i + 1] + back[10] * normals[i + 2]
    const [x, y, z] = [shape[i], shape[i + 1], shape[i + 2]]
    row[0] = y * nz - z * ny
    row[1] = z * nx - x * nz
    row[2] = x * ny - y * nx
    row[3] = nx
    row[4] = ny
    row[5] = nz
    for (let k = 0; k < modes; k++) {
      const m = model.modes[k]
      row[6 + k] = m[i] * nx + m[i + 1] * ny + m[i + 2] * nz
    }
    const w = 1 / (1 + (e / scale) ** 2) ** 2
    for (let p = 0; p < n; p++) {
      r[p] += w * row[p] * e
      for (let q = 0; q <= p; q++) a[p * n + q] += w * row[p] * row[q]
    }
  }
  // Neighbouring vertices do not err independently: a hundred of them count as one.
  const information = 1 / (SIGMA_MM ** 2 * 30)
  for (let p = 0; p < n; p++) {
    r[p] *= information
    for (let q = 0; q <= p; q++) a[q * n + p] = a[p * n + q] *= information
    if (p < 6) a[p * n + p] += 1e-6
    else {
      a[p * n + p] += 1
      r[p] -= weights[p - 6]
    }
  }
  const step = count >= 50 ? solveSpd(a, r, n) : null
  if (!step) return { place, weights: [...weights] }
  const turn = expSO3([step[0], step[1], step[2]])
  return {
    place: composeRigid(place, rigid(turn, [step[3], step[4], step[5]])),
    weights: weights.map((b, k) => Math.max(-3, Math.min(3, b + step[6 + k])))
  }
}
