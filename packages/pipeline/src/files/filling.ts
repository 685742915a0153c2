import { floodFrom, type Volume, type VoxelArray } from '@raypose/core'
import { LOWEST_HU } from '@raypose/formats'

/** Air and lung lie below; corners of them are as they should be. */
const LEAST_HU = -300
/** Filling that takes more than this of the middle of most slices is what the body is made of (a phantom in water). */
const MOST_IN_MIDDLE = 0.05

/**
 * Takes the value that fills a CT beyond its round or turned field for air, where it is none: 0 HU, as resampling programs leave it, would be
 * water in every DRR. It is known by being one value in the four corners of all axial slices, and filling is what hangs together with a corner.
 * (DICOM readers do the like while they read; other files do not say what they hold.)
 */
export function withoutFilling(volume: Volume): { volume: Volume; note: string | null } {
  const { data, size, direction } = volume
  const value = data[0]
  const none = { volume, note: null }
  if (!(value > LEAST_HU)) return none
  const axial = [0, 1, 2].reduce((a, b) => (Math.abs(direction[6 + b]) > Math.abs(direction[6 + a]) ? b : a))
  const strides = [1, size[0], size[0] * size[1]]
  const [u, v] = [0, 1, 2].filter(a => a !== axial)
  const [columns, rows, slices] = [size[u], size[v], size[axial]]
  const at = (slice: number, x: number, y: number) => slice * strides[axial] + x * strides[u] + y * strides[v]
  const corners = [0, columns - 1, (rows - 1) * columns, rows * columns - 1]
  const isFilled = (slice: number) =>
    corners.every(i => data[at(slice, i % columns, Math.floor(i / columns))] === value)
  for (let k = 0; k < slices; k++) if (!isFilled(k)) return none

  const cleared: VoxelArray = data instanceof Int16Array ? data.slice() : Float32Array.from(data)
  const marked = new Uint8Array(columns * rows)
  const middle = (x: number, n: number) => x >= n / 4 && x < (3 * n) / 4
  let [filled, bodily] = [0, 0]
  for (let k = 0; k < slices; k++) {
    for (let y = 0, i = 0; y < rows; y++)
      for (let x = 0; x < columns; x++, i++) marked[i] = Number(data[at(k, x, y)] === value)
    const reached = floodFrom(marked, columns, corners)
    let [inMiddle, all] = [0, 0]
    for (let y = 0, i = 0; y < rows; y++)
      for (let x = 0; x < columns; x++, i++) {
        const isMiddle = middle(x, columns) && middle(y, rows)
        if (isMiddle) all++
        if (!reached[i]) continue
        cleared[at(k, x, y)] = LOWEST_HU
        filled++
        if (isMiddle) inMiddle++
      }
    // A field that is tilted, or ends, leaves the middle of some slices empty, at either end.
    if (inMiddle > MOST_IN_MIDDLE * all) bodily++
  }
  if (bodily > slices / 2) return none
  return {
    volume: { ...volume, data: cleared },
    note: `The corners of all slices hold ${Number(value.toFixed(2))} HU, and ${((100 * filled) / data.length).toFixed(1)} % of the voxels hang together with them: taken for what lies beyond the scan's field, now ${LOWEST_HU} HU.`
  }
}
