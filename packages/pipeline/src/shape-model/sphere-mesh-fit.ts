import { type SphereMesh, type WedgeDistance, wedgeDistance } from '@raypose/core'
import type { Points } from './align.js'

export { vertexNormals } from '@raypose/core'

/**
 * The largest ball inside the surface that touches it at each vertex: "shrinking ball" (Ma, Bae & Choi, The Visual
 * Computer 2012), with their stop at a small separation angle, which keeps noise of the surface from shrinking it to nothing.
 * @returns x, y, z, radius a vertex, mm
 */
export function medialBalls(v: Points, normals: Points, maxRadius = 22): Float64Array {
  const count = v.length / 3
  const out = new Float64Array(count * 4)
  for (let i = 0; i < count; i++) {
    const p = [v[i * 3], v[i * 3 + 1], v[i * 3 + 2]]
    const n = [normals[i * 3], normals[i * 3 + 1], normals[i * 3 + 2]]
    let r = maxRadius
    let c = [p[0] - r * n[0], p[1] - r * n[1], p[2] - r * n[2]]
    for (let step = 0; step < 30; step++) {
      let best = r * r * (1 - 1e-6)
      let q = -1
      for (let j = 0; j < count; j++) {
        const dx = v[j * 3] - c[0]
        const dy = v[j * 3 + 1] - c[1]
        const dz = v[j * 3 + 2] - c[2]
        const d = dx * dx + dy * dy + dz * dz
        if (d < best && j !== i) {
          best = d
          q = j
        }
      }
      if (q < 0) break
      const e = [p[0] - v[q * 3], p[1] - v[q * 3 + 1], p[2] - v[q * 3 + 2]]
      const along = e[0] * n[0] + e[1] * n[1] + e[2] * n[2]
      const length2 = e[0] ** 2 + e[1] ** 2 + e[2] ** 2
      const next = along > 1e-9 ? length2 / (2 * along) : r
      // Separation angle at the centre between p and q; below 40° the pair is noise of one side, not two sides.
      const half = Math.asin(Math.min(1, Math.sqrt(length2) / (2 * next)))
      if (half < (20 * Math.PI) / 180 || next >= r) break
      r = next
      c = [p[0] - r * n[0], p[1] - r * n[1], p[2] - r * n[2]]
    }
    out.set([...c, r], i * 4)
  }
  return out
}

/** Groups medial balls into `count` clusters (farthest points, then Lloyd rounds); the cluster of each vertex. */
export function clusterBalls(balls: Float64Array, count: number): Int32Array {
  const n = balls.length / 4
  // A difference in radius counts too, so that a thin sheet is not averaged with the thick rim beside it.
  const f = (i: number, k: number) => balls[i * 4 + k] * (k === 3 ? 0.7 : 1)
  const centres = new Float64Array(count * 4)
  const nearest = new Float64Array(n).fill(Number.POSITIVE_INFINITY)
  let pick = 0
  for (let c = 0; c < count; c++) {
    for (let k = 0; k < 4; k++) centres[c * 4 + k] = f(pick, k)
    let far = -1
    for (let i = 0; i < n; i++) {
      let d = 0
      for (let k = 0; k < 4; k++) d += (f(i, k) - centres[c * 4 + k]) ** 2
      if (d < nearest[i]) nearest[i] = d
      if (nearest[i] > far) {
        far = nearest[i]
        pick = i
      }
    }
  }
  const label = new Int32Array(n)
  for (let round = 0; round < 15; round++) {
    const sum = new Float64Array(count * 5)
    for (let i = 0; i < n; i++) {
      let best = Number.POSITIVE_INFINITY
      for (let c = 0; c < count; c++) {
        let d = 0
        for (let k = 0; k < 4; k++) d += (f(i, k) - centres[c * 4 + k]) ** 2
        if (d < best) {
          best = d
          label[i] = c
        }
      }
      for (let k = 0; k < 4; k++) sum[label[i] * 5 + k] += f(i, k)
      sum[label[i] * 5 + 4]++
    }
    for (let c = 0; c < count; c++)
      if (sum[c * 5 + 4] > 0) for (let k = 0; k < 4; k++) centres[c * 4 + k] = sum[c * 5 + k] / sum[c * 5 + 4]
  }
  return label
}

/** Wedges between the clusters that meet in a face of the surface, and cones between those that only share an edge. */
export function wedgesFromClusters(label: Int32Array, faces: Uint32Array): Uint16Array {
  const triangles = new Map<string, number[]>()
  const edges = new Map<string, number[]>()
  const inTriangle = new Set<string>()
  for (let f = 0; f < faces.length; f += 3) {
    const set = [...new Set([label[faces[f]], label[faces[f + 1]], label[faces[f + 2]]])].sort(
      (a, b) => a - b
    )
    if (set.length === 3) {
      triangles.set(set.join(), set)
      for (const [a, b] of [
        [0, 1],
        [0, 2],
        [1, 2]
      ])
        inTriangle.add(`${set[a]},${set[b]}`)
    } else if (set.length === 2) edges.set(set.join(), set)
  }
  const out: number[] = []
  for (const t of triangles.values()) out.push(...t)
  for (const [key, e] of edges) if (!inTriangle.has(key)) out.push(e[0], e[1], e[1])
  return Uint16Array.from(out)
}

/** Spheres of one surface: the mean ball of each cluster's vertices. */
export function spheresFromClusters(balls: Float64Array, label: Int32Array, count: number): Float64Array {
  const s = new Float64Array(count * 4)
  const n = new Float64Array(count)
  for (let i = 0; i < label.length; i++) {
    for (let k = 0; k < 4; k++) s[label[i] * 4 + k] += balls[i * 4 + k]
    n[label[i]]++
  }
  for (let c = 0; c < count; c++) for (let k = 0; k < 4; k++) s[c * 4 + k] /= Math.max(1, n[c])
  return s
}

/**
 * Moves spheres and radii so that the surface's vertices lie on the solid: gradient steps on the squared signed
 * distance, shared out by the barycentric weights of the closest wedge, with a pull towards where the spheres started (which
 * keeps them in correspondence over patients).
 * @returns root mean square distance of the vertices to the solid, mm
 */
export function refineSpheres(mesh: SphereMesh, vertices: Points, normals: Points, rounds: number): number {
  const { spheres: s, wedges } = mesh
  const start = s.slice()
  const count = s.length / 4
  const out: WedgeDistance = { w0: 0, w1: 0, w2: 0, distance: 0 }
  let rms = 0
  for (let round = 0; round <= rounds; round++) {
    const sum = new Float64Array(count * 5)
    rms = 0
    for (let i = 0; i < vertices.length; i += 3) {
      let best = Number.POSITIVE_INFINITY
      let at = 0
      let w0 = 0
      let w1 = 0
      let w2 = 0
      for (let t = 0; t < wedges.length; t += 3) {
        // A lower bound first: most wedges are far away.
        const a = wedges[t] * 4
        const dx = vertices[i] - s[a]
        const dy = vertices[i + 1] - s[a + 1]
        const dz = vertices[i + 2] - s[a + 2]
        if (dx * dx + dy * dy + dz * dz > 3600) continue
        if (
          wedgeDistance(
            s,
            wedges[t],
            wedges[t + 1],
            wedges[t + 2],
            vertices[i],
            vertices[i + 1],
            vertices[i + 2],
            out
          ) < best
        ) {
          best = out.distance
          at = t
          w0 = out.w0
          w1 = out.w1
          w2 = out.w2
        }
      }
      if (!Number.isFinite(best)) continue
      rms += best * best
      const d = Math.max(-4, Math.min(4, best))
      for (const [k, w] of [
        [0, w0],
        [1, w1],
        [2, w2]
      ] as const) {
        const c = wedges[at + k] * 5
        sum[c] += w * d * normals[i]
        sum[c + 1] += w * d * normals[i + 1]
        sum[c + 2] += w * d * normals[i + 2]
        sum[c + 3] += w * d
        sum[c + 4] += w
      }
    }
    rms = Math.sqrt(rms / (vertices.length / 3))
    if (round === rounds) break
    for (let c = 0; c < count; c++) {
      const n = sum[c * 5 + 4]
      if (n < 1e-6) continue
      for (let k = 0; k < 3; k++)
        s[c * 4 + k] += (1.2 * sum[c * 5 + k]) / n - 0.02 * (s[c * 4 + k] - start[c * 4 + k])
      s[c * 4 + 3] = Math.max(1, s[c * 4 + 3] + (0.8 * sum[c * 5 + 3]) / n)
    }
  }
  return rms
}
