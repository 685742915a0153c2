import {
  cross,
  IDENTITY3,
  type Mat3,
  mulMat3,
  mulMat3Vec3,
  scale,
  type Vec3,
  type Volume
} from '@raypose/core'

/**
 * Rotations from a CT file's coordinates to LPS. DICOM says where left, posterior and superior are, whichever way a patient lies and
 * goes into the scanner, so the rotation is the identity there. Files that lost it (raw stacks, NIfTI with a wrong affine, DICOM with
 * the wrong patient position entered) come out turned, mostly about one axis by 90° or 180°.
 */

/** The volume in coordinates turned about their origin: its grid moves, its voxels stay. */
export const turnVolume = <T extends Volume>(volume: T, rotation: Mat3): T => ({
  ...volume,
  origin: mulMat3Vec3(rotation, volume.origin),
  direction: mulMat3(rotation, volume.direction)
})

/** Half a turn about z: a patient lying on the other side. */
export const HALF_TURN: Mat3 = [-1, 0, 0, 0, -1, 0, 0, 0, 1]

const AXES: readonly Vec3[] = [
  [0, 0, 1],
  [0, 0, -1],
  [0, 1, 0],
  [0, -1, 0],
  [1, 0, 0],
  [-1, 0, 0]
]

/** lps_from_ct of a CT whose patient has the head and the back towards these axes of its coordinates. */
function rotationTo(head: Vec3, back: Vec3): Mat3 {
  const left = cross(back, head)
  return [...left, ...back, ...head]
}

/**
 * Ways a CT's coordinates may be turned against LPS, by quarter turns; the likelier first, the identity first of all. Of the two that
 * differ by {@link HALF_TURN} only one is listed: X-rays from the front and the back hardly differ, so they are told apart in 3D.
 */
export const ORIENTATIONS: readonly Mat3[] = AXES.flatMap(head => {
  const [first, second] = AXES.filter(a => a.every((x, k) => x * head[k] === 0)).filter(
    // One of each pair of opposite axes, the back of a supine patient first.
    a => a.some(x => x > 0)
  )
  return [rotationTo(head, first), rotationTo(head, second)]
})

export const isIdentity = (r: Mat3): boolean => r.every((x, i) => Math.abs(x - IDENTITY3[i]) < 1e-9)

/** A rotation by quarter turns in words. */
export function orientationInWords(lpsFromCt: Mat3): string {
  if (isIdentity(lpsFromCt)) return 'as the file says'
  const axis = (row: readonly number[]) => {
    const k = row.findIndex(x => Math.abs(x) > 0.5)
    return `${row[k] < 0 ? '−' : '+'}${'xyz'[k]}`
  }
  const front = scale([lpsFromCt[3], lpsFromCt[4], lpsFromCt[5]], -1)
  return `turned: in the file's coordinates the head is towards ${axis(lpsFromCt.slice(6))} and the front towards ${axis(front)}, where LPS has +z and −y`
}
