import type { Camera } from '../geometry/camera.js'
import { assertCamera, pixelInCamera, sourcePosition } from '../geometry/camera.js'
import { mulMat3Vec3, transpose3, type Vec3 } from '../geometry/linear.js'
import { rotationOf } from '../geometry/rigid.js'
import { type Grid, lpsToIndex } from '../volume/volume.js'

/**
 * The rays of a camera in a volume's index coordinates (voxels): pixel (u, v) is seen along
 * `source + t · (first + u·perColumn + v·perRow)`, t ≥ 0, with t = 1 at the pixel's centre.
 */
export interface RayFrame {
  readonly source: Vec3
  readonly first: Vec3
  readonly perColumn: Vec3
  readonly perRow: Vec3
}

/** @throws GeometryError for a degenerate camera */
export function rayFrame(grid: Grid, camera: Camera): RayFrame {
  assertCamera(camera)
  const { detector, cameraFromLps } = camera
  const lpsFromCamera = transpose3(rotationOf(cameraFromLps))
  const indexFromLps = transpose3(grid.direction)
  const toIndex = (p: Vec3): Vec3 => {
    const v = mulMat3Vec3(indexFromLps, mulMat3Vec3(lpsFromCamera, p))
    return [v[0] / grid.spacing[0], v[1] / grid.spacing[1], v[2] / grid.spacing[2]]
  }
  return {
    source: lpsToIndex(grid, sourcePosition(cameraFromLps)),
    first: toIndex(pixelInCamera(detector, 0, 0)),
    perColumn: toIndex([detector.pixel[0], 0, 0]),
    perRow: toIndex([0, detector.pixel[1], 0])
  }
}

/** Direction of pixel (u, v)'s ray, voxels, source to pixel centre. */
export const rayDirection = (f: RayFrame, u: number, v: number): Vec3 => [
  f.first[0] + u * f.perColumn[0] + v * f.perRow[0],
  f.first[1] + u * f.perColumn[1] + v * f.perRow[1],
  f.first[2] + u * f.perColumn[2] + v * f.perRow[2]
]
