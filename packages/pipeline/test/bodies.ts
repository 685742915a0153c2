import { type Mat3, mulMat3, mulMat3Vec3, sampleTrilinear, type Vec3, type Volume } from '@raypose/core'

/** Whole bodies and parts of them in simple shapes: what a CT shows beside a pelvis, or instead of one. */

type Hounsfield = (x: number, y: number, z: number) => number

/** Samples a body on a grid; mm, LPS. */
export function sampled(size: Vec3, spacing: Vec3, origin: Vec3, hu: Hounsfield): Volume<Int16Array> {
  const data = new Int16Array(size[0] * size[1] * size[2])
  let n = 0
  for (let k = 0; k < size[2]; k++)
    for (let j = 0; j < size[1]; j++)
      for (let i = 0; i < size[0]; i++)
        data[n++] = hu(origin[0] + i * spacing[0], origin[1] + j * spacing[1], origin[2] + k * spacing[2])
  return { size, spacing, origin, direction: [1, 0, 0, 0, 1, 0, 0, 0, 1], data }
}

const modulo = (x: number, m: number) => ((x % m) + m) % m

/** A thorax: vertebrae, ribs sloping forward, sternum, lungs. Centred on x = y = 0, of any height. */
export const thorax: Hounsfield = (x, y, z) => {
  if ((x / 170) ** 2 + (y / 115) ** 2 > 1) return -1000
  if (Math.hypot(x, y - 65) < 18 && modulo(z, 30) > 5) return 320
  if (Math.hypot(x, y - 92) < 7) return 400
  const rim = Math.hypot(x / 140, y / 95)
  if (Math.abs(rim - 1) < 0.045 && modulo(z + 0.45 * y, 24) < 9) return 450
  if (Math.abs(x) < 15 && Math.abs(y + 92) < 6) return 300
  return ((Math.abs(x) - 70) / 55) ** 2 + (y / 75) ** 2 < 1 ? -800 : 40
}

/** A skull: a shell of bone with brain in it. */
export const skull: Hounsfield = (x, y, z) => {
  const r = Math.hypot(x / 75, y / 95, z / 110)
  return r > 1 ? -1000 : r > 0.98 ? 50 : r > 0.9 ? 900 : 35
}

/** A pelvis at the lower end of a body with one arm in view, on a table. */
export function bodyOver(pelvis: Volume, isocenter: Vec3, height: number, slice: number): Volume<Int16Array> {
  const [cx, cy, cz] = isocenter
  const top = pelvis.origin[2] + (pelvis.size[2] - 1) * pelvis.spacing[2]
  const inBody = (x: number, y: number) => ((x - cx) / 170) ** 2 + ((y - cy) / 115) ** 2 <= 1
  return sampled(
    [147, 107, Math.round(height / slice)],
    [3, 3, slice],
    [cx - 220, cy - 160, cz - 130],
    (x, y, z) => {
      if (Math.abs(y - cy - 135) < 8) return Math.abs(y - cy - 135) > 5 ? 60 : -850
      const arm = Math.hypot(x - cx - 192, y - cy)
      if (arm < 26) return arm < 12 ? 850 : 30
      if (z >= top) return thorax(x - cx, y - cy, z - top)
      const hu = sampleTrilinear(pelvis, [x, y, z], -1000)
      return hu > -500 ? hu : inBody(x, y) ? 30 : -1000
    }
  )
}

/** The same voxels in coordinates that are turned: what a file that is wrong about its patient holds. */
export const misnamed = <T extends Volume>(v: T, ctFromLps: Mat3): T => ({
  ...v,
  origin: mulMat3Vec3(ctFromLps, v.origin),
  direction: mulMat3(ctFromLps, v.direction)
})
