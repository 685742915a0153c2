import { IDENTITY3, type Mat3, mulMat3Vec3, type Vec3 } from '../src/geometry/linear.js'
import { createRandom } from '../src/random/random.js'
import type { Volume } from '../src/volume/volume.js'

/** A volume of `f(x, y, z)` (mm from its centre along its own axes), centred on the LPS origin. */
export function sampledVolume(
  size: Vec3,
  spacing: Vec3,
  f: (x: number, y: number, z: number) => number,
  direction: Mat3 = IDENTITY3
): Volume<Float32Array> {
  const data = new Float32Array(size[0] * size[1] * size[2])
  const half = size.map((n, a) => ((n - 1) / 2) * spacing[a]) as unknown as Vec3
  let o = 0
  for (let k = 0; k < size[2]; k++)
    for (let j = 0; j < size[1]; j++)
      for (let i = 0; i < size[0]; i++)
        data[o++] = f(i * spacing[0] - half[0], j * spacing[1] - half[1], k * spacing[2] - half[2])
  const c = mulMat3Vec3(direction, half)
  return { size, spacing, direction, origin: [-c[0], -c[1], -c[2]], data }
}

/**
 * Something like a pelvis in HU: air, an ellipsoidal body, bones with a cortex, gas; edges about 4 mm wide. Nothing
 * reaches the sides of the grid: where matter is cut off there, images have jumps that are a matter of sampling.
 */
export function anatomicalVolume(
  size: Vec3,
  spacing: Vec3,
  seed: number,
  direction?: Mat3
): Volume<Float32Array> {
  const random = createRandom(seed)
  const extent = size.map((n, a) => (n - 1) * spacing[a])
  const blob = (radius: number, spread: number) => ({
    c: extent.map(e => random.uniform(-spread, spread) * e),
    r: extent.map(e => random.uniform(0.5, 1) * radius * Math.min(e, 300))
  })
  const bones = Array.from({ length: 10 }, () => blob(0.14, 0.22))
  const gas = Array.from({ length: 4 }, () => blob(0.05, 0.2))
  // Signed distance, roughly, in mm: negative inside.
  const depth = (b: { c: number[]; r: number[] }, x: number, y: number, z: number) => {
    const q = Math.hypot((x - b.c[0]) / b.r[0], (y - b.c[1]) / b.r[1], (z - b.c[2]) / b.r[2])
    return (q - 1) * Math.min(...b.r)
  }
  const step = (d: number) => 1 / (1 + Math.exp(d / 1))
  const body = { c: [0, 0, 0], r: [extent[0] * 0.46, extent[1] * 0.42, extent[2] * 0.47] }
  return sampledVolume(
    size,
    spacing,
    (x, y, z) => {
      let hu = -1000 + 1040 * step(depth(body, x, y, z))
      for (const b of bones) {
        const d = depth(b, x, y, z)
        if (d < 12) hu += 300 * step(d) + 900 * step(d) * (1 - step(d + 4))
      }
      for (const b of gas) {
        const d = depth(b, x, y, z)
        if (d < 12) hu += (-1000 - hu) * step(d)
      }
      return hu
    },
    direction
  )
}

/** Root mean square of a − b relative to that of b. */
export function relativeRms(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let difference = 0
  let power = 0
  for (let i = 0; i < b.length; i++) {
    difference += (a[i] - b[i]) ** 2
    power += b[i] ** 2
  }
  return Math.sqrt(difference / power)
}
