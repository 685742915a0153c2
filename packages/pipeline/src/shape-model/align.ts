import { absoluteOrientation, applyRigid, type Mat4, type Vec3 } from '@raypose/core'

/** Points as x, y, z triples, mm. */
export type Points = Float64Array

const asVectors = (p: Points): Vec3[] =>
  Array.from({ length: p.length / 3 }, (_, i) => [p[i * 3], p[i * 3 + 1], p[i * 3 + 2]])

export function transformPoints(p: Points, m: Mat4): Points {
  const out = new Float64Array(p.length)
  for (let i = 0; i < p.length; i += 3) out.set(applyRigid(m, [p[i], p[i + 1], p[i + 2]]), i)
  return out
}

/** The motion that takes a shape onto another in correspondence, in the least-squares sense. */
export const rigidOnto = (moving: Points, fixed: Points): Mat4 =>
  absoluteOrientation(asVectors(moving), asVectors(fixed))

/** Rigid generalised Procrustes alignment: for each shape the motion that takes it onto the mean, which is centred at the origin. */
export function alignShapes(shapes: readonly Points[], rounds = 5): Mat4[] {
  const centre = [0, 0, 0]
  for (let i = 0; i < shapes[0].length; i++) centre[i % 3] += (shapes[0][i] * 3) / shapes[0].length
  let mean = shapes[0].map((x, i) => x - centre[i % 3])
  let fits: Mat4[] = []
  for (let k = 0; k < rounds; k++) {
    const target = asVectors(mean)
    fits = shapes.map(s => absoluteOrientation(asVectors(s), target))
    const next = new Float64Array(mean.length)
    shapes.forEach((s, i) => {
      const moved = transformPoints(s, fits[i])
      for (let j = 0; j < next.length; j++) next[j] += moved[j] / shapes.length
    })
    mean = next
  }
  return fits
}
