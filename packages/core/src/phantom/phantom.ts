import { IDENTITY3, type Vec3 } from '../geometry/linear.js'
import { createRandom } from '../random/random.js'
import type { Volume } from '../volume/volume.js'
import { type AxisGrid, addBone } from './bone-field.js'
import { drawBones, type Sex } from './bones.js'
import { drawHardware } from './hardware.js'
import { createNoise } from './noise.js'
import type { PelvisShape } from './shape-model.js'
import { softTissue } from './soft-tissue.js'

export interface PhantomOptions {
  /** The same seed gives the same patient at any resolution. */
  readonly seed: number
  /** Voxel size, mm (default 0.82, the paper's). */
  readonly spacing?: number
  /** Voxels along x, y, z (default: 328 × 246 × 287 mm, 400 × 300 × 350 voxels of 0.82 mm). */
  readonly size?: Vec3
  readonly sex?: Sex
  /** Bones of this shape; all else is drawn. */
  readonly shape?: PelvisShape
  /** Largest weight of a shape mode in standard deviations (default 2). */
  readonly modeLimit?: number
  /** Chance that femurs, lumbar spine and coccyx are each there (default 1). */
  readonly completeness?: number
  /** Smooth random displacement of the drawn shape, standard deviation in mm (default 0). */
  readonly bendMm?: number
  /** Chance of metal in the pelvis: prostheses, screws (default 0). */
  readonly hardwareChance?: number
  /** Chance of a table under the patient (default 0.5). */
  readonly tableChance?: number
}

/** What only the layered phantom can do: it need not fit one grid. */
export interface LayerOptions extends PhantomOptions {
  /** Voxel size of the soft tissue, mm (default 3). */
  readonly softSpacing?: number
  /** Soft tissue over the whole width of the body, not only the box of the bones. */
  readonly wide?: boolean
  /** Chance that the scan ends within the pelvis's height, above or below (default 0). */
  readonly cutChance?: number
}

/** The two layers of a phantom, on grids of their own: their line integrals add up to the CT's. */
export interface PhantomLayers {
  /** Density of bone above its surroundings, HU ≥ 0. */
  readonly bone: Volume<Float32Array>
  /** Everything else, HU. */
  readonly soft: Volume<Float32Array>
  /** The 23 landmarks, LPS mm. */
  readonly landmarks: Vec3[]
  /** Mean of the landmarks: the C-arm's isocentre, LPS mm. */
  readonly isocenter: Vec3
}

/** A procedural patient: CT, landmarks, isocentre. */
export interface Phantom {
  readonly ct: Volume<Int16Array>
  readonly landmarks: Vec3[]
  readonly isocenter: Vec3
}

const WIDE_EXTENT: Vec3 = [460, 350, 420]
const EXTENT: Vec3 = [400 * 0.82, 300 * 0.82, 350 * 0.82]

/** Bone and soft tissue apart, so that training can vary their contrast after rendering. */
export function phantomLayers(options: LayerOptions): PhantomLayers {
  const spacing = options.spacing ?? 0.82
  const random = createRandom(options.seed)
  const sex = options.sex ?? (random.chance(0.5) ? 'female' : 'male')
  const { bones, landmarks, pelvis } = drawBones(random, sex, {
    modeLimit: options.modeLimit ?? 2,
    completeness: options.completeness ?? 1,
    shape: options.shape,
    bendMm: options.bendMm
  })
  if (options.hardwareChance && random.chance(options.hardwareChance))
    bones.push(...drawHardware(random, pelvis))
  const isocenter = mean(landmarks)
  const extent = options.size ? (options.size.map(n => n * spacing) as unknown as Vec3) : EXTENT
  const boneGrid = gridAround(isocenter, extent, spacing, options.size)
  const softGrid = gridAround(isocenter, options.wide ? WIDE_EXTENT : extent, options.softSpacing ?? 3)
  const low: Vec3 = [isocenter[0] - 250, isocenter[1] - 200, isocenter[2] - 220]
  const high: Vec3 = [isocenter[0] + 250, isocenter[1] + 200, isocenter[2] + 220]

  const fine = createNoise(random, random.uniform(3, 5), low, high)
  const coarse = createNoise(random, random.uniform(8, 16), low, high)
  const texture = (x: number, y: number, z: number) => 0.8 * fine(x, y, z) + 0.8 * coarse(x, y, z)
  const bone = new Float32Array(boneGrid.size[0] * boneGrid.size[1] * boneGrid.size[2])
  for (const b of bones) addBone(bone, boneGrid, b, texture)
  // The layer is what bone adds to the soft tissue it displaces, taken as 30 HU.
  for (let i = 0; i < bone.length; i++) bone[i] = Math.max(0, bone[i] - 30)
  const soft = softTissue(random, softGrid, pelvis, sex, low, high, random.chance(options.tableChance ?? 0.5))
  if (random.chance(options.cutChance ?? 0)) {
    const height = extent[2] / 2
    const ends = random.next()
    const below = isocenter[2] - (ends < 0.7 ? random.uniform(70, height) : height * 2)
    const above = isocenter[2] + (ends > 0.3 ? random.uniform(90, height) : height * 2)
    cut(bone, boneGrid, below, above, 0)
    cut(soft, softGrid, below, above, -1000)
  }
  return { bone: asVolume(boneGrid, bone), soft: asVolume(softGrid, soft), landmarks, isocenter }
}

/** Empties the slices outside [below, above], LPS z in mm. */
function cut(data: Float32Array, grid: AxisGrid, below: number, above: number, value: number): void {
  const slice = grid.size[0] * grid.size[1]
  for (let k = 0; k < grid.size[2]; k++) {
    const z = grid.origin[2] + k * grid.spacing
    if (z < below || z > above) data.fill(value, k * slice, (k + 1) * slice)
  }
}

/** A whole CT of a procedural patient. About 3 s for 400 × 300 × 350 voxels. */
export function createPhantom(options: PhantomOptions): Phantom {
  const { bone, soft, landmarks, isocenter } = phantomLayers(options)
  const [nx, ny, nz] = bone.size
  const out = new Int16Array(nx * ny * nz)
  const [sx, sy, sz] = soft.size
  const at = (axis: 0 | 1 | 2, i: number): [number, number] => {
    const p = (bone.origin[axis] + i * bone.spacing[axis] - soft.origin[axis]) / soft.spacing[axis]
    const c = Math.min(Math.max(p, 0), soft.size[axis] - 1)
    const low = Math.min(Math.floor(c), Math.max(0, soft.size[axis] - 2))
    return [low, c - low]
  }
  const columns = Array.from({ length: nx }, (_, i) => at(0, i))
  const row = new Float32Array(sx)
  for (let k = 0; k < nz; k++) {
    const [k0, fk] = at(2, k)
    for (let j = 0; j < ny; j++) {
      const [j0, fj] = at(1, j)
      const a = (k0 * sy + j0) * sx
      const dj = sy > 1 ? sx : 0
      const dk = sz > 1 ? sx * sy : 0
      for (let i = 0; i < sx; i++) {
        const p = soft.data[a + i] + fj * (soft.data[a + dj + i] - soft.data[a + i])
        const q = soft.data[a + dk + i] + fj * (soft.data[a + dk + dj + i] - soft.data[a + dk + i])
        row[i] = p + fk * (q - p)
      }
      const o = (k * ny + j) * nx
      for (let i = 0; i < nx; i++) {
        const [i0, fi] = columns[i]
        const s = row[i0] + fi * (row[Math.min(i0 + 1, sx - 1)] - row[i0])
        out[o + i] = Math.round(Math.max(-1000, s) + bone.data[o + i])
      }
    }
  }
  return { ct: { ...bone, data: out }, landmarks, isocenter }
}

function gridAround(centre: Vec3, extent: Vec3, spacing: number, size?: Vec3): AxisGrid {
  const n = size ?? (extent.map(e => Math.round(e / spacing)) as unknown as Vec3)
  return {
    size: n,
    spacing,
    origin: [0, 1, 2].map(k => centre[k] - ((n[k] - 1) / 2) * spacing) as unknown as Vec3
  }
}

const asVolume = (g: AxisGrid, data: Float32Array): Volume<Float32Array> => ({
  size: g.size,
  spacing: [g.spacing, g.spacing, g.spacing],
  origin: g.origin,
  direction: IDENTITY3,
  data
})

function mean(points: readonly Vec3[]): Vec3 {
  const s = [0, 0, 0]
  for (const p of points) for (let k = 0; k < 3; k++) s[k] += p[k] / points.length
  return s as unknown as Vec3
}
