import { DEGREE, type Detector, type Image } from '@raypose/core'
import { CONVINCING } from './confidence.js'
import { networkEye, pictureRotation } from './eye.js'
import type { TubeSide } from './from-behind.js'
import { type Look, look, type Observer } from './look.js'
import { type Encoding, mayBe, type Picture, smallXray, takePicture } from './picture.js'
import type { XrayReading } from './types.js'

/** A found pose turned further than this is looked at again, upright: networks are trained on upright pictures. */
const LOOK_AGAIN = 20 * DEGREE
/** Turns tried where the upright picture is not convincing. */
const TURNS = Array.from({ length: 12 }, (_, i) => (i <= 6 ? i : i - 12) * 30 * DEGREE)

export interface Found {
  readonly best: Look
  readonly tried: number
  /** What was taken for known. */
  readonly reading: XrayReading
}

/**
 * The best look at an X-ray as `reading` says; where that does not convince, and part of it is hearsay, at one that may be otherwise. See {@link search}.
 */
export async function findBest(
  observer: Observer,
  image: Image,
  detector: Detector,
  trained: Detector,
  reading: XrayReading
): Promise<Found> {
  const told = await search(observer, image, detector, trained, reading)
  const { hearsay = [] } = reading
  if (told.best.confidence.value >= CONVINCING || hearsay.length === 0) return told
  const open = Object.fromEntries(
    Object.entries(reading).filter(([key]) => !(hearsay as readonly string[]).includes(key))
  )
  const other = await search(observer, image, detector, trained, open)
  const tried = told.tried + other.tried
  return other.best.confidence.value >= CONVINCING ? { ...other, tried } : { ...told, tried }
}

/**
 * Looks at an X-ray in the most likely way, and, only while nothing convinces, in the others: encodings (logarithm, inversion), then
 * turns, mirrored last. Where the file does not say whether the picture is mirrored, or the tube behind the patient, the other way is looked at as well,
 * for a pelvis is nearly its own mirror image, and so is the other of logarithm and reading: the one that the DRR is more like is taken.
 */
async function search(
  observer: Observer,
  image: Image,
  detector: Detector,
  trained: Detector,
  reading: XrayReading
): Promise<Found> {
  const started = performance.now()
  const small = smallXray(image, detector, networkEye(trained, detector).detector)
  observer.spent.normalise += performance.now() - started
  const pictures = new Map<string, Picture>()
  const pictureOf = (e: Encoding, whole: boolean): Picture => {
    const key = `${e.intensity} ${e.bright} ${e.mirrored} ${whole}`
    const mark = performance.now()
    const p = pictures.get(key) ?? takePicture(small, e, whole)
    pictures.set(key, p)
    observer.spent.normalise += performance.now() - mark
    return p
  }
  let tried = 0
  let best: Look | null = null
  const lookAt = async (encoding: Encoding, turn: number, tube: TubeSide, whole: boolean): Promise<Look> => {
    tried++
    const picture = pictureOf(encoding, whole)
    return look(observer, picture, networkEye(trained, picture.detector, turn), tube)
  }
  const consider = async (
    encoding: Encoding,
    turn: number,
    tube: TubeSide,
    better = surer
  ): Promise<void> => {
    let l = await lookAt(encoding, turn, tube, false)
    // A thick patient beside the open beam can look like a blade.
    if (l.picture.fieldShare < 1) {
      const all = await lookAt(encoding, turn, tube, true)
      if (fuller(all, l)) l = all
    }
    if (!best || better(l, best)) best = l
  }
  const convinced = () => best !== null && best.confidence.value >= CONVINCING
  const likely = encodingsOf(reading)
  const possible = likely.filter(e => mayBe(small.image, e))
  // None: what was told is wrong, and says so itself.
  const encodings = possible.length > 0 ? possible : likely
  const turns = reading.rotation === undefined ? TURNS : [reading.rotation]
  const tubes = tubesOf(reading)
  // Upright in every encoding first, then turned; each in the file's own way round before its mirror image.
  stages: for (const some of [turns.slice(0, 1), turns.slice(1)])
    for (const mirrored of mirroredOf(reading))
      for (const tube of tubes)
        for (const e of encodings)
          for (const turn of some) {
            await consider({ ...e, mirrored }, turn, tube)
            if (convinced()) break stages
          }
  let found: Look = best!
  if (found.pose) {
    const { picture, eye, tube: side } = found
    const hearsay = reading.hearsay?.includes('mirrored') && reading.mirrored !== undefined
    for (const mirrored of hearsay ? [false, true] : mirroredOf(reading))
      for (const tube of tubes) {
        const same = mirrored === picture.encoding.mirrored
        if (same && tube === side) continue
        const better = hearsay && !same ? clearlyLiker : liker
        await consider({ ...picture.encoding, mirrored }, same ? eye.turn : -eye.turn, tube, better)
      }
    found = best!
  }
  if (found.confidence.word !== 'no' && reading.intensity === undefined) {
    const { encoding } = found.picture
    const other = encoding.intensity === 'log' ? 'linear' : 'log'
    if (mayBe(small.image, { ...encoding, intensity: other }))
      await consider({ ...encoding, intensity: other }, found.eye.turn, found.tube, liker)
    found = best!
  }
  const rotation = found.pose ? pictureRotation(found.pose.cameraFromLps) : 0
  if (Math.abs(rotation) > LOOK_AGAIN && found.confidence.word !== 'no') {
    await consider(found.picture.encoding, found.eye.turn + rotation, found.tube)
    found = best!
  }
  return { best: found, tried, reading }
}

/** The picture without a border, if that shows clearly more of the landmarks, or the pose is surer. */
const fuller = (all: Look, within: Look): boolean => {
  const confirmed = (l: Look) => l.confidence.evidence.confirmed
  return all.confidence.value >= CONVINCING && confirmed(all) > confirmed(within)
    ? true
    : surer(all, within) && confirmed(all) >= confirmed(within)
}

const surer = (a: Look, b: Look): boolean => a.confidence.value > b.confidence.value

/** Landmarks hardly tell a pelvis from its mirror image, nor a reading from its logarithm; the DRR does. */
const liker = (a: Look, b: Look): boolean =>
  a.confidence.word !== 'no' &&
  (b.confidence.word === 'no' || a.confidence.evidence.similarity > b.confidence.evidence.similarity)

/** What it takes to go against a file. */
const CLEARLY = 0.05

const clearlyLiker = (a: Look, b: Look): boolean =>
  liker(a, b) && a.confidence.evidence.similarity > b.confidence.evidence.similarity + CLEARLY

const mirroredOf = ({ mirrored }: XrayReading): boolean[] =>
  mirrored === undefined ? [false, true] : [mirrored]

const tubesOf = ({ tube, guess }: XrayReading): TubeSide[] =>
  tube ? [tube] : guess?.tube === 'behind' ? ['behind', 'front'] : ['front', 'behind']

/** Ways of taking the values, the likelier first. */
function encodingsOf({ intensity, bright, guess }: XrayReading): Omit<Encoding, 'mirrored'>[] {
  const usual: Omit<Encoding, 'mirrored'>[] = [
    { intensity: 'log', bright: 'attenuation' },
    { intensity: 'log', bright: 'exposure' },
    { intensity: 'linear', bright: 'exposure' },
    { intensity: 'linear', bright: 'attenuation' }
  ]
  const likely = (e: Omit<Encoding, 'mirrored'>) =>
    guess ? Number(e.intensity !== guess.intensity) + 2 * Number(e.bright !== guess.bright) : 0
  usual.sort((a, b) => likely(a) - likely(b))
  return usual.filter(
    e =>
      (intensity === undefined || e.intensity === intensity) && (bright === undefined || e.bright === bright)
  )
}
