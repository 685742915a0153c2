import {
  type Anatomy,
  ArgumentError,
  ModelError,
  mirrorFromNames,
  pelvisAnatomy,
  type ShapePrior,
  type Vec3
} from '@raypose/core'
import type { Network } from '@raypose/network'
import { alignShapes, transformPoints } from '../shape-model/align.js'
import { principalComponents } from '../shape-model/fit-shape-model.js'

/** Modes that a prior made of a population has at most. */
const MOST_MODES = 12

const same = (a: readonly string[], b: readonly string[]): boolean => a.join('\n') === b.join('\n')

/**
 * The anatomy that a network finds: what its file says, or the pelvis for a file that says nothing but has the pelvis's landmarks.
 * @throws ModelError where neither is so
 */
export function networkAnatomy({ anatomy, landmarkNames }: Network): Anatomy {
  if (anatomy) return { ...anatomy, landmarkNames }
  const pelvis = pelvisAnatomy()
  if (same(landmarkNames, pelvis.landmarkNames)) return pelvis
  throw new ModelError(
    'The network does not say what its landmarks belong to and how they lie to each other',
    'Train it again: "raypose pretrain" writes that into its file.'
  )
}

/**
 * What a population tells of its anatomy: mirror partners by the names, and the shape prior as mean and principal components of the
 * members whose landmarks are all known, aligned rigidly (Cootes et al., CVIU 1995).
 * @throws ArgumentError where no member has all landmarks
 */
export function populationAnatomy(
  name: string,
  landmarkNames: readonly string[],
  members: readonly { readonly landmarks: readonly (Vec3 | null)[] }[]
): Anatomy {
  const pelvis = pelvisAnatomy()
  if (same(landmarkNames, pelvis.landmarkNames)) return pelvis
  const whole = members.flatMap(({ landmarks }) =>
    landmarks.every(p => p !== null) ? [Float64Array.from(landmarks.flat() as number[])] : []
  )
  if (whole.length === 0)
    throw new ArgumentError(
      'No patient of the population has all landmarks, so nothing says how they lie to each other',
      'Give at least one annotated CT in which every landmark is known.'
    )
  const fits = alignShapes(whole)
  const aligned = whole.map((s, i) => Array.from(transformPoints(s, fits[i])))
  const shape =
    aligned.length > 1
      ? principalComponents(aligned, MOST_MODES)
      : { mean: Float64Array.from(aligned[0]), modes: [] }
  return { name, landmarkNames, mirror: mirrorFromNames(landmarkNames), prior: rounded(shape) }
}

/** Points from vectors, to a hundredth of a millimetre: they are kept in a file. */
function rounded({ mean, modes }: { mean: Float64Array; modes: readonly Float64Array[] }): ShapePrior {
  const points = (x: Float64Array): Vec3[] =>
    Array.from({ length: x.length / 3 }, (_, i) =>
      [0, 1, 2].map(k => Math.round(x[i * 3 + k] * 100) / 100)
    ) as unknown as Vec3[]
  return { mean: points(mean), modes: modes.map(points) }
}

/**
 * Refuses a network or a prepared patient of another anatomy than the one that is asked for.
 * @param what has the anatomy that was found, for the message
 * @throws ModelError naming both anatomies
 */
export function assertAnatomy(found: string, wanted: string, what: string): void {
  if (found !== wanted)
    throw new ModelError(
      `${what} is for another anatomy: "${found}", not "${wanted}"`,
      'Give a network that was trained for the anatomy (--model), or the protocol of the network’s own.'
    )
}
