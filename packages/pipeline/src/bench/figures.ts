import type { WebGpuFigures } from '../gpu/bench.js'

/** What `bench drr` measures, medians of one run. Milliseconds for a 240 × 188 image unless said otherwise. */
export interface DrrFigures {
  /** One core, the fastest kernel within 0.1 % RMS of the reference. */
  readonly oneCoreMs: number
  /** `plastimatch drr -i exact -A cpu`, one thread, by its own clock (reading the volume not included). */
  readonly plastimatchMs: number | null
  readonly ratio: number | null
  /** Error of that kernel: relative RMS to the reference over all poses together, per cent. */
  readonly rmsPercent: number
  /** The fastest kernel within 0.2 %, against plastimatch, and its error. */
  readonly averagedRatio: number | null
  readonly averagedRmsPercent: number
  /** The paper's training grid of 3,456 views on two cores, preparing the volume and starting the workers included. */
  readonly seconds3456: number
  /** Image and six derivatives against the image alone. */
  readonly derivativeFactor: number
  /** A batch of 200 on two cores against one; null where there is one core. */
  readonly scaling2: number | null
  /** 1536 × 1536 pixels within 0.1 %, one core. */
  readonly ms1536: number
  /** Peak memory of a batch in a process of its own, the int16 volume included, in int16 volumes. */
  readonly memoryFactor: number
  /** Relative RMS of the finest kernel to plastimatch: median of five poses. Its voxels are boxes, ours trilinear. */
  readonly plastimatchRmsPercent: number | null
  /** The same of the reference with voxels that are boxes too. */
  readonly plastimatchBoxRmsPercent: number | null
  readonly webgpu: WebGpuFigures | null
}

export type DrrFigure = keyof DrrFigures

/** What a figure should be: at least or at most this. */
export interface FigureTarget<Figure extends string> {
  readonly figure: Figure
  readonly least?: number
  readonly most?: number
}

export const DRR_TARGETS: readonly FigureTarget<Exclude<DrrFigure, 'webgpu'>>[] = [
  { figure: 'ratio', least: 25 },
  { figure: 'rmsPercent', most: 0.1 },
  { figure: 'averagedRatio', least: 45 },
  { figure: 'averagedRmsPercent', most: 0.2 },
  { figure: 'seconds3456', most: 30 },
  { figure: 'derivativeFactor', most: 1.5 },
  { figure: 'scaling2', least: 1.8 },
  { figure: 'ms1536', most: 150 },
  { figure: 'memoryFactor', most: 3 },
  { figure: 'plastimatchRmsPercent', most: 0.2 },
  { figure: 'plastimatchBoxRmsPercent', most: 0.2 }
]

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2
}

/** Median time of some work, ms, after a first time that does not count. */
export function medianMs(runs: number, work: () => void): number {
  work()
  return median(
    Array.from({ length: runs }, () => {
      const start = performance.now()
      work()
      return performance.now() - start
    })
  )
}

/** Sums of squares that make a relative RMS over several images. */
export interface SquaredError {
  readonly difference: number
  readonly power: number
}

export function squaredError(a: ArrayLike<number>, b: ArrayLike<number>): SquaredError {
  let difference = 0
  let power = 0
  for (let i = 0; i < b.length; i++) {
    difference += (a[i] - b[i]) ** 2
    power += b[i] ** 2
  }
  return { difference, power }
}

export const rmsPercent = (errors: readonly SquaredError[]): number =>
  100 * Math.sqrt(errors.reduce((s, e) => s + e.difference, 0) / errors.reduce((s, e) => s + e.power, 0))
