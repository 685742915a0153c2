import { indexToLps, type Vec3, type Volume, VolumeError } from '@raypose/core'

/** HU from which a voxel counts as bone here. */
const BONE_HU = 250
/** Fewer bone voxels than this are noise. */
const LEAST_VOXELS = 200
/** Slices to each side that count for a height, mm. */
const REACH_MM = 30
/** How far the middle of the landmarks lies in front of that of the bone: the pelvis is a ring open to the front, mm. */
const FORWARD_MM = 20

/**
 * A point for each height of a body: the middle of the bone there, a little in front of it. Medians, so that an arm beside the body or a
 * rail of the table does not move it far.
 * @param step mm between two heights
 * @returns LPS mm, from the lowest up
 * @throws VolumeError without bone
 */
export function boneCentres(v: Volume, step: number): Vec3[] {
  const up = [0, 1, 2].reduce((b, a) => (Math.abs(v.direction[6 + a]) > Math.abs(v.direction[6 + b]) ? a : b))
  const across = [0, 1, 2].filter(a => a !== up)
  const layers = v.size[up]
  const [na, nb] = across.map(a => v.size[a])
  const along = [new Uint32Array(layers * na), new Uint32Array(layers * nb)]
  const [ni, nj, nk] = v.size
  const index = [0, 0, 0]
  let n = 0
  for (let k = 0; k < nk; k++)
    for (let j = 0; j < nj; j++)
      for (let i = 0; i < ni; i++) {
        if (v.data[n++] < BONE_HU) continue
        index[0] = i
        index[1] = j
        index[2] = k
        along[0][index[up] * na + index[across[0]]]++
        along[1][index[up] * nb + index[across[1]]]++
      }
  const reach = Math.round(REACH_MM / v.spacing[up])
  const centres: Vec3[] = []
  for (let at = 0; at < layers; at += Math.max(1, step / v.spacing[up])) {
    const from = Math.max(0, Math.round(at) - reach)
    const to = Math.min(layers - 1, Math.round(at) + reach)
    const middle: [number, number, number] = [0, 0, 0]
    middle[up] = at
    const counts = along.map((counts, c) => medianBin(counts, c === 0 ? na : nb, from, to))
    if (counts[0].total < LEAST_VOXELS) continue
    across.forEach((a, c) => {
      middle[a] = counts[c].bin
    })
    const p = indexToLps(v, middle)
    centres.push([p[0], p[1] - FORWARD_MM, p[2]])
  }
  if (centres.length === 0)
    throw new VolumeError(
      `The CT holds no bone: ${LEAST_VOXELS} voxels above ${BONE_HU} HU are nowhere together`,
      'Check that the values are Hounsfield units and the volume is a CT.'
    )
  return centres.sort((a, b) => a[2] - b[2])
}

function medianBin(
  counts: Uint32Array,
  bins: number,
  from: number,
  to: number
): { bin: number; total: number } {
  const sum = new Float64Array(bins)
  let total = 0
  for (let l = from; l <= to; l++)
    for (let b = 0; b < bins; b++) {
      sum[b] += counts[l * bins + b]
      total += counts[l * bins + b]
    }
  let below = 0
  for (let b = 0; b < bins; b++) {
    below += sum[b]
    if (below >= total / 2) return { bin: b, total }
  }
  return { bin: bins / 2, total }
}
