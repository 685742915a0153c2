import { transpose3, type Vec3 } from '../geometry/linear.js'
import type { GridBox } from '../phantom/surface.js'
import type { Volume } from '../volume/volume.js'

/**
 * A volume whose every voxel has the value from where a displacement leads: trilinear, on the volume's own grid; where nothing is displaced,
 * the very values. Beyond the volume its last voxels go on.
 * @param field of the displacement, axes along LPS, over all of the volume
 * @param displacement mm in LPS, x, y, z a point of the field; trilinear between
 */
export function displaced(volume: Volume, field: GridBox, displacement: Float32Array): Volume<Int16Array> {
  const [ni, nj, nk] = volume.size
  const [fi, fj, fk] = field.size
  const source = volume.data
  const data = Int16Array.from(source)
  const moves = movingCells(displacement, field.size)
  // Index of the volume → index of the field: affine.
  const perAxis = [0, 1, 2].map(a =>
    [0, 1, 2].map(r => (volume.direction[3 * r + a] * volume.spacing[a]) / field.spacing)
  )
  const first = [0, 1, 2].map(r => (volume.origin[r] - field.origin[r]) / field.spacing)
  // Displacement in indices of the volume.
  const turn = transpose3(volume.direction).map((x, i) => x / volume.spacing[Math.floor(i / 3)])
  const [row, slice] = [fi, fi * fj]
  const d = [0, 0, 0]
  for (let k = 0, o = 0; k < nk; k++)
    for (let j = 0; j < nj; j++)
      for (let i = 0; i < ni; i++, o++) {
        const x = first[0] + i * perAxis[0][0] + j * perAxis[1][0] + k * perAxis[2][0]
        const y = first[1] + i * perAxis[0][1] + j * perAxis[1][1] + k * perAxis[2][1]
        const z = first[2] + i * perAxis[0][2] + j * perAxis[1][2] + k * perAxis[2][2]
        const a = Math.max(0, Math.min(fi - 2, Math.floor(x)))
        const b = Math.max(0, Math.min(fj - 2, Math.floor(y)))
        const c = Math.max(0, Math.min(fk - 2, Math.floor(z)))
        const cell = c * slice + b * row + a
        if (!moves[cell]) continue
        // Past the field's last point by less than a step: goes on linearly.
        const [fx, fy, fz] = [x - a, y - b, z - c]
        for (let r = 0; r < 3; r++) {
          const at = 3 * cell + r
          const p = mix(displacement, at, 3, fx)
          const q = mix(displacement, at + 3 * row, 3, fx)
          const s = mix(displacement, at + 3 * slice, 3, fx)
          const t = mix(displacement, at + 3 * (slice + row), 3, fx)
          d[r] = p + fy * (q - p) + fz * (s + fy * (t - s) - p - fy * (q - p))
        }
        const u = i + turn[0] * d[0] + turn[1] * d[1] + turn[2] * d[2]
        const v = j + turn[3] * d[0] + turn[4] * d[1] + turn[5] * d[2]
        const w = k + turn[6] * d[0] + turn[7] * d[1] + turn[8] * d[2]
        data[o] = Math.round(valueAt(source, ni, nj, nk, u, v, w))
      }
  return { ...volume, data }
}

const mix = (f: Float32Array, at: number, step: number, share: number) =>
  f[at] + share * (f[at + step] - f[at])

/** Trilinear, that of the nearest point outside. */
function valueAt(
  d: ArrayLike<number>,
  ni: number,
  nj: number,
  nk: number,
  x: number,
  y: number,
  z: number
): number {
  const a = Math.max(0, Math.min(ni - 1, x))
  const b = Math.max(0, Math.min(nj - 1, y))
  const c = Math.max(0, Math.min(nk - 1, z))
  const i = Math.max(0, Math.min(ni - 2, a | 0))
  const j = Math.max(0, Math.min(nj - 2, b | 0))
  const k = Math.max(0, Math.min(nk - 2, c | 0))
  const [fx, fy, fz] = [a - i, b - j, c - k]
  const o = (k * nj + j) * ni + i
  const u = o + ni * nj
  const e = d[o] + fx * (d[o + 1] - d[o])
  const f = d[o + ni] + fx * (d[o + ni + 1] - d[o + ni])
  const g = d[u] + fx * (d[u + 1] - d[u])
  const h = d[u + ni] + fx * (d[u + ni + 1] - d[u + ni])
  const ef = e + fy * (f - e)
  return ef + fz * (g + fy * (h - g) - ef)
}

/** Cells of the field, by their first point, of which any corner is displaced. */
function movingCells(displacement: Float32Array, [ni, nj, nk]: Vec3): Uint8Array {
  const still = new Uint8Array(ni * nj * nk)
  for (let o = 0; o < still.length; o++)
    still[o] =
      displacement[3 * o] === 0 && displacement[3 * o + 1] === 0 && displacement[3 * o + 2] === 0 ? 1 : 0
  const moves = new Uint8Array(still.length)
  const slice = ni * nj
  for (let k = 0; k < nk - 1; k++)
    for (let j = 0; j < nj - 1; j++)
      for (let i = 0; i < ni - 1; i++) {
        const o = (k * nj + j) * ni + i
        const all =
          still[o] &
          still[o + 1] &
          still[o + ni] &
          still[o + ni + 1] &
          still[o + slice] &
          still[o + slice + 1] &
          still[o + slice + ni] &
          still[o + slice + ni + 1]
        moves[o] = all ? 0 : 1
      }
  return moves
}
