import { symmetricEigen, type Vec3 } from '@raypose/core'
import { fitAcetabulum } from './acetabulum.js'
import { alignShapes, type Points, transformPoints } from './align.js'
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
  const log = options.log ?? (() => {})
  const keep = atlas.patients.map((_, i) => i).filter(i => !options.leaveOut?.includes(atlas.patients[i]))
  const names = [...atlas.bones.keys()]
  const whole = keep.map(p => concat(names.map(b => atlas.bones.get(b)!.vertices[p])))
  const fits = alignShapes(whole)
  const aligned = keep.map(
    (p, i) => new Map(names.map(b => [b, transformPoints(atlas.bones.get(b)!.vertices[p], fits[i])] as const))
  )
  const rows: number[][] = keep.map(() => [])
  const bones: FittedShapeModel['bones'] = []
  for (const name of names) {
    const { faces } = atlas.bones.get(name)!
    const mean = new Float64Array(aligned[0].get(name)!.length)
    for (const a of aligned) a.get(name)!.forEach((x, i) => (mean[i] += x / aligned.length))
    const count = options.spheres[name]
    const label = clusterBalls(medialBalls(mean, vertexNormals(mean, faces)), count)
    const wedges = wedgesFromClusters(label, faces)
    let rms = 0
    aligned.forEach((a, i) => {
      const v = a.get(name)!
      const normals = vertexNormals(v, faces)
      const spheres = spheresFromClusters(medialBalls(v, normals), label, count)
      rms += refineSpheres({ spheres, wedges }, v, normals, options.rounds ?? 25) / aligned.length
      rows[i].push(...spheres)
    })
    log(`${name}: ${count} spheres, ${wedges.length / 3} wedges, surface residual ${rms.toFixed(2)} mm`)
    bones.push({ name, spheres: count, wedges, rmsMm: rms })
  }
  aligned.forEach((a, i) => {
    const l = atlasLandmarks(atlas, a)
    rows[i].push(...l)
    for (const [bone, inferior, superior] of [
      ['left-hip', 11, 13],
      ['right-hip', 10, 12]
    ] as const) {
      const side = bone === 'left-hip' ? 1 : -1
      const guess: Vec3 = [0, 1, 2].map(
        k => (l[inferior * 3 + k] + l[superior * 3 + k]) / 2
      ) as unknown as Vec3
      const v = a.get(bone)!
      rows[i].push(
        ...fitAcetabulum(v, vertexNormals(v, atlas.bones.get(bone)!.faces), [
          guess[0] + side * 6,
          guess[1],
          guess[2]
        ])
      )
    }
  })
  return { bones, landmarks: atlas.landmarks.length, ...principalComponents(rows, options.modes) }
}

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
