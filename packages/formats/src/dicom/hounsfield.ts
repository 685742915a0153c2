import { CancelledError, FileFormatError, floodFrom, rimOf, type Vec3 } from '@raypose/core'
import { type HuArray, LOWEST_HU } from '../bytes/elements.js'
import { commonCorner, markCorners, settleCorners } from './corners.js'
import { decodePaddedFrame } from './pixels.js'
import type { Slice } from './slices.js'

/** Only air and lung lie below: no other tissue is lost with padding of such a value. */
const LEAST_TISSUE_HU = -500

/** How the work is watched and stopped. */
export interface Progress {
  readonly onProgress?: (done: number, total: number) => void
  readonly signal?: AbortSignal
}

/**
 * Rescales each slice by its own slope and intercept; padding and all below −1024 HU becomes air. Int16 as long as
 * every value fits, else Float32.
 */
export async function hounsfield(
  slices: readonly Slice[],
  size: Vec3,
  options: Progress,
  notes: string[]
): Promise<HuArray> {
  const plane = size[0] * size[1]
  const hu = new Float64Array(plane)
  let out: HuArray = allocate(plane * slices.length)
  let corners: ReturnType<typeof commonCorner> = null
  for (const [k, slice] of slices.entries()) {
    if (options.signal?.aborted) throw new CancelledError()
    await rescaled(slice, hu)
    if (k === 0) corners = commonCorner(hu, size, slice.spacing)
    if (corners) markCorners(hu, size, corners)
    out = stored(out, k * plane, hu)
    options.onProgress?.(k + 1, slices.length)
  }
  return corners ? settleCorners(out, corners, LOWEST_HU, notes) : out
}

async function rescaled({ file, frame, rescale }: Slice, hu: Float64Array): Promise<void> {
  const { stored, padded } = await decodePaddedFrame(file, frame)
  const { slope, intercept } = rescale
  for (let i = 0; i < hu.length; i++) {
    const v = slope * stored[i] + intercept
    hu[i] = v > LOWEST_HU ? v : LOWEST_HU
  }
  if (!padded) return
  // A value that tissue has, too, is padding where it hangs together with the slice's rim.
  let highest = Number.NEGATIVE_INFINITY
  for (let i = 0; i < hu.length; i++) if (padded[i] && hu[i] > highest) highest = hu[i]
  const air =
    highest > LEAST_TISSUE_HU
      ? floodFrom(padded, file.header.columns, rimOf(file.header.columns, file.header.rows))
      : padded
  for (let i = 0; i < hu.length; i++) if (air[i]) hu[i] = LOWEST_HU
}

/** Writes a slice where it belongs, and gives the array, which is another where a value does not fit Int16. */
function stored(out: HuArray, at: number, hu: Float64Array): HuArray {
  if (out instanceof Int16Array) {
    let i = 0
    for (; i < hu.length; i++) {
      const v = hu[i]
      // Most series are whole: the truncation settles those without a call.
      let w = v | 0
      if (w !== v) w = Math.round(v)
      if (!(Math.abs(v - w) <= 1e-6 && w <= 32767)) break
      out[at + i] = w
    }
    if (i === hu.length) return out
  }
  const wide = out instanceof Int16Array ? new Float32Array(out) : out
  wide.set(hu, at)
  return wide
}

function allocate(count: number): Int16Array {
  try {
    return new Int16Array(count)
  } catch (cause) {
    throw new FileFormatError(
      `The series says it has ${count} voxels, more than there is memory for`,
      'Check the headers, or crop the series.',
      { cause }
    )
  }
}
