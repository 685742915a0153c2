import type { Tensor } from './graph.js'
import {
  add,
  addScalar,
  concat,
  div,
  matmul,
  mul,
  reduceSum,
  reshape,
  scale,
  slice,
  sqrt,
  swapLast
} from './ops.js'

/**
 * Muon (Jordan et al. 2024): the step of a weight matrix is its momentum with all singular values made equal, so that
 * directions which seldom show up in a gradient are learnt as fast as those that rule it.
 */

/** Where a matrix stands in the flat vector: `rows` outputs by `columns` inputs (times the kernel's cells). */
export interface MatrixPlace {
  readonly offset: number
  readonly rows: number
  readonly columns: number
}

/**
 * Coefficients of x ← a·x + b·x³ + c·x⁵ on singular values (Jordan et al. 2024), which brings them near 1 (0.7 to 1.2)
 * within few rounds rather than exactly to it in many.
 */
const [A, B, C] = [3.4445, -4.775, 2.0315]
const ROUNDS = 5

/** Size of a step's entries (root mean square) against the learning rate: what AdamW's steps have, so that both share a rate (Liu et al. 2025). */
const STEP_SIZE = 0.2

/**
 * The orthogonal factor of a matrix, nearly: the same singular vectors, singular values of about 1; those below about
 * 1e-3 of the matrix's norm stay smaller. Newton-Schulz rounds on the smaller Gram matrix, which all rounds are
 * polynomials in, so that the large matrix is multiplied twice and not ten times.
 * @param x [rows, columns]
 */
export function orthogonalised(x: Tensor): Tensor {
  const { graph } = x
  const [rows, columns] = x.shape
  const unit = div(x, addScalar(sqrt(reduceSum(mul(x, x))), 1e-20))
  const wide = rows <= columns
  const n = Math.min(rows, columns)
  let gram = wide ? matmul(unit, unit, true) : matmul(swapLast(unit), unit)
  const diagonal = new Float32Array(n * n)
  for (let i = 0; i < n; i++) diagonal[i * n + i] = A
  const linear = graph.constant([n, n], diagonal)
  let factor: Tensor | null = null
  for (let round = 0; round < ROUNDS; round++) {
    const p = add(add(linear, scale(gram, B)), scale(matmul(gram, gram), C))
    factor = factor ? matmul(p, factor) : p
    // Symmetric matrices that commute: p·gram·p is the Gram matrix of what the round makes.
    if (round < ROUNDS - 1) gram = matmul(matmul(p, gram), p)
  }
  return wide ? matmul(factor as Tensor, unit) : matmul(unit, factor as Tensor)
}

/**
 * @param others steps of all parameters [P]
 * @param momentum [P]
 * @param rate the learning rate, a scalar
 * @param places matrices whose steps are replaced, by rising offset
 * @returns steps [P], to be subtracted
 */
export function withMuonSteps(
  others: Tensor,
  momentum: Tensor,
  rate: Tensor,
  places: readonly MatrixPlace[]
): Tensor {
  const parts: Tensor[] = []
  let at = 0
  for (const { offset, rows, columns } of places) {
    if (offset > at) parts.push(slice(others, 0, at, offset))
    at = offset + rows * columns
    const direction = orthogonalised(reshape(slice(momentum, 0, offset, at), [rows, columns]))
    // An orthogonal factor's entries have a root mean square of 1/√(the longer side).
    const size = scale(rate, STEP_SIZE * Math.sqrt(Math.max(rows, columns)))
    parts.push(reshape(mul(direction, size), [rows * columns]))
  }
  const [total] = others.shape
  if (at < total) parts.push(slice(others, 0, at, total))
  return concat(parts, 0)
}
