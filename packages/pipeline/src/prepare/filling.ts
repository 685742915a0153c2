import type { Volume, VoxelArray } from '@raypose/core'
import { LOWEST_HU } from '@raypose/formats'

/** Air, fat and lung lie below; corners of them are as they should be. */
const LEAST_HU = -300
/** Filling that takes more of the slices' middle is what the body is made of (a phantom in water). */
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
  const [columns, rows] = [size[u], size[v]]
  const at = (slice: number, x: number, y: number) => slice * strides[axial] + x * strides[u] + y * strides[v]
  const corners = [
    [0, 0],
    [columns - 1, 0],
    [0, rows - 1],
    [columns - 1, rows - 1]
  ] as const
  for (let k = 0; k < size[axial]; k++)
    if (!corners.every(([x, y]) => data[at(k, x, y)] === value)) return none

  const cleared: VoxelArray = data instanceof Int16Array ? data.slice() : Float32Array.from(data)
  const stack: number[] = []
  let [filled, inMiddle] = [0, 0]
  const middle = (x: number, n: number) => x >= n / 4 && x < (3 * n) / 4
  for (let k = 0; k < size[axial]; k++) {
    const reach = (x: number, y: number) => {
      const i = at(k, x, y)
      if (cleared[i] !== value) return
      cleared[i] = LOWEST_HU
      filled++
      if (middle(x, columns) && middle(y, rows)) inMiddle++
      stack.push(x, y)
    }
    for (const [x, y] of corners) reach(x, y)
    while (stack.length > 0) {
      const y = stack.pop() as number
      const x = stack.pop() as number
      if (x > 0) reach(x - 1, y)
      if (x < columns - 1) reach(x + 1, y)
      if (y > 0) reach(x, y - 1)
      if (y < rows - 1) reach(x, y + 1)
    }
  }
  if (inMiddle > MOST_IN_MIDDLE * (data.length / 4)) return none
  return {
    volume: { ...volume, data: cleared },
    note: `The corners of all slices hold ${Number(value.toFixed(2))} HU, and ${((100 * filled) / data.length).toFixed(1)} % of the voxels hang together with them: taken for what lies beyond the scan's field, now ${LOWEST_HU} HU.`
  }
}
