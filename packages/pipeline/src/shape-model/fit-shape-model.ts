import { symmetricEigen } from '@raypose/core'
import { fitAcetabulum } from './acetabulum.js'
import { alignShapes, type Points, rigidOnto, transformPoints } from './align.js'
import { atlasLandmarks, type SurfaceAtlas } from './atlas.js'
import {
  clusterBalls,
  medialBalls,
  refineSpheres,
  spheresFromClusters,
  vertexNormals,
  wedgesFromClusters
} from './sphere-mesh-fit.js'

/**
 * A linear shape model: every shape is `mean + Σ bₖ·modes[k]`, bₖ standard normal. The vector holds, in this order, the spheres of
 * each bone (x, y, z, r), the landmarks (x, y, z) and the two acetabula (x, y, z, r): mm, LPS axes, origin at the pelvis's mean vertex.
 */
export interface FittedShapeModel {
  bones: { name: string; spheres: number; wedges: Uint16Array; rmsMm: number }[]
  landmarks: number
  mean: Float64Array
  modes: Float64Array[]
  /** Share of the variance that the kept modes explain. */
  explained: number
}

/** How the bones of an atlas are laid out in spheres: the same for every patient, so that sphere k is the same place in all. */
export interface SphereLayout {
  readonly bones: readonly {
    readonly name: string
    readonly spheres: number
    readonly label: Int32Array
    readonly wedges: Uint16Array
  }[]
  /** All vertices of the mean shape, the bones in the atlas's order, centred at the origin. */
  readonly mean: Points
}

/** Lays out the bones of `patients` in `spheres[bone]` spheres, by the mean of their aligned shapes. */
export function layOutSpheres(
  atlas: SurfaceAtlas,
  patients: readonly number[],
  spheres: Record<string, number>
): SphereLayout {
  const names = [...atlas.bones.keys()]
  const whole = patients.map(p => wholePelvis(atlas, p))
  const fits = alignShapes(whole)
  const mean = new Float64Array(whole[0].length)
  whole.forEach((w, i) => {
    transformPoints(w, fits[i]).forEach((x, k) => {
      mean[k] += x / whole.length
    })
  })
  let at = 0
  const bones = names.map(name => {
    const { faces, vertices } = atlas.bones.get(name)!
    const part = mean.slice(at, (at += vertices[0].length))
    const label = clusterBalls(medialBalls(part, vertexNormals(part, faces)), spheres[name])
    return { name, spheres: spheres[name], label, wedges: wedgesFromClusters(label, faces) }
  })
  return { bones, mean }
}

/** One patient of the atlas in the layout's spheres: the model's vector, and each bone's surface residual, mm. */
export function fitPatientShape(
  atlas: SurfaceAtlas,
  patient: number,
  layout: SphereLayout,
  rounds = 25
): { row: number[]; rmsMm: number[] } {
  const place = rigidOnto(wholePelvis(atlas, patient), layout.mean)
  const vertices = new Map(
    [...atlas.bones].map(([name, b]) => [name, transformPoints(b.vertices[patient], place)] as const)
  )
  const normals = new Map(
    [...vertices].map(([name, v]) => [name, vertexNormals(v, atlas.bones.get(name)!.faces)] as const)
  )
  const row: number[] = []
  const rmsMm = layout.bones.map(({ name, spheres: count, label, wedges }) => {
    const v = vertices.get(name)!
    const n = normals.get(name)!
    const spheres = spheresFromClusters(medialBalls(v, n), label, count)
    const rms = refineSpheres({ spheres, wedges }, v, n, rounds)
    row.push(...spheres)
    return rms
  })
  const l = atlasLandmarks(atlas, vertices)
  row.push(...l)
  for (const [bone, inferior, superior, side] of HIP_JOINTS) {
    const guess = [0, 1, 2].map(k => (l[inferior * 3 + k] + l[superior * 3 + k]) / 2)
    row.push(
      ...fitAcetabulum(vertices.get(bone)!, normals.get(bone)!, [guess[0] + side * 6, guess[1], guess[2]])
    )
  }
  return { row, rmsMm }
}

/** Bone, the landmarks of the acetabulum's lower and upper rim, and the side on which the joint's centre lies. */
export const HIP_JOINTS = [
  ['left-hip', 11, 13, 1],
  ['right-hip', 10, 12, -1]
] as const

/** Fits sphere meshes of `spheres[bone]` spheres to every patient of the atlas and takes the principal components. */
export function fitShapeModel(
  atlas: SurfaceAtlas,
  options: {
    spheres: Record<string, number>
    modes: number
    rounds?: number
    leaveOut?: readonly string[]
    log?: (line: string) => void
  }
): FittedShapeModel {
  const keep = atlas.patients.map((_, i) => i).filter(i => !options.leaveOut?.includes(atlas.patients[i]))
  const layout = layOutSpheres(atlas, keep, options.spheres)
  const fits = keep.map(p => fitPatientShape(atlas, p, layout, options.rounds))
  const bones = layout.bones.map(({ name, spheres, wedges }, b) => {
    const rmsMm = fits.reduce((s, f) => s + f.rmsMm[b] / fits.length, 0)
    options.log?.(
      `${name}: ${spheres} spheres, ${wedges.length / 3} wedges, surface residual ${rmsMm.toFixed(2)} mm`
    )
    return { name, spheres, wedges, rmsMm }
  })
  return {
    bones,
    landmarks: atlas.landmarks.length,
    ...principalComponents(
      fits.map(f => f.row),
      options.modes
    )
  }
}

const wholePelvis = (atlas: SurfaceAtlas, patient: number): Points =>
  concat([...atlas.bones.values()].map(b => b.vertices[patient]))

/** Mean and the first `count` principal components, each scaled to one standard deviation. */
export function principalComponents(
  rows: readonly number[][],
  count: number
): { mean: Float64Array; modes: Float64Array[]; explained: number } {
  const n = rows.length
  const d = rows[0].length
  const mean = new Float64Array(d)
  for (const r of rows) for (let i = 0; i < d; i++) mean[i] += r[i] / n
  const x = rows.map(r => Float64Array.from(r, (v, i) => v - mean[i]))
  const gram = new Float64Array(n * n)
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      let s = 0
      for (let k = 0; k < d; k++) s += x[i][k] * x[j][k]
      gram[i * n + j] = gram[j * n + i] = s / (n - 1)
    }
  const eigen = symmetricEigen(gram, n)
  // Largest first.
  const values = Array.from(eigen.values).reverse()
  const vectors = values.map((_, m) => eigen.vectors.subarray((n - 1 - m) * n, (n - m) * n))
  const modes = Array.from({ length: Math.min(count, n - 1) }, (_, m) => {
    const mode = new Float64Array(d)
    // With X = U·S·Vᵀ, Xᵀ·uₘ = sₘ·vₘ, and one standard deviation is sₘ/√(n−1).
    for (let i = 0; i < n; i++)
      for (let k = 0; k < d; k++) mode[k] += (vectors[m][i] * x[i][k]) / Math.sqrt(n - 1)
    return mode
  })
  const total = values.reduce((a, b) => a + b, 0)
  return { mean, modes, explained: values.slice(0, count).reduce((a, b) => a + b, 0) / total }
}

function concat(parts: Points[]): Points {
  const out = new Float64Array(parts.reduce((n, p) => n + p.length, 0))
  let at = 0
  for (const p of parts) {
    out.set(p, at)
    at += p.length
  }
  return out
}
