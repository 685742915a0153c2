import type { Camera } from '../../geometry/camera.js'
import { add, dot, type Mat3, mulMat3, scale, sub, type Vec3 } from '../../geometry/linear.js'
import { applyRigid, rotationOf } from '../../geometry/rigid.js'
import { type Grid, gridCentre } from '../../volume/volume.js'
import { rayDirection, rayFrame } from '../ray-frame.js'
import { VIEW_BYTES } from './shader.js'

/** Rows of one camera's image that one dispatch renders. */
export interface Job {
  readonly camera: Camera
  /** Place of the camera in the list. */
  readonly index: number
  readonly firstRow: number
  readonly rows: number
}

/**
 * Writes a job as the shader's `View`, at place `place`.
 * @param unit attenuation of texel value 1, 1/mm
 * @param centre LPS mm, about which the derivatives turn; default the grid's centre
 * @param offset first pixel of the output
 * @throws GeometryError for a degenerate camera
 */
export function writeView(
  to: ArrayBuffer,
  place: number,
  { camera, firstRow, rows }: Job,
  grid: Grid,
  unit: number,
  centre: Vec3 | undefined,
  offset: number
): void {
  const { detector, cameraFromLps } = camera
  const { sdd, pixel, principalPoint, size } = detector
  const frame = rayFrame(grid, camera)
  const source = sub(frame.source, scale(sub(grid.size, [1, 1, 1]), 0.5))
  // The part of the way to the detector at which the middle ray is nearest to the middle of the volume. Taking the rays
  // from there in float64 spares float32 the large numbers at the source.
  const axis = rayDirection(frame, (size[0] - 1) / 2, (size[1] - 1) / 2)
  const middle = Math.max(0, -dot(source, axis) / dot(axis, axis))
  const base = add(source, scale(frame.first, middle))
  const c = applyRigid(cameraFromLps, centre ?? gridCentre(grid))
  const m = gradientToCamera(grid, camera)

  const floats = new Float32Array(to, place * VIEW_BYTES, VIEW_BYTES / 4)
  floats.set([
    ...[...base, -middle],
    ...[...scale(frame.perColumn, middle), principalPoint[0]],
    ...[...scale(frame.perRow, middle), principalPoint[1]],
    ...[...frame.first, pixel[0]],
    ...[...frame.perColumn, pixel[1]],
    ...[...frame.perRow, sdd],
    ...[...c, unit],
    ...[m[0], m[1], m[2], middle],
    ...[m[3], m[4], m[5], 0],
    ...[m[6], m[7], m[8], 0]
  ])
  new Uint32Array(to, place * VIEW_BYTES + 160, 4).set([size[0], rows, firstRow, offset])
}

/** Takes a gradient per voxel to one per mm along the camera's axes. */
function gradientToCamera(grid: Grid, camera: Camera): Mat3 {
  const m = mulMat3(rotationOf(camera.cameraFromLps), grid.direction)
  return m.map((x, n) => x / grid.spacing[n % 3])
}
