import { ArgumentError, centroid, createRandom, type Random, type Vec3, type Volume } from '@raypose/core'
import type { CtSource } from './ct-source.js'
import { warpCt } from './ct-warp.js'
import { drawScan, type ScanSettings, scan } from './field-of-view.js'
import { fillSurfaces } from './fill.js'
import { addOsteophytes, addScrews, breakBone, type FractureRecord } from './pathology.js'
import { addPelvisHardware, fillPelvis, isPelvis } from './pelvis-filling.js'
import { bendShape, drawShape, type Shape, type SurfaceModel, shapeLandmarks } from './surface-model.js'

/** Shares of a population; kinds and shapes are relative to each other, all others are chances. */
export interface Mixture {
  /** Surfaces filled with drawn bone, in drawn soft tissue. */
  readonly filled: number
  /** A real CT warped. */
  readonly warped: number
  /** Shapes that are patients of the atlas; the others are drawn from the model. */
  readonly patients: number
  readonly fracture: number
  readonly hardware: number
  readonly osteophytes: number
  /** Scans that end within the anatomy, or whose field of view is lopsided or round. */
  readonly cut: number
}

export const MIXTURE: Mixture = {
  filled: 0.5,
  warped: 0.5,
  patients: 0.35,
  fracture: 0.12,
  hardware: 0.15,
  osteophytes: 0.2,
  cut: 0.25
}

/**
 * Reads `filled=0.3,warped=0.7,fracture=0`: what is not named keeps its default.
 * @throws ArgumentError for a name there is not or a number outside 0 … 1
 */
export function parseMixture(text: string): Mixture {
  const out: Record<string, number> = { ...MIXTURE }
  for (const part of text.split(',').filter(Boolean)) {
    const [name, value] = part.split('=').map(x => x.trim())
    const share = Number(value)
    if (!(name in MIXTURE) || value === undefined || value === '' || !(share >= 0 && share <= 1))
      throw new ArgumentError(
        `"${part}" is no share of a population`,
        `Give ${Object.keys(MIXTURE).join(', ')} as name=0 … 1, with commas between.`
      )
    out[name] = share
  }
  return out as unknown as Mixture
}

/** What was drawn for a member: enough to say how it came to be. */
export interface MemberRecord {
  readonly seed: number
  readonly kind: 'filled' | 'warped'
  /** The atlas's patient, or the weights of the model's modes in standard deviations. */
  readonly shape: { readonly patient: string } | { readonly weights: readonly number[] }
  readonly ct?: { readonly path: string; readonly mirrored: boolean; readonly continued: boolean }
  readonly warp?: { readonly medianMm: number; readonly p95Mm: number; readonly leastVolume: number }
  readonly fracture?: FractureRecord
  readonly osteophytes?: { readonly bone: string; readonly count: number }
  readonly hardware?: object
  readonly scan: ScanSettings
}

/** An annotated CT. */
export interface Member {
  readonly ct: Volume<Int16Array>
  /** LPS mm; null where the scan does not show it. */
  readonly landmarks: readonly (Vec3 | null)[]
  /** Mean of all landmarks, those outside the scan too. */
  readonly isocenter: Vec3
  readonly record: MemberRecord
}

export interface MemberOptions {
  readonly mixture: Mixture
  /** Largest weight of a shape mode, standard deviations. */
  readonly modeLimit: number
  /** Smooth random displacement of every shape beyond the model, standard deviation along each axis, mm; 0: none. */
  readonly bendMm: number
  readonly spacing: number
}

/** The member of a seed: the same seed, atlas, CTs and options give the same CT. */
export function makeMember(
  model: SurfaceModel,
  sources: readonly CtSource[],
  seed: number,
  { mixture, modeLimit, bendMm, spacing }: MemberOptions
): Member {
  const random = createRandom(seed)
  const warped = sources.length > 0 && random.chance(mixture.warped / (mixture.warped + mixture.filled || 1))
  const chosen = chooseShape(model, random, mixture.patients, modeLimit)
  const target = bendMm > 0 ? { ...chosen, shape: bendShape(chosen.shape, random, bendMm) } : chosen
  const made = warped
    ? warpedMember(model, sources[random.integer(sources.length)], target.shape, spacing)
    : filledMember(model, target.shape, random, spacing)
  const { ct } = made
  let shape = made.shape
  const fracture = random.chance(mixture.fracture) ? breakBone(model, ct, shape, random) : null
  if (fracture) shape = fracture.shape
  const osteophytes = random.chance(mixture.osteophytes) ? addOsteophytes(model, ct, shape, random) : null
  const hardware = random.chance(mixture.hardware) ? addHardware(model, ct, shape, random) : null
  const landmarks = shapeLandmarks(model, shape)
  const settings = drawScan(random, mixture.cut)
  const scanned = scan(ct, landmarks, settings, random)
  return {
    ...scanned,
    isocenter: centroid(landmarks),
    record: {
      seed,
      kind: warped ? 'warped' : 'filled',
      shape: target.record,
      ...made.record,
      ...(fracture ? { fracture: fracture.record } : {}),
      ...(osteophytes ? { osteophytes } : {}),
      ...(hardware ? { hardware } : {}),
      scan: settings
    }
  }
}

function chooseShape(
  model: SurfaceModel,
  random: Random,
  patients: number,
  limit: number
): { shape: Shape; record: MemberRecord['shape'] } {
  if (random.chance(patients)) {
    const { name, shape } = model.patients[random.integer(model.patients.length)]
    return { shape, record: { patient: name } }
  }
  const { shape, weights } = drawShape(model, random, limit)
  return { shape, record: { weights: weights.map(w => Math.round(w * 1000) / 1000) } }
}

interface Made {
  readonly ct: Volume<Int16Array>
  readonly shape: Shape
  readonly record: Pick<MemberRecord, 'ct' | 'warp'>
}

function warpedMember(model: SurfaceModel, source: CtSource, target: Shape, spacing: number): Made {
  const { ct, shape, residual, volumeChange } = warpCt(model, source.volume, source.fit.shape, target, {
    spacing
  })
  return {
    ct,
    shape,
    record: {
      ct: { path: source.path, mirrored: source.mirrored, continued: source.continued },
      warp: { ...residual, leastVolume: volumeChange.least }
    }
  }
}

function filledMember(model: SurfaceModel, shape: Shape, random: Random, spacing: number): Made {
  if (!isPelvis(model)) return { ct: fillSurfaces(model, shape, random, spacing), shape, record: {} }
  return { ...fillPelvis(model, shape, random.integer(2 ** 31), spacing), record: {} }
}

function addHardware(model: SurfaceModel, ct: Volume<Int16Array>, shape: Shape, random: Random): object {
  if (isPelvis(model) && random.chance(0.6)) return addPelvisHardware(model, ct, shape, random)
  return addScrews(model, ct, shape, random)
}
