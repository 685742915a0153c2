import { ArgumentError } from '../../errors.js'
import { instantiateWasm } from '../../wasm-module.js'
import { type EdgeField, UNCOMPARED } from './edge-field.js'
import { ownMemoryWasm } from './generated/slide-kernels.js'

/** Where a field lies in a larger picture. */
export interface SlidingMatch {
  /** Which picture. */
  readonly picture: number
  /** What the field's first pixel lies on in it, relative to the middle place, pixels. */
  readonly u: number
  readonly v: number
  /** As `edgeAgreement`. */
  readonly score: number
}

/** Pictures to find X-rays in. */
export interface SlidingMatcher {
  readonly pictures: number
  /**
   * The best places in each picture, best of all first; none where nothing is alike.
   * @param fixed of the size of the window
   * @param each places of one picture at most, at least {@link APART} pixels from each other
   * @throws ArgumentError for a field of another size
   */
  match(fixed: EdgeField, each?: number): SlidingMatch[]
}

export interface SlidingWindow {
  /** Of the fields that are looked for, pixels. */
  readonly width: number
  readonly height: number
  /** How far they are moved to each side and up and down. */
  readonly across: number
  readonly down: number
}

/** Pixels between two places of one picture. */
const APART = 2.5

const LANES = 4
const PLANES = 3
const PAGE = 65536
const FLOAT = 4

interface SlideKernels {
  slide(
    fixed: number,
    fixedPitch: number,
    fixedPlane: number,
    moving: number,
    movingPitch: number,
    movingPlane: number,
    vectors: number,
    rows: number,
    across: number,
    down: number,
    out: number
  ): void
}

/**
 * Holds the edges of many pictures of one size, to find at once what places in which of them are like an X-ray's: a DRR moved along the detector stands for the poses
 * moved likewise, for which no other has to be rendered.
 * @param pictures larger than the window by `across` and `down` on each side; read one after another
 * @param count of the pictures
 * @throws ArgumentError for a picture of another size; BackendError where the engine has no wasm SIMD
 */
export function createSlidingMatcher(
  pictures: Iterable<EdgeField>,
  count: number,
  window: SlidingWindow
): SlidingMatcher {
  const { width, height, across, down } = window
  const padded = (n: number) => LANES * Math.ceil(n / LANES)
  const columns = padded(2 * across + 1)
  const rows = 2 * down + 1
  const size = [width + 2 * across, height + 2 * down] as const
  const fixedPitch = padded(width)
  // The last shifts that a step of four makes beyond what is asked for read past a row's end.
  const movingPitch = fixedPitch + columns
  const fixedPlane = fixedPitch * height
  const movingPlane = movingPitch * size[1]
  const at = { out: 0, fixed: 2 * columns * rows, moving: 2 * columns * rows + PLANES * fixedPlane }
  const floats = at.moving + count * PLANES * movingPlane + movingPitch
  const memory = new WebAssembly.Memory({ initial: Math.ceil((floats * FLOAT) / PAGE) })
  const kernels = instantiateWasm<SlideKernels>(ownMemoryWasm, memory, 'The search for poses')
  const values = new Float32Array(memory.buffer)

  /** Lays a field out as the kernel reads it. */
  const store = (field: EdgeField, offset: number, pitch: number, plane: number) => {
    const { width: w, height: h, u, v, weights } = field
    for (let y = 0; y < h; y++)
      for (let x = 0, i = y * w, o = offset + y * pitch; x < w; x++, i++, o++) {
        values[o] = weights[i] * u[i]
        values[o + plane] = weights[i] * v[i]
        values[o + 2 * plane] = weights[i]
      }
  }
  /** The best places of a picture that are not next to each other, from what the kernel left. */
  const bestPlaces = (picture: number, most: number, each: number): SlidingMatch[] => {
    const kept: SlidingMatch[] = []
    while (kept.length < each) {
      let best = { picture, u: 0, v: 0, score: 0 }
      for (let v = -down; v <= down; v++)
        for (let u = -across; u <= across; u++) {
          const o = at.out + 2 * ((v + down) * columns + u + across)
          const score = values[o] / (values[o + 1] + UNCOMPARED * most)
          if (score > best.score && kept.every(k => Math.hypot(k.u - u, k.v - v) > APART))
            best = { picture, u, v, score }
        }
      if (!(best.score > 0)) break
      kept.push(best)
    }
    return kept
  }
  let stored = 0
  for (const picture of pictures) {
    if (stored >= count || picture.width !== size[0] || picture.height !== size[1])
      throw new ArgumentError(
        `Picture ${stored} of ${count} has ${picture.width} × ${picture.height} pixels; the window wants ${size.join(' × ')}`,
        'Give as many pictures as announced, each larger than the window by the shifts.'
      )
    store(picture, at.moving + stored++ * PLANES * movingPlane, movingPitch, movingPlane)
  }
  return {
    pictures: stored,
    match(fixed, each = 2) {
      if (fixed.width !== width || fixed.height !== height)
        throw new ArgumentError(
          `The field has ${fixed.width} × ${fixed.height} pixels, the window ${width} × ${height}`,
          'Bin the X-ray as the pictures were.'
        )
      store(fixed, at.fixed, fixedPitch, fixedPlane)
      const most = fixed.weights.reduce((s, w) => s + w, 0)
      const found: SlidingMatch[] = []
      for (let picture = 0; picture < stored; picture++) {
        kernels.slide(
          ...([at.fixed * FLOAT, fixedPitch * FLOAT, fixedPlane * FLOAT] as const),
          ...([
            (at.moving + picture * PLANES * movingPlane) * FLOAT,
            movingPitch * FLOAT,
            movingPlane * FLOAT
          ] as const),
          ...([fixedPitch / LANES, height, columns, rows, at.out * FLOAT] as const)
        )
        found.push(...bestPlaces(picture, most, each))
      }
      return found.sort((a, b) => b.score - a.score)
    }
  }
}
