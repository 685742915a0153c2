import { availableParallelism } from 'node:os'
import {
  CancelledError,
  centredDetector,
  createReferenceRenderer,
  createWasmRenderer,
  gridCentre,
  gridViews,
  PAPER_DETECTOR,
  type PhantomOptions,
  prepareWasmVolume,
  type Renderer,
  type RenderQuality,
  TRAINING_GRID,
  type Volume
} from '@raypose/core'
import { benchWebGpu } from '../gpu/bench.js'
import type { OnProgress } from '../types.js'
import { createRenderPool } from '../workers/render-pool.js'
import { batchMemoryFactor } from './batch-memory.js'
import { comparePlastimatch, type PlastimatchFigures } from './compare-plastimatch.js'
import {
  type DrrFigure,
  type DrrFigures,
  median,
  medianMs,
  rmsPercent,
  type SquaredError
} from './figures.js'
import { createScene, NAMED, renderThinned, type Scene, thinnedError } from './scene.js'

export type { PlastimatchFigures }

export interface DrrBenchOptions {
  /** The volume is a phantom; default seed 1, 400 × 300 × 350 voxels of 0.82 mm. */
  readonly phantom?: PhantomOptions
  /** Random poses beside AP, lateral and three obliques; default 40. */
  readonly randomPoses?: number
  /** Times each image is rendered; default 7. */
  readonly runs?: number
  /** Compare with plastimatch where it is installed; default true. */
  readonly plastimatch?: boolean
  /** Measure WebGPU where there is a GPU; default true. */
  readonly webgpu?: boolean
  readonly signal?: AbortSignal
  readonly onProgress?: OnProgress
}

/** One kernel over all poses. */
export interface KernelFigures {
  readonly quality: RenderQuality
  /** Median over the poses. */
  readonly ms: number
  readonly rmsPercent: number
  /** The worst pose. */
  readonly worstRmsPercent: number
  /** Of AP, lateral and the obliques. */
  readonly byPose: readonly { readonly pose: string; readonly ms: number; readonly rmsPercent: number }[]
  /** Memory of the prepared volume in int16 volumes. */
  readonly preparedFactor: number
}

export interface DrrBench {
  readonly figures: DrrFigures
  /** Why a figure is null. */
  readonly reasons: Partial<Record<DrrFigure, string>>
  readonly kernels: readonly KernelFigures[]
  /** The kernels that `oneCoreMs` and `averagedRatio` are of. */
  readonly best: RenderQuality
  readonly averaged: RenderQuality
  readonly plastimatch: readonly PlastimatchFigures[]
}

const QUALITIES: readonly RenderQuality[] = ['joseph', 'finest', 'fine', 'fast', 'draft']
/** Every so many pixels are compared with the reference, which takes seconds for a whole image. */
const THINNING = 3
const BATCH = 200

/**
 * Measures the DRR engine: speed and error of its kernels, batches, memory, and plastimatch and WebGPU where they are.
 * Takes about two minutes; nothing else should run meanwhile.
 * @throws CancelledError
 */
export async function benchDrr(options: DrrBenchOptions = {}): Promise<DrrBench> {
  const { runs = 7, signal, onProgress } = options
  const stage = (name: string, fraction: number) => {
    if (signal?.aborted) throw new CancelledError()
    onProgress?.({ stage: name, fraction })
  }
  stage('Building a patient', 0)
  const scene = createScene(options.phantom ?? { seed: 1 }, options.randomPoses ?? 40)
  const { volume, poses } = scene
  const references = renderReferences(scene, fraction => stage('Rendering the reference', fraction))
  const kernels = QUALITIES.map((quality, n) => {
    stage('Measuring kernels', n / QUALITIES.length)
    // The slow one takes a tenth of a second, which needs no median of many.
    return measureKernel(scene, quality, references, quality === 'joseph' ? Math.min(runs, 3) : runs)
  })
  // The most accurate one is there to check the others by: it has no derivatives.
  const slabs = kernels.filter(k => k.quality !== 'joseph')
  const fastest = (most: number) =>
    slabs
      .filter(k => k.rmsPercent <= most)
      .reduce<KernelFigures | null>((a, b) => (a && a.ms <= b.ms ? a : b), null) ?? slabs[0]
  const best = fastest(0.1)
  const averaged = fastest(0.2)

  const reasons: Partial<Record<DrrFigure, string>> = {}
  const compared = options.plastimatch === false ? null : await comparePlastimatch(scene, stage, signal)
  if (!compared) {
    const reason = options.plastimatch === false ? 'not asked for' : 'plastimatch is not installed'
    for (const f of ['plastimatchMs', 'ratio', 'averagedRatio'] as const) reasons[f] = reason
    for (const f of ['plastimatchRmsPercent', 'plastimatchBoxRmsPercent'] as const) reasons[f] = reason
  }
  const plastimatchMs = compared ? median(compared.map(p => p.ms)) : null

  stage('Derivatives and large images', 0)
  const single = measureSingle(scene, best.quality, runs)
  stage('Batches', 0)
  const batches = await measureBatches(scene, best.quality, stage, signal)
  if (batches.scaling2 === null) reasons.scaling2 = 'this machine has one core'
  stage('Memory', 0)
  const memoryFactor = await batchMemoryFactor(
    volume,
    best.quality,
    2,
    Array.from({ length: BATCH }, (_, n) => poses[n % poses.length].camera),
    signal
  )
  stage('WebGPU', 0)
  const gpu =
    options.webgpu === false
      ? { webgpu: null, reason: 'not asked for' }
      : await benchWebGpu(
          volume,
          poses.map(p => p.camera)
        )
  if (gpu.reason !== null) reasons.webgpu = gpu.reason

  return {
    figures: {
      oneCoreMs: best.ms,
      plastimatchMs,
      ratio: plastimatchMs && plastimatchMs / best.ms,
      rmsPercent: best.rmsPercent,
      averagedRatio: plastimatchMs && plastimatchMs / averaged.ms,
      averagedRmsPercent: averaged.rmsPercent,
      seconds3456: batches.seconds3456,
      derivativeFactor: single.derivativeFactor,
      scaling2: batches.scaling2,
      ms1536: single.ms1536,
      memoryFactor,
      plastimatchRmsPercent: compared && median(compared.slice(0, NAMED.length).map(p => p.rmsPercent)),
      plastimatchBoxRmsPercent: compared && median(compared.flatMap(p => p.boxRmsPercent ?? [])),
      webgpu: gpu.webgpu
    },
    reasons,
    kernels,
    best: best.quality,
    averaged: averaged.quality,
    plastimatch: compared ?? []
  }
}

function renderReferences({ volume, poses }: Scene, done: (fraction: number) => void): Float32Array[] {
  const reference = createReferenceRenderer(volume)
  const images = poses.map(({ camera }, n) => {
    done(n / poses.length)
    return renderThinned(reference, camera, THINNING)
  })
  reference.dispose()
  return images
}

function measureKernel(
  { volume, poses }: Scene,
  quality: RenderQuality,
  references: readonly Float32Array[],
  runs: number
): KernelFigures {
  const renderer = createWasmRenderer(volume, { quality })
  const { size } = PAPER_DETECTOR
  const out = new Float32Array(size[0] * size[1])
  const results = poses.map(({ name, camera }, n) => {
    const ms = medianMs(runs, () => renderer.render(camera, out))
    return { pose: name, ms, error: thinnedError(out, size, THINNING, references[n]) }
  })
  renderer.dispose()
  const errors = results.map(r => rmsPercent([r.error]))
  return {
    quality,
    ms: median(results.map(r => r.ms)),
    rmsPercent: rmsPercent(results.map(r => r.error)),
    worstRmsPercent: Math.max(...errors),
    byPose: results.slice(0, NAMED.length).map(({ pose, ms }, n) => ({ pose, ms, rmsPercent: errors[n] })),
    preparedFactor: renderer.bytes / volume.data.byteLength
  }
}

function measureSingle({ volume, poses, cameraAt }: Scene, quality: RenderQuality, runs: number) {
  const renderer = createWasmRenderer(volume, { quality })
  const { size } = PAPER_DETECTOR
  const centre = gridCentre(volume)
  const one = new Float32Array(size[0] * size[1])
  const seven = new Float32Array(7 * size[0] * size[1])
  const factors = poses.map(({ camera }) => {
    const plain = medianMs(runs, () => renderer.render(camera, one))
    return medianMs(runs, () => renderer.renderWithDerivatives(camera, centre, seven)) / plain
  })
  const ms1536 = measureLarge(volume, renderer, quality, cameraAt, Math.min(runs, 5))
  renderer.dispose()
  return { derivativeFactor: median(factors), ms1536 }
}

/** A large detector, whose finer pixels see more of a kernel's error: the fine kernel where the given one is not within 0.1 %. */
function measureLarge(
  volume: Volume,
  renderer: Renderer,
  quality: RenderQuality,
  cameraAt: Scene['cameraAt'],
  runs: number
): number {
  const detector = centredDetector(PAPER_DETECTOR.sdd, [0.25, 0.25], [1536, 1536])
  const cameras = NAMED.slice(0, 3).map(([, view]) => cameraAt(view, detector))
  const reference = createReferenceRenderer(volume)
  const out = new Float32Array(1536 * 1536)
  const measure = (r: Renderer) => {
    const errors: SquaredError[] = []
    const times = cameras.map(camera => {
      const ms = medianMs(runs, () => r.render(camera, out))
      errors.push(thinnedError(out, detector.size, 24, renderThinned(reference, camera, 24)))
      return ms
    })
    return { ms: median(times), rms: rmsPercent(errors) }
  }
  const first = measure(renderer)
  if (first.rms <= 0.1 || quality === 'fine') return first.ms
  const fine = createWasmRenderer(volume, { quality: 'fine' })
  const second = measure(fine)
  fine.dispose()
  return second.ms
}

async function measureBatches(
  { volume, poses, cameraAt }: Scene,
  quality: RenderQuality,
  stage: (name: string, fraction: number) => void,
  signal?: AbortSignal
): Promise<{ seconds3456: number; scaling2: number | null }> {
  const cameras = gridViews(TRAINING_GRID).map(view => cameraAt(view))
  const start = performance.now()
  const prepared = prepareWasmVolume(volume, { quality, shared: true, slots: 3 })
  const pool = createRenderPool(prepared, { workers: 2 })
  try {
    await pool.renderEach(cameras, () => {}, {
      signal,
      onProgress: (done, total) => stage('Rendering 3,456 views', done / total)
    })
    const seconds3456 = (performance.now() - start) / 1000
    if (availableParallelism() < 2) return { seconds3456, scaling2: null }
    const batch = Array.from({ length: BATCH }, (_, n) => poses[n % poses.length].camera)
    const alone = createRenderPool(prepared, { workers: 1 })
    const seconds = async (p: typeof pool) => {
      const from = performance.now()
      await p.renderEach(batch, () => {}, { signal })
      return performance.now() - from
    }
    try {
      await seconds(alone)
      const factors: number[] = []
      for (let n = 0; n < 3; n++) {
        const one = await seconds(alone)
        factors.push(one / (await seconds(pool)))
      }
      return { seconds3456, scaling2: median(factors) }
    } finally {
      await alone.dispose()
    }
  } finally {
    await pool.dispose()
  }
}
