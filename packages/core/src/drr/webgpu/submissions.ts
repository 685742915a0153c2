import type { Camera } from '../../geometry/camera.js'
import type { Job } from './view.js'

export interface Budget {
  /** Pixels times planes that one submission may hold. */
  readonly values: number
  /** Pixels of one dispatch: a GPU that is away for seconds is taken for hung and reset. */
  readonly pixelsPerDispatch: number
  /** Pixels of one submission. */
  readonly pixelsPerSubmission: number
}

/** Cuts images into jobs and puts these into submissions: many small images go together, a large one is cut into rows. */
export function planSubmissions(cameras: readonly Camera[], planes: number, budget: Budget): Job[][] {
  const submissions: Job[][] = []
  let current: Job[] = []
  let pixels = 0
  const most = Math.min(budget.pixelsPerSubmission, Math.floor(budget.values / planes))
  cameras.forEach((camera, index) => {
    const [width, height] = camera.detector.size
    const rowsAtOnce = Math.max(1, Math.floor(Math.min(budget.pixelsPerDispatch, most) / width))
    for (let firstRow = 0; firstRow < height; firstRow += rowsAtOnce) {
      const rows = Math.min(rowsAtOnce, height - firstRow)
      if (current.length > 0 && pixels + rows * width > most) {
        submissions.push(current)
        current = []
        pixels = 0
      }
      current.push({ camera, index, firstRow, rows })
      pixels += rows * width
    }
  })
  if (current.length > 0) submissions.push(current)
  return submissions
}

/** Ranges [from, to) of a submission's jobs, each of one dispatch: neighbours with the same width and rows. */
export function dispatchRanges(jobs: readonly Job[], budget: Budget): [number, number][] {
  const ranges: [number, number][] = []
  let pixels = 0
  jobs.forEach((job, n) => {
    const size = job.camera.detector.size[0] * job.rows
    const last = ranges.at(-1)
    const first = last && jobs[last[0]]
    const alike =
      first && first.rows === job.rows && first.camera.detector.size[0] === job.camera.detector.size[0]
    if (last && alike && pixels + size <= budget.pixelsPerDispatch) {
      last[1] = n + 1
      pixels += size
    } else {
      ranges.push([n, n + 1])
      pixels = size
    }
  })
  return ranges
}
