import { ArgumentError, BackendError } from '../errors.js'
import type { Camera } from '../geometry/camera.js'
import { assertCamera } from '../geometry/camera.js'
import { cross, mulMat3Vec3, type Vec3 } from '../geometry/linear.js'
import { applyRigid } from '../geometry/rigid.js'
import { assertVolume, type Volume } from '../volume/volume.js'
import { type AttenuationOptions, type LabelOptions, voxelAttenuation } from './attenuation.js'
import { type RayFrame, rayDirection, rayFrame } from './ray-frame.js'
import {
  type Density,
  differentiateRay,
  integrateBoxes,
  integrateRay,
  type RayMotion
} from './reference-rays.js'
import { assertCentre, outputFor, type Renderer, withDerivatives } from './renderer.js'

export interface ReferenceOptions extends AttenuationOptions, LabelOptions {
  /**
   * What the volume is between voxel centres. `'trilinear'` (default): what {@link Renderer} says. `'nearest'`: each voxel a
   * box of its own value, as Siddon's method and most other exact programs have it, to compare with those; no derivatives.
   */
  readonly interpolation?: 'trilinear' | 'nearest'
}

/**
 * The plain renderer that the fast ones are held to: in float64, integrals and derivatives exact for the trilinear
 * volume.
 *
 * @throws VolumeError for a volume that is not one; ArgumentError for labels that do not fit it or an unknown
 * interpolation; BackendError for derivatives of `'nearest'`
 */
export function createReferenceRenderer(
  volume: Volume,
  options: ReferenceOptions = {}
): Renderer & Required<Pick<Renderer, 'renderWithDerivatives'>> {
  const { interpolation = 'trilinear' } = options
  const integrate = { trilinear: integrateRay, nearest: integrateBoxes }[interpolation]
  if (!integrate)
    throw new ArgumentError(
      `There is no interpolation "${interpolation}"`,
      'Take "trilinear", or "nearest" for voxels that are boxes.'
    )
  assertVolume(volume)
  const attenuation = voxelAttenuation(volume, options)
  const values = new Float32Array(volume.data.length)
  for (let n = 0; n < values.length; n++) values[n] = attenuation.at(n)
  let density: Density | null = { size: volume.size, data: values }
  const present = (): Density => {
    if (!density) throw new BackendError('The renderer was disposed of', 'Create another one for the volume.')
    return density
  }
  return {
    backend: 'reference',
    errorBound: 0,
    bytes: density.data.byteLength,
    render(camera, out) {
      const d = present()
      const frame = rayFrame(volume, camera)
      const data = outputFor(camera, out)
      forEachPixel(camera, (n, u, v, length) => {
        data[n] = length * integrate(d, frame.source, rayDirection(frame, u, v))
      })
      const [width, height] = camera.detector.size
      return { width, height, data }
    },
    renderWithDerivatives(camera, centre, out) {
      const d = present()
      assertCamera(camera)
      assertCentre(centre)
      if (interpolation !== 'trilinear')
        throw new BackendError(
          'An image of voxels that are boxes has no derivatives: it changes in steps',
          'Render with interpolation "trilinear".'
        )
      const frame = rayFrame(volume, camera)
      const result = withDerivatives(camera, outputFor(camera, out, 7))
      const axes = cameraAxes(camera, frame)
      forEachPixel(camera, (n, u, v, length, ray) => {
        const direction = rayDirection(frame, u, v)
        result.image.data[n] = length * integrateRay(d, frame.source, direction)
        const motions = rayMotions(axes, applyRigid(camera.cameraFromLps, centre), ray)
        differentiateRay(d, frame.source, direction, motions).forEach((x, k) => {
          result.derivatives[k][n] = length * x
        })
      })
      return result
    },
    dispose() {
      density = null
    }
  }
}

/** Calls `pixel` with each pixel's number, place, and ray to its centre in camera coordinates (mm) and its length. */
function forEachPixel(
  { detector }: Camera,
  pixel: (n: number, u: number, v: number, length: number, ray: Vec3) => void
): void {
  const { size, pixel: mm, principalPoint, sdd } = detector
  const [width, height] = size
  for (let v = 0; v < height; v++)
    for (let u = 0; u < width; u++) {
      const ray: Vec3 = [(u - principalPoint[0]) * mm[0], (v - principalPoint[1]) * mm[1], sdd]
      pixel(v * width + u, u, v, Math.hypot(...ray), ray)
    }
}

/** From camera axes (mm) to voxels, for directions: row-major. */
function cameraAxes({ detector }: Camera, frame: RayFrame) {
  const { pixel, principalPoint, sdd } = detector
  const x = frame.perColumn.map(v => v / pixel[0])
  const y = frame.perRow.map(v => v / pixel[1])
  const z = rayDirection(frame, principalPoint[0], principalPoint[1]).map(v => v / sdd)
  return [x[0], y[0], z[0], x[1], y[1], z[1], x[2], y[2], z[2]] as const
}

/**
 * How a ray moves through the patient as the patient turns about each camera axis and shifts along it: the other way.
 * @param centre in camera coordinates, mm; the source is at 0
 */
function rayMotions(axes: ReturnType<typeof cameraAxes>, centre: Vec3, ray: Vec3): RayMotion[] {
  const voxels = (v: Vec3): Vec3 => mulMat3Vec3(axes, [-v[0], -v[1], -v[2]])
  const units: Vec3[] = [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1]
  ]
  const fromCentre: Vec3 = [-centre[0], -centre[1], -centre[2]]
  return [
    ...units.map(e => ({ atSource: voxels(cross(e, fromCentre)), perT: voxels(cross(e, ray)) })),
    ...units.map(e => ({ atSource: voxels(e), perT: [0, 0, 0] as const }))
  ]
}
