import {
  type AxisGrid,
  addBone,
  createNoise,
  IDENTITY3,
  type Random,
  type Vec3,
  type Volume
} from '@raypose/core'
import type { Shape, SurfaceModel } from './surface-model.js'

/** HU of what surrounds bone in {@link fillSurfaces}. */
const FAT_HU = -100

/**
 * A CT from surfaces of any anatomy: each bone a cortical shell around cancellous bone with texture, of one density for the patient and a
 * little variation for each bone, inside a body of muscle under a layer of fat; air around.
 * @param shape LPS mm
 */
export function fillSurfaces(
  model: Pick<SurfaceModel, 'bones'>,
  shape: Shape,
  random: Random,
  spacing = 1.5
): Volume<Int16Array> {
  const low = [Infinity, Infinity, Infinity]
  const high = [-Infinity, -Infinity, -Infinity]
  for (let i = 0; i < shape.length; i++) {
    low[i % 3] = Math.min(low[i % 3], shape[i])
    high[i % 3] = Math.max(high[i % 3], shape[i])
  }
  const margin = random.uniform(15, 55)
  const air = 20
  const origin = low.map(x => x - margin - air) as unknown as Vec3
  const size = high.map((x, k) => Math.ceil((x + margin + air - origin[k]) / spacing)) as unknown as Vec3
  const grid: AxisGrid = { size, spacing, origin }
  const noise = (from: number, to: number) =>
    createNoise(random, random.uniform(from, to), low as unknown as Vec3, high as unknown as Vec3)
  const [fine, coarse, texture] = [noise(8, 14), noise(20, 45), noise(3, 6)]
  const muscleHu = random.uniform(25, 60)
  const fatMm = random.uniform(4, Math.min(35, margin))
  const cortexMm = random.uniform(0.9, 2.4)
  const cortexHu = random.uniform(450, 1150)
  const insideHu = random.uniform(40, 330)
  const textureHu = random.uniform(20, 110)

  const bone = new Float32Array(size[0] * size[1] * size[2])
  for (const b of model.bones)
    addBone(
      bone,
      grid,
      {
        name: b.name,
        mesh: { spheres: new Float64Array(), wedges: new Uint16Array() },
        cylinders: [],
        surface: { vertices: shape.slice(b.start * 3, (b.start + b.count) * 3), faces: b.faces },
        cortexMm: cortexMm * random.uniform(0.85, 1.15),
        cortexHu: cortexHu * random.uniform(0.9, 1.1),
        insideHu: insideHu * random.uniform(0.85, 1.15),
        textureHu
      },
      texture
    )
  const middle = low.map((x, k) => (x + high[k]) / 2)
  const half = low.map((x, k) => (high[k] - x) / 2 + margin)
  const data = new Int16Array(bone.length)
  for (let k = 0, o = 0; k < size[2]; k++)
    for (let j = 0; j < size[1]; j++)
      for (let i = 0; i < size[0]; i++, o++) {
        const [x, y, z] = [i, j, k].map((n, a) => origin[a] + n * spacing)
        // Round across, straight along: a limb or a trunk that goes on beyond the scan.
        const r = Math.hypot((x - middle[0]) / half[0], (y - middle[1]) / half[1])
        const depth = (1 - r) * Math.min(half[0], half[1])
        if (depth < 0) {
          data[o] = -1000
          continue
        }
        const tissue =
          depth < fatMm ? FAT_HU + 8 * fine(x, y, z) : muscleHu + 10 * fine(x, y, z) + 12 * coarse(x, y, z)
        data[o] = Math.round(
          Math.max(tissue, bone[o] > 0 ? Math.max(tissue, 0) + Math.max(0, bone[o] - 30) : tissue)
        )
      }
  return { size, spacing: [spacing, spacing, spacing], origin, direction: IDENTITY3, data }
}
