/**
 * Holds strong edges back, in place: an edge of energy e is divided by √(1 + e/(strong · median)), so that weak ones stay as they are and none has more than
 * √(strong · median). The strongest edges of an X-ray are those of blades, metal and skin, which say the least of where bones are.
 * @param u,v derivatives
 * @param weights which pixels count; the median is theirs, of those that have an edge
 * @param strong in units of the median energy; Infinity leaves all as it is
 */
export function holdBack(u: Float32Array, v: Float32Array, weights: ArrayLike<number>, strong: number): void {
  if (strong === Number.POSITIVE_INFINITY) return
  const counted: number[] = []
  for (let i = 0; i < u.length; i++) {
    const energy = u[i] * u[i] + v[i] * v[i]
    if (weights[i] > 0 && energy > 0) counted.push(energy)
  }
  if (counted.length === 0) return
  const most = strong * Float64Array.from(counted).sort()[counted.length >> 1]
  for (let i = 0; i < u.length; i++) {
    const scale = 1 / Math.sqrt(1 + (u[i] * u[i] + v[i] * v[i]) / most)
    u[i] *= scale
    v[i] *= scale
  }
}
