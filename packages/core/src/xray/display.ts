import type { Image } from '../image/image.js'
import type { Random } from '../random/random.js'
import type { XraySettings } from './settings.js'

/** Least share of the open beam that a logarithm is taken of, besides that of one photon: line integrals end at 12. */
const FLOOR = 6e-6

export interface Displayed {
  /** Whole numbers 0 … 2^bits − 1. */
  readonly image: Image
  /** Line integrals, or shares of the open beam, that became the lowest and highest value. */
  readonly window: readonly [number, number]
}

/**
 * What the device makes of a reading: logarithm, window, contrast, polarity, gamma, whole numbers.
 * @param reading photons a pixel
 * @param open photons a pixel of the open beam, 1 where they are not counted
 * @param field positive on the pixels that the window is taken from; all where null
 */
export function displayReading(
  reading: Image,
  open: number,
  settings: Pick<
    XraySettings,
    'scale' | 'bright' | 'windowLow' | 'windowHigh' | 'contrast' | 'gamma' | 'bits'
  >,
  field: ((u: number, v: number) => number) | null
): Displayed {
  const { scale, bright, windowLow, windowHigh, contrast, gamma, bits } = settings
  const { width, height } = reading
  const share = reading.data.map(x => x / open)
  const floor = open > 1 ? Math.max(FLOOR, 1 / open) : FLOOR
  const values = scale === 'log' ? share.map(x => -Math.log(Math.max(floor, x))) : share
  const inField = field
    ? values.filter((_, i) => field(i % width, Math.floor(i / width)) > 0)
    : values.slice()
  const sorted = (inField.length > 0 ? inField : values.slice()).sort()
  const percentile = (p: number) => sorted[Math.round(((sorted.length - 1) * p) / 100)]
  const low = percentile(windowLow)
  const high = percentile(windowHigh)
  // A flat image is black rather than divided by nothing.
  const unit = high > low ? 1 / (high - low) : 0
  const growing = (scale === 'log') === (bright === 'attenuation')
  const top = 2 ** bits - 1
  const data = values.map(x => {
    const shown = clamp((x - low) * unit)
    const stretched = clamp((shown - 0.5) * contrast + 0.5)
    return Math.round((growing ? stretched : 1 - stretched) ** gamma * top)
  })
  return { image: { width, height, data }, window: [low, high] }
}

const clamp = (x: number) => Math.min(1, Math.max(0, x))

/** Letters on a 5 × 7 grid, a row to a number, the highest bit at the left. */
const LETTERS = {
  L: [16, 16, 16, 16, 16, 16, 31],
  R: [30, 17, 17, 30, 20, 18, 17]
} as const

export interface Marker {
  readonly letter: keyof typeof LETTERS
  /** Upper left corner and size, pixels. */
  readonly at: readonly [number, number]
  readonly size: readonly [number, number]
}

/** Burns a block with a letter into a corner, in place. */
export function burnMarker(image: Image, bits: number, random: Random): Marker {
  const { width, height, data } = image
  const cell = Math.max(1, Math.round(Math.min(width, height) / 90))
  const size = [7 * cell, 9 * cell] as const
  const letter = random.chance(0.5) ? 'L' : 'R'
  const margin = Math.round(Math.min(width, height) * 0.04)
  const at = [
    random.chance(0.5) ? margin : Math.max(0, width - margin - size[0]),
    random.chance(0.5) ? margin : Math.max(0, height - margin - size[1])
  ] as const
  const white = 2 ** bits - 1
  for (let y = 0; y < size[1]; y++)
    for (let x = 0; x < size[0]; x++) {
      const u = at[0] + x
      const v = at[1] + y
      if (u >= width || v >= height) continue
      const row = Math.floor(y / cell) - 1
      const column = Math.floor(x / cell) - 1
      const ink =
        row >= 0 && row < 7 && column >= 0 && column < 5 && (LETTERS[letter][row] >> (4 - column)) & 1
      data[v * width + u] = ink ? white : 0
    }
  return { letter, at, size }
}
