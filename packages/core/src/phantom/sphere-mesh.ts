/**
 * A solid as a sphere mesh: spheres joined by cones (edges) and wedges (triangles), the thick skeleton of a bone
 * (after Thiery, Guy & Boubekeur, "Sphere-Meshes", ACM TOG 2013). A hip bone takes about 150 spheres, and its shape varies
 * by moving them. The distance to a primitive is that to its flat skeleton less the radius interpolated there:
 * not the exact distance to the hull of the spheres, but smooth, cheap, and what the model is fitted with.
 */
export interface SphereMesh {
  /** x, y, z, radius of each sphere, mm. */
  readonly spheres: Float64Array
  /** Sphere indices, three a wedge. An edge repeats its last index, a lone sphere repeats it twice. */
  readonly wedges: Uint16Array
}

/** Closest point on a wedge's skeleton: barycentric weights of its three spheres and the signed distance, mm. */
export interface WedgeDistance {
  w0: number
  w1: number
  w2: number
  distance: number
}

/**
 * Signed distance from (x, y, z) to the wedge of spheres a, b, c; negative inside.
 * Closest point on a triangle after Ericson, Real-Time Collision Detection, 5.1.5.
 * @param s spheres, x y z r each
 * @param out receives weights and distance (no allocation: called tens of millions of times)
 */
export function wedgeDistance(
  s: Float64Array,
  a: number,
  b: number,
  c: number,
  x: number,
  y: number,
  z: number,
  out: WedgeDistance
): number {
  const A = a * 4
  const B = b * 4
  const C = c * 4
  const ax = s[A]
  const ay = s[A + 1]
  const az = s[A + 2]
  const abx = s[B] - ax
  const aby = s[B + 1] - ay
  const abz = s[B + 2] - az
  const acx = s[C] - ax
  const acy = s[C + 1] - ay
  const acz = s[C + 2] - az
  const apx = x - ax
  const apy = y - ay
  const apz = z - az
  const d1 = abx * apx + aby * apy + abz * apz
  const d2 = acx * apx + acy * apy + acz * apz
  let v = 0
  let w = 0
  if (b === c) {
    const l = abx * abx + aby * aby + abz * abz
    v = l > 0 ? Math.min(1, Math.max(0, d1 / l)) : 0
  } else if (!(d1 <= 0 && d2 <= 0)) {
    const bb = abx * abx + aby * aby + abz * abz
    const bc = abx * acx + aby * acy + abz * acz
    const cc = acx * acx + acy * acy + acz * acz
    const d3 = d1 - bb
    const d4 = d2 - bc
    const d5 = d1 - bc
    const d6 = d2 - cc
    if (d3 >= 0 && d4 <= d3) v = 1
    else if (d6 >= 0 && d5 <= d6) w = 1
    else {
      const vc = d1 * d4 - d3 * d2
      const vb = d5 * d2 - d1 * d6
      const va = d3 * d6 - d5 * d4
      if (vc <= 0 && d1 >= 0 && d3 <= 0) v = d1 / (d1 - d3)
      else if (vb <= 0 && d2 >= 0 && d6 <= 0) w = d2 / (d2 - d6)
      else if (va <= 0 && d4 - d3 >= 0 && d5 - d6 >= 0) {
        w = (d4 - d3) / (d4 - d3 + (d5 - d6))
        v = 1 - w
      } else {
        const n = 1 / (va + vb + vc)
        v = vb * n
        w = vc * n
      }
    }
  }
  const qx = apx - v * abx - w * acx
  const qy = apy - v * aby - w * acy
  const qz = apz - v * abz - w * acz
  const u = 1 - v - w
  out.w0 = u
  out.w1 = v
  out.w2 = w
  out.distance = Math.sqrt(qx * qx + qy * qy + qz * qz) - (u * s[A + 3] + v * s[B + 3] + w * s[C + 3])
  return out.distance
}

/** Signed distance to the whole mesh, by all wedges: for tests and few points. */
export function meshDistance(mesh: SphereMesh, x: number, y: number, z: number): number {
  const out: WedgeDistance = { w0: 0, w1: 0, w2: 0, distance: 0 }
  let best = Number.POSITIVE_INFINITY
  for (let t = 0; t < mesh.wedges.length; t += 3)
    best = Math.min(
      best,
      wedgeDistance(mesh.spheres, mesh.wedges[t], mesh.wedges[t + 1], mesh.wedges[t + 2], x, y, z, out)
    )
  return best
}
