import type { Vec3 } from '../geometry/linear.js'
import type { Random } from '../random/random.js'
import type { AxisGrid } from './bone-field.js'
import type { Sex } from './bones.js'
import { createNoise } from './noise.js'
import type { PelvisShape } from './shape-model.js'

/**
 * Everything that is not bone, in HU, on a coarse grid (its structures are centimetres wide): trunk and thighs with a fat
 * layer, muscle and pelvic fat, bowel gas, rectum, bladder (with contrast sometimes), contrast in the bowel, a table.
 * @param low, high box that the random fields cover, mm
 */
export function softTissue(
  random: Random,
  grid: AxisGrid,
  pelvis: PelvisShape,
  sex: Sex,
  low: Vec3,
  high: Vec3,
  table: boolean
): Float32Array {
  const draw = (a: number, b: number) => random.uniform(a, b)
  const sample = (cell: number) => createNoise(random, cell, low, high)
  const extent = bounds(pelvis)
  const back = extent.high[1]
  const front = extent.low[1]
  const symphysis = pelvis.landmarks[4][2]

  // Trunk: a superellipse a little flat at the back; below the symphysis two thighs.
  const halfWidth = Math.max(-extent.low[0], extent.high[0]) + draw(18, sex === 'female' ? 70 : 60)
  const yBack = back + draw(15, 60)
  const yFront = front - draw(8, 80)
  const halfDepth = (yBack - yFront) / 2
  const yMiddle = (yBack + yFront) / 2
  const exponent = draw(2, 2.8)
  const taper = draw(-0.0012, 0.0006)
  const lean = draw(-0.0008, 0.001)
  const waviness = draw(-0.03, 0.03)
  const phase = draw(0, 6)
  const crotch = symphysis - draw(0, 45)
  const fatMm = draw(6, 40)

  const muscleHu = draw(25, 60)
  const fine = sample(draw(8, 14))
  const fineHu = draw(4, 22)
  const coarse = sample(draw(20, 45))
  const coarseHu = draw(4, 30)
  const fatty = sample(draw(12, 30))
  const fattyWide = sample(60)
  const fattyLimit = draw(0.3, 1.5)
  const fattyHu = draw(-110, -50)

  const gas = random.chance(0.75)
    ? { noise: sample(draw(14, 30)), wide: sample(60), limit: draw(1, 1.9), hu: draw(-950, -500) }
    : null
  const stool = random.chance(0.35)
    ? { noise: sample(draw(8, 18)), limit: draw(1.7, 2.3), hu: draw(150, 600) }
    : null
  const blob = (centre: Vec3, half: Vec3, hu: number) => ({ centre, half, hu })
  const blobs: ReturnType<typeof blob>[] = []
  if (random.chance(0.5))
    blobs.push(
      blob(
        [draw(-15, 15), back - draw(35, 60), draw(-50, 10)],
        [draw(8, 22), draw(8, 22), draw(15, 40)],
        draw(-950, -300)
      )
    )
  if (random.chance(0.6))
    blobs.push(
      blob(
        [draw(-12, 12), front + draw(20, 50), draw(-30, 15)],
        [draw(18, 42), draw(18, 36), draw(15, 38)],
        random.chance(0.3) ? draw(100, 500) : draw(0, 15)
      )
    )
  const bench = table
    ? { y: yBack + draw(2, 15), curve: draw(300, 900), hu: draw(-700, 0), inner: draw(-900, -300) }
    : null

  const [nx, ny, nz] = grid.size
  const out = new Float32Array(nx * ny * nz)
  for (let k = 0; k < nz; k++) {
    const z = grid.origin[2] + k * grid.spacing
    const a = halfWidth * (1 + taper * z + waviness * Math.sin(z / 60 + phase))
    const b = halfDepth * (1 + lean * z)
    for (let j = 0; j < ny; j++) {
      const y = grid.origin[1] + j * grid.spacing
      for (let i = 0; i < nx; i++) {
        const x = grid.origin[0] + i * grid.spacing
        let depth =
          ((Math.abs(x / a) ** exponent + Math.abs((y - yMiddle) / b) ** exponent) ** (1 / exponent) - 1) *
          halfDepth
        if (z < crotch + 25) {
          const thigh =
            (Math.hypot(
              (Math.abs(x) - halfWidth * 0.5) / (halfWidth * 0.5),
              (y - yMiddle) / (halfDepth * 0.95)
            ) -
              1) *
            halfWidth *
            0.5
          // Legs part over 25 mm, not at a knife's edge.
          const t = Math.min(1, (crotch + 25 - z) / 25)
          depth = depth * (1 - t) + Math.max(thigh, depth) * t
        }
        let hu = -1000
        if (depth < 0) {
          const inside = depth < -fatMm
          hu = inside
            ? muscleHu + fineHu * fine(x, y, z) + coarseHu * coarse(x, y, z)
            : -100 + 8 * fine(x, y, z)
          if (inside && fatty(x, y, z) + fattyWide(x, y, z) > fattyLimit) hu = fattyHu
          const cavity = depth < -fatMm - 8 && y < back - 15
          if (gas && cavity && z > -45 && Math.abs(x) < halfWidth * 0.75) {
            const m = clamp((gas.noise(x, y, z) + 0.4 * gas.wide(x, y, z) - gas.limit) * 6)
            hu += m * (gas.hu - hu)
          }
          for (const q of blobs) {
            const r =
              ((x - q.centre[0]) / q.half[0]) ** 2 +
              ((y - q.centre[1]) / q.half[1]) ** 2 +
              ((z - q.centre[2]) / q.half[2]) ** 2
            const m = clamp(1.5 - r)
            if (m > 0 && depth < -5) hu += m * (q.hu - hu)
          }
          if (stool && cavity && z > -30) {
            const m = clamp((stool.noise(x, y, z) - stool.limit) * 6)
            hu += m * (stool.hu - hu)
          }
        } else if (bench) {
          const top = bench.y + (x / bench.curve) ** 2 * 30
          if (Math.abs(y - top) < 4) hu = bench.hu
          else if (Math.abs(y - top - 25) < 3) hu = bench.inner
        }
        out[(k * ny + j) * nx + i] = hu
      }
    }
  }
  return out
}

const clamp = (x: number): number => Math.min(1, Math.max(0, x))

function bounds(p: PelvisShape): { low: Vec3; high: Vec3 } {
  const low = [Infinity, Infinity, Infinity]
  const high = [-Infinity, -Infinity, -Infinity]
  for (const bone of [p.leftHip, p.rightHip, p.sacrum])
    for (let i = 0; i < bone.spheres.length; i += 4)
      for (let k = 0; k < 3; k++) {
        low[k] = Math.min(low[k], bone.spheres[i + k])
        high[k] = Math.max(high[k], bone.spheres[i + k])
      }
  return { low: low as unknown as Vec3, high: high as unknown as Vec3 }
}
