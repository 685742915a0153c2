import {
  type Camera,
  createPhantom,
  createRandom,
  DEGREE,
  type Detector,
  gridCentre,
  PAPER_DETECTOR,
  type PhantomOptions,
  poseFromView,
  type Renderer,
  randomViews,
  TRAINING_GRID,
  type View,
  type Volume
} from '@raypose/core'
import { type SquaredError, squaredError } from './figures.js'

const ANGLES: readonly (readonly [name: string, alpha: number, beta: number, gamma: number])[] = [
  ['AP', 0, 0, 0],
  ['lateral', 0, 0, 90],
  ['oblique 1', 12, 5, 30],
  ['oblique 2', -20, 10, -40],
  ['oblique 3', 5, -8, 60]
]
/** AP, lateral and three obliques. */
export const NAMED: readonly (readonly [string, View])[] = ANGLES.map(([name, alpha, beta, gamma]) => [
  name,
  { alpha: alpha * DEGREE, beta: beta * DEGREE, gamma: gamma * DEGREE, translation: [3, -4, 5] }
])

/** A patient and the poses it is seen from: {@link NAMED}, then random ones of the paper's training grid. */
export interface Scene {
  readonly volume: Volume<Int16Array>
  readonly poses: readonly { readonly name: string; readonly camera: Camera }[]
  readonly cameraAt: (view: View, detector?: Detector) => Camera
}

export function createScene(phantom: PhantomOptions, randomPoses: number): Scene {
  const { ct: volume } = createPhantom(phantom)
  const centre = gridCentre(volume)
  const cameraAt = (view: View, detector = PAPER_DETECTOR): Camera => ({
    detector,
    cameraFromLps: poseFromView(view, centre)
  })
  const random = randomViews(TRAINING_GRID, randomPoses, createRandom(phantom.seed))
  const poses = [
    ...NAMED.map(([name, view]) => ({ name, camera: cameraAt(view) })),
    ...random.map((view, n) => ({ name: `random ${n + 1}`, camera: cameraAt(view) }))
  ]
  return { volume, poses, cameraAt }
}

/** Every so many pixels of a detector, as a detector: its rays are the same. */
const thinnedDetector = (d: Detector, step: number): Detector => ({
  ...d,
  pixel: [d.pixel[0] * step, d.pixel[1] * step],
  size: [Math.ceil(d.size[0] / step), Math.ceil(d.size[1] / step)],
  principalPoint: [d.principalPoint[0] / step, d.principalPoint[1] / step]
})

/**
 * Error of an image, given every `step`-th pixel of another, row-major.
 * @param size of the image
 */
export function thinnedError(
  data: Float32Array,
  size: readonly number[],
  step: number,
  expected: Float32Array
): SquaredError {
  const width = Math.ceil(size[0] / step)
  const same = expected.map((_, n) => data[Math.floor(n / width) * step * size[0] + (n % width) * step])
  return squaredError(same, expected)
}

/** Every `step`-th pixel of a view by a slow renderer. */
export const renderThinned = (renderer: Renderer, camera: Camera, step: number): Float32Array =>
  renderer.render({ ...camera, detector: thinnedDetector(camera.detector, step) }).data
