import { augmentView, createRandom, type TrainingView } from '@raypose/core'
import { binsPerLandmark, encodeTargets, type NetworkSpec, normaliseInput } from '@raypose/network'
import type { ViewSource } from './view-source.js'

export interface BatchOptions {
  readonly spec: NetworkSpec
  readonly batchSize: number
  /** Standard deviation of the target Gaussians, pixels. */
  readonly sigmaPixels: number
  readonly seed: number
  /** Rendered views kept to draw from; 0: no pool, every view of the source is shown once, in the source's order. */
  readonly poolSize: number
  /** Views rendered before the first batch. */
  readonly firstViews: number
  /** New views rendered for each batch; the oldest ones leave. */
  readonly freshViews: number
  readonly augment: number
  /** In-plane moves of the images, against the full range; default 1. */
  readonly inPlane?: number
  /** Share of the images under adverse conditions, and whether the others have photon noise; see `augmentView`. */
  readonly adverse?: number
  readonly photonNoise?: boolean
  /**
   * For each landmark the position of its partner on the other side of the body: half of the views are then shown as in a
   * mirror, which doubles the anatomies. Left out where left and right are to be told apart by more than their side.
   */
  readonly mirror?: readonly number[]
}

export interface Batch {
  /** [batch, 1, inputHeight, inputWidth] */
  readonly images: Float32Array<ArrayBuffer>
  /** [batch, landmarks, bins] */
  readonly targets: Float32Array<ArrayBuffer>
}

/** Line integrals are kept as whole multiples of this: 0 … 32 in 16 bits. */
const QUANTUM = 1 / 2000

interface StoredView {
  readonly bone: Uint16Array
  readonly soft: Uint16Array
  readonly points: Float32Array
}

/**
 * Batches from a pool of rendered views that is renewed as training goes on: a view is drawn a few times, each time
 * augmented anew, so that rendering and training keep pace. The same options and source give the same batches.
 */
export function createBatchMaker(source: ViewSource, options: BatchOptions): () => Promise<Batch> {
  const { spec, batchSize } = options
  const random = createRandom(options.seed)
  const pool: StoredView[] = []
  let renewed = 0
  const renew = async (): Promise<void> => {
    const view = store(await source())
    if (pool.length < options.poolSize) pool.push(view)
    else pool[renewed++ % options.poolSize] = view
  }
  const pixels = spec.inputWidth * spec.inputHeight
  const bins = spec.landmarks * binsPerLandmark(spec)
  const drawn = (): TrainingView => load(pool[random.integer(pool.length)], spec.imageWidth, spec.imageHeight)
  return async () => {
    const pooled = options.poolSize > 0
    const wanted = pool.length === 0 ? options.firstViews : options.freshViews
    for (let i = 0; pooled && i < wanted; i++) await renew()
    const images = new Float32Array(batchSize * pixels)
    const targets = new Float32Array(batchSize * bins)
    for (let b = 0; b < batchSize; b++) {
      const taken = pooled ? drawn() : await source()
      const view = options.mirror && random.chance(0.5) ? mirrored(taken, options.mirror) : taken
      const { image, points } = augmentView(view, random, {
        strength: options.augment,
        inPlane: options.inPlane,
        adverse: options.adverse,
        photonNoise: options.photonNoise
      })
      normaliseInput(spec, image.data, images, b * pixels)
      encodeTargets(spec, points, options.sigmaPixels, targets, b * bins)
    }
    return { images, targets }
  }
}

const quantise = (data: Float32Array): Uint16Array => {
  const out = new Uint16Array(data.length)
  for (let i = 0; i < data.length; i++) out[i] = Math.min(65535, data[i] / QUANTUM + 0.5)
  return out
}

const store = (v: TrainingView): StoredView => ({
  bone: quantise(v.bone),
  soft: quantise(v.soft),
  points: v.points
})

function load(v: StoredView, width: number, height: number): TrainingView {
  const expand = (q: Uint16Array) => {
    const out = new Float32Array(q.length)
    for (let i = 0; i < q.length; i++) out[i] = q[i] * QUANTUM
    return out
  }
  return { width, height, bone: expand(v.bone), soft: expand(v.soft), points: v.points }
}

/** The view in a mirror: left is right, so landmarks change places with their partners. */
export function mirrored(v: TrainingView, partner: readonly number[]): TrainingView {
  const flip = (data: Float32Array) => {
    const out = new Float32Array(data.length)
    for (let row = 0; row < data.length; row += v.width)
      for (let x = 0; x < v.width; x++) out[row + x] = data[row + v.width - 1 - x]
    return out
  }
  const points = new Float32Array(v.points.length)
  partner.forEach((from, to) => {
    points[2 * to] = v.width - 1 - v.points[2 * from]
    points[2 * to + 1] = v.points[2 * from + 1]
  })
  return { width: v.width, height: v.height, bone: flip(v.bone), soft: flip(v.soft), points }
}
