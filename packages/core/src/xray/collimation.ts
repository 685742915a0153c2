import type { Random } from '../random/random.js'

export const COLLIMATIONS = ['none', 'rectangle', 'circle', 'random'] as const

export interface CollimationOptions {
  /** `random` draws shape, size, turn and place from the seed. */
  readonly collimation: (typeof COLLIMATIONS)[number]
  /** Open width and height as shares of the image's; a circle's diameter is `fieldWidth` of its shorter side. */
  readonly fieldWidth: number
  readonly fieldHeight: number
  readonly fieldTurnDegrees: number
  /** Share of the beam that the blades let through. */
  readonly collimatorLeak: number
}

/** An opening of the collimator on the detector, in pixels. */
export interface Opening {
  readonly shape: 'rectangle' | 'circle'
  /** u, v */
  readonly centre: readonly [number, number]
  /** Half the width and height; of a circle the radius, twice. */
  readonly half: readonly [number, number]
  readonly turnDegrees: number
}

/** Half the width of the penumbra at the edge, pixels. */
const PENUMBRA = 1

/** The opening that the options ask for; null for a beam that is not collimated. */
export function collimatorOpening(
  width: number,
  height: number,
  options: CollimationOptions,
  random: Random
): Opening | null {
  const { collimation, fieldWidth, fieldHeight, fieldTurnDegrees } = options
  if (collimation === 'none') return null
  const middle = [(width - 1) / 2, (height - 1) / 2] as const
  if (collimation === 'random') {
    const shape = random.chance(0.5) ? 'circle' : 'rectangle'
    const centre = [
      middle[0] + random.uniform(-0.06, 0.06) * width,
      middle[1] + random.uniform(-0.06, 0.06) * height
    ] as const
    const radius = (random.uniform(0.8, 1.05) * Math.max(width, height)) / 2
    if (shape === 'circle') return { shape, centre, half: [radius, radius], turnDegrees: 0 }
    const half = [
      (random.uniform(0.65, 0.95) * width) / 2,
      (random.uniform(0.65, 0.95) * height) / 2
    ] as const
    return { shape, centre, half, turnDegrees: random.uniform(-15, 15) }
  }
  const radius = (fieldWidth * Math.min(width, height)) / 2
  return {
    shape: collimation,
    centre: middle,
    half:
      collimation === 'circle' ? [radius, radius] : [(fieldWidth * width) / 2, (fieldHeight * height) / 2],
    turnDegrees: collimation === 'circle' ? 0 : fieldTurnDegrees
  }
}

/** How far a pixel lies inside an opening, pixels; negative outside. */
export function insideOpening({
  shape,
  centre,
  half,
  turnDegrees
}: Opening): (u: number, v: number) => number {
  if (shape === 'circle') return (u, v) => half[0] - Math.hypot(u - centre[0], v - centre[1])
  const cos = Math.cos((turnDegrees * Math.PI) / 180)
  const sin = Math.sin((turnDegrees * Math.PI) / 180)
  return (u, v) => {
    const du = u - centre[0]
    const dv = v - centre[1]
    return Math.min(half[0] - Math.abs(du * cos + dv * sin), half[1] - Math.abs(dv * cos - du * sin))
  }
}

/** Share of the beam a pixel gets: 1 in the opening, `leak` outside, a ramp of two pixels between. */
export function collimatorMask(width: number, height: number, opening: Opening, leak: number): Float32Array {
  const mask = new Float32Array(width * height)
  const inside = insideOpening(opening)
  for (let v = 0; v < height; v++)
    for (let u = 0; u < width; u++) {
      const open = Math.min(1, Math.max(0, (inside(u, v) + PENUMBRA) / (2 * PENUMBRA)))
      mask[v * width + u] = leak + (1 - leak) * open
    }
  return mask
}
