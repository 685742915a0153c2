import { distance, type Vec3 } from '../geometry/linear.js'
import { leastSquares } from './least-squares.js'

/** Null-space vectors of EPnP's system, and the control points whose distances fix their combination. */
export interface NullSpace {
  readonly count: 3 | 4
  /** Each 3·count numbers, smallest eigenvalue first. */
  readonly vectors: readonly Float64Array[]
  /** LPS, mm. */
  readonly positions: readonly Vec3[]
}

/**
 * Linearised estimates of the betas: products βkβl are taken for independent unknowns of the distance equations.
 * Each list says which products take part; the others are taken for zero (Lepetit et al., section 3.3, N = 1 … 4).
 */
const PRODUCTS: Record<3 | 4, readonly (readonly (readonly [number, number])[])[]> = {
  4: [
    [[0, 0]],
    [
      [0, 0],
      [0, 1],
      [0, 2],
      [0, 3]
    ],
    [
      [0, 0],
      [0, 1],
      [1, 1]
    ],
    [
      [0, 0],
      [0, 1],
      [1, 1],
      [0, 2],
      [1, 2]
    ]
  ],
  3: [
    [[0, 0]],
    [
      [0, 0],
      [0, 1],
      [0, 2]
    ],
    [
      [0, 0],
      [0, 1],
      [1, 1]
    ]
  ]
}

/** Starting betas under each assumption. */
export function betaCandidates(space: NullSpace): Float64Array[] {
  const { products, squared } = distanceEquations(space)
  const equations = squared.length
  const used = space.vectors.length
  const out: Float64Array[] = []
  for (const terms of PRODUCTS[space.count]) {
    const a = new Float64Array(equations * terms.length)
    for (let e = 0; e < equations; e++)
      terms.forEach(([k, l], j) => {
        a[e * terms.length + j] = (k === l ? 1 : 2) * products[e][k * used + l]
      })
    const x = leastSquares(a, Float64Array.from(squared), equations, terms.length)
    if (x) out.push(betasFromProducts(terms, x, used))
  }
  return out
}

/** β0 from β0², the others from their product with β0; where β1² is known too, it gives β1's size. */
function betasFromProducts(
  terms: readonly (readonly [number, number])[],
  x: Float64Array,
  used: number
): Float64Array {
  const betas = new Float64Array(used)
  // The overall sign is free: −B is as good as B.
  const sign = x[0] < 0 ? -1 : 1
  betas[0] = Math.sqrt(Math.abs(x[0]))
  terms.forEach(([k, l], j) => {
    const value = sign * x[j]
    if (k === 0 && l > 0 && betas[0] > 0) betas[l] = value / betas[0]
    if (k === 1 && l === 1) betas[1] = (betas[1] < 0 ? -1 : 1) * Math.sqrt(Math.max(value, 0))
  })
  return betas
}

/** Gauss–Newton on the distances between control points (section 3.4); keeps the start where it does not help. */
export function refineBetas(space: NullSpace, start: Float64Array): Float64Array {
  const { products, squared } = distanceEquations(space)
  const used = space.vectors.length
  const equations = squared.length
  const residual = (b: Float64Array) =>
    Float64Array.from(squared, (d, e) => {
      let s = d
      for (let k = 0; k < used; k++)
        for (let l = 0; l < used; l++) s -= b[k] * b[l] * products[e][k * used + l]
      return s
    })
  const size = (r: Float64Array) => r.reduce((s, x) => s + x * x, 0)
  let best = start
  let r = residual(best)
  for (let iteration = 0; iteration < 10; iteration++) {
    const a = new Float64Array(equations * used)
    for (let e = 0; e < equations; e++)
      for (let k = 0; k < used; k++) {
        let s = 0
        for (let l = 0; l < used; l++) s += best[l] * products[e][k * used + l]
        a[e * used + k] = 2 * s
      }
    const step = leastSquares(a, Float64Array.from(r), equations, used)
    if (!step) break
    const next = best.map((b, k) => b + step[k])
    const rNext = residual(next)
    if (!(size(rNext) < size(r))) break
    best = next
    r = rNext
  }
  return best
}

/** For each pair of control points: the squared distance, and the inner products of the vectors' differences. */
function distanceEquations({ count, vectors, positions }: NullSpace): {
  products: Float64Array[]
  squared: number[]
} {
  const used = vectors.length
  const products: Float64Array[] = []
  const squared: number[] = []
  for (let a = 0; a < count; a++)
    for (let b = a + 1; b < count; b++) {
      const differences = vectors.map(v => [0, 1, 2].map(k => v[3 * a + k] - v[3 * b + k]))
      const p = new Float64Array(used * used)
      for (let k = 0; k < used; k++)
        for (let l = 0; l < used; l++)
          p[k * used + l] =
            differences[k][0] * differences[l][0] +
            differences[k][1] * differences[l][1] +
            differences[k][2] * differences[l][2]
      products.push(p)
      squared.push(distance(positions[a], positions[b]) ** 2)
    }
  return { products, squared }
}
