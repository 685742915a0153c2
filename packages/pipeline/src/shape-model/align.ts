import type { Mat3 } from '@raypose/core'
import { symmetricEigen } from './eigen.js'

/** Points as x, y, z triples, mm. */
export type Points = Float64Array

/**
 * Rotation R and centroids that bring `moving` onto `fixed` in the least-squares sense, no scaling:
 * q = R·(p − cm) + cf. Horn, "Closed-form solution of absolute orientation using unit quaternions", JOSA A 1987.
 */
export function alignRigid(moving: Points, fixed: Points): { rotation: Mat3; cm: number[]; cf: number[] } {
  const n = moving.length / 3
  const cm = [0, 0, 0]
  const cf = [0, 0, 0]
  for (let i = 0; i < moving.length; i++) {
    cm[i % 3] += moving[i] / n
    cf[i % 3] += fixed[i] / n
  }
  const s = new Float64Array(9)
  for (let i = 0; i < n; i++)
    for (let r = 0; r < 3; r++)
      for (let c = 0; c < 3; c++) s[r * 3 + c] += (moving[i * 3 + r] - cm[r]) * (fixed[i * 3 + c] - cf[c])
  const [xx, xy, xz, yx, yy, yz, zx, zy, zz] = s
  // biome-ignore format: a matrix
  const k = [
    xx + yy + zz, yz - zy, zx - xz, xy - yx,
    yz - zy, xx - yy - zz, xy + yx, zx + xz,
    zx - xz, xy + yx, yy - xx - zz, yz + zy,
    xy - yx, zx + xz, yz + zy, zz - xx - yy
  ]
  const [w, x, y, z] = symmetricEigen(k, 4).vectors[0]
  // biome-ignore format: a matrix
  const rotation: Mat3 = [
    1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
    2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
    2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)
  ]
  return { rotation, cm, cf }
}

export function transformPoints(p: Points, r: Mat3, from: number[], to: number[]): Points {
  const out = new Float64Array(p.length)
  for (let i = 0; i < p.length; i += 3) {
    const x = p[i] - from[0]
    const y = p[i + 1] - from[1]
    const z = p[i + 2] - from[2]
    out[i] = r[0] * x + r[1] * y + r[2] * z + to[0]
    out[i + 1] = r[3] * x + r[4] * y + r[5] * z + to[1]
    out[i + 2] = r[6] * x + r[7] * y + r[8] * z + to[2]
  }
  return out
}

/** Rigid generalised Procrustes alignment: every shape turned onto the mean, which is centred at the origin. */
export function alignShapes(shapes: Points[], rounds = 5): { rotation: Mat3; centre: number[] }[] {
  let mean = transformPoints(shapes[0], [1, 0, 0, 0, 1, 0, 0, 0, 1], centreOf(shapes[0]), [0, 0, 0])
  let fits: { rotation: Mat3; centre: number[] }[] = []
  for (let k = 0; k < rounds; k++) {
    fits = shapes.map(s => {
      const { rotation, cm } = alignRigid(s, mean)
      return { rotation, centre: cm }
    })
    const next = new Float64Array(mean.length)
    shapes.forEach((s, i) => {
      const t = transformPoints(s, fits[i].rotation, fits[i].centre, [0, 0, 0])
      for (let j = 0; j < next.length; j++) next[j] += t[j] / shapes.length
    })
    mean = next
  }
  return fits
}

const centreOf = (p: Points): number[] => {
  const c = [0, 0, 0]
  for (let i = 0; i < p.length; i++) c[i % 3] += (p[i] * 3) / p.length
  return c
}
