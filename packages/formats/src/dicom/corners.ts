import type { Vec2, Vec3 } from '@raypose/core'
import type { HuArray } from '../bytes/elements.js'

/**
 * Padding that no header names: one value in the four corners of every slice, where a scanner's round field does not
 * reach. Left alone it would be bone or metal.
 *
 * Whether it is in every slice is known at the end only, so that it is marked on the way by a value that no CT has.
 */
export interface Corners {
  /** HU that all corners hold. */
  readonly value: number
  /** Where each pixel of a slice is. */
  readonly zones: Uint8Array
  /** Whether every slice so far has it. */
  common: boolean
  /** Pixels that hold it in the middle of the slices, and pixels there. */
  inMiddle: number
  middle: number
}

/** Air and lung lie below; a corner of them is as it should be. */
const LEAST_HU = -300
/** Below what any CT holds after reading. */
const MARK = -32768
/** A value that more of the middle holds is what the body is made of (a phantom), not padding. */
const MOST_IN_MIDDLE = 0.05

const RING = 0
const MIDDLE = 1
const OUTSIDE = 2

/** What to look for, from the first slice; null where its corners are no candidate. */
export function commonCorner(hu: Float64Array, size: Vec3, spacing: Vec2): Corners | null {
  const value = hu[0]
  if (!(value > LEAST_HU) || !cornersHold(hu, size, value)) return null
  return { value, zones: zonesOf(size, spacing), common: true, inMiddle: 0, middle: 0 }
}

const cornersHold = (hu: Float64Array, [columns, rows]: Vec3, value: number): boolean =>
  [0, columns - 1, (rows - 1) * columns, rows * columns - 1].every(i => hu[i] === value)

/** Outside the circle inscribed in the slice, or in the middle: within half its radius. */
function zonesOf([columns, rows]: Vec3, [du, dv]: Vec2): Uint8Array {
  const radius = Math.min(columns * du, rows * dv) / 2
  return Uint8Array.from({ length: columns * rows }, (_, i) => {
    const x = du * ((i % columns) - (columns - 1) / 2)
    const y = dv * (Math.floor(i / columns) - (rows - 1) / 2)
    const r = Math.hypot(x, y)
    return r > radius ? OUTSIDE : r < radius / 2 ? MIDDLE : RING
  })
}

/** Marks the value outside the circle of one slice, as long as every slice has it in its corners. */
export function markCorners(hu: Float64Array, size: Vec3, corners: Corners): void {
  const { value, zones } = corners
  corners.common &&= cornersHold(hu, size, value)
  if (!corners.common) return
  for (let i = 0; i < hu.length; i++) {
    if (zones[i] === MIDDLE) corners.middle++
    if (hu[i] !== value || zones[i] === RING) continue
    if (zones[i] === OUTSIDE) hu[i] = MARK
    else corners.inMiddle++
  }
}

/** What was marked becomes air, with a note, or what it was. */
export function settleCorners(data: HuArray, corners: Corners, air: number, notes: string[]): HuArray {
  const { value, common, inMiddle, middle } = corners
  const isPadding = common && inMiddle <= MOST_IN_MIDDLE * middle
  const put = isPadding ? air : value
  const fits = data instanceof Float32Array || (Number.isInteger(put) && put <= 32767)
  const out = fits ? data : new Float32Array(data)
  for (let i = 0; i < out.length; i++) if (out[i] === MARK) out[i] = put
  if (isPadding)
    notes.push(
      `The corners of all slices hold ${Number(value.toFixed(2))} HU, which no header calls padding: outside the round field it is taken for air (${air} HU).`
    )
  return out
}
