import { type Detector, pixelInCamera } from '../geometry/camera.js'
import { add, cross, dot, norm, normalize, scale, sub, type Vec3 } from '../geometry/linear.js'

/** Simple solids, of which instruments are made. Millimetres. */
export type Solid =
  | { readonly shape: 'cylinder'; readonly from: Vec3; readonly to: Vec3; readonly radius: number }
  | {
      readonly shape: 'box'
      readonly centre: Vec3
      /** Three orthonormal axes. */
      readonly axes: readonly [Vec3, Vec3, Vec3]
      /** Half the extent along each. */
      readonly half: Vec3
    }

/**
 * Length of a ray in a solid, in closed form.
 * @param direction unit vector; the ray starts at the origin and ends after `reach`
 */
export function chord(solid: Solid, direction: Vec3, reach = Number.POSITIVE_INFINITY): number {
  let near = 0
  let far = reach
  const slab = (axis: Vec3, centre: Vec3, half: number): void => {
    const d = dot(direction, axis)
    const c = dot(centre, axis)
    if (Math.abs(d) < 1e-12) {
      if (Math.abs(c) > half) far = Number.NEGATIVE_INFINITY
      return
    }
    const a = (c - half) / d
    const b = (c + half) / d
    near = Math.max(near, Math.min(a, b))
    far = Math.min(far, Math.max(a, b))
  }
  if (solid.shape === 'box') {
    for (let k = 0; k < 3; k++) slab(solid.axes[k], solid.centre, solid.half[k])
    return Math.max(0, far - near)
  }
  const span = sub(solid.to, solid.from)
  const length = norm(span)
  const axis = scale(span, 1 / length)
  slab(axis, scale(add(solid.from, solid.to), 0.5), length / 2)
  if (far <= near) return 0
  // Distance from the axis: |p⊥ + t·d⊥| ≤ radius, with p from the ray's start to the cylinder.
  const d = sub(direction, scale(axis, dot(direction, axis)))
  const p = sub(scale(axis, dot(solid.from, axis)), solid.from)
  const a = dot(d, d)
  const b = dot(p, d)
  const c = dot(p, p) - solid.radius ** 2
  if (a < 1e-16) return c <= 0 ? far - near : 0
  const root = b * b - a * c
  if (root <= 0) return 0
  const s = Math.sqrt(root)
  return Math.max(0, Math.min(far, (-b + s) / a) - Math.max(near, (-b - s) / a))
}

/**
 * Adds the lengths of all rays in a solid.
 * @param solid in camera coordinates
 * @param path row-major, mm; added to
 */
export function addChords(path: Float32Array, detector: Detector, solid: Solid): void {
  const [width, height] = detector.size
  const { u0, u1, v0, v1 } = shadowBox(detector, solid)
  for (let v = v0; v <= v1; v++)
    for (let u = u0; u <= u1; u++) {
      const ray = pixelInCamera(detector, u, v)
      const reach = norm(ray)
      path[v * width + u] += chord(solid, scale(ray, 1 / reach), reach)
    }
  function shadowBox(d: Detector, s: Solid) {
    const whole = { u0: 0, u1: width - 1, v0: 0, v1: height - 1 }
    const points = boundingCorners(s)
    if (points.some(p => p[2] <= 1)) return whole
    const us = points.map(p => d.principalPoint[0] + ((d.sdd / d.pixel[0]) * p[0]) / p[2])
    const vs = points.map(p => d.principalPoint[1] + ((d.sdd / d.pixel[1]) * p[1]) / p[2])
    return {
      u0: Math.max(0, Math.floor(Math.min(...us))),
      u1: Math.min(width - 1, Math.ceil(Math.max(...us))),
      v0: Math.max(0, Math.floor(Math.min(...vs))),
      v1: Math.min(height - 1, Math.ceil(Math.max(...vs)))
    }
  }
}

/** Corners of a box around the solid. */
function boundingCorners(s: Solid): Vec3[] {
  const signs = [-1, 1]
  if (s.shape === 'box')
    return signs.flatMap(i =>
      signs.flatMap(j =>
        signs.map(k =>
          [i * s.half[0], j * s.half[1], k * s.half[2]].reduce<Vec3>(
            (p, x, n) => add(p, scale(s.axes[n], x)),
            s.centre
          )
        )
      )
    )
  const [x, y] = perpendicular(normalize(sub(s.to, s.from)))
  return [s.from, s.to].flatMap(end =>
    signs.flatMap(i => signs.map(j => add(end, add(scale(x, i * s.radius), scale(y, j * s.radius)))))
  )
}

/** Two unit vectors that make a right-handed frame with a unit vector as its third. */
export function perpendicular(z: Vec3): [Vec3, Vec3] {
  const least: Vec3 = Math.abs(z[0]) < 0.6 ? [1, 0, 0] : [0, 1, 0]
  const x = normalize(cross(least, z))
  return [x, cross(z, x)]
}
