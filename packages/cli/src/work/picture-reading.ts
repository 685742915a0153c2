import { beamFromPositioner, type CalibratedXray, viewFromPositioner } from '@raypose/formats'
import type { Normalisation, TubeSide, XrayReading } from '@raypose/pipeline'
import type { RegisterWork } from './register-work.js'

type Told = 'intensity' | 'bright' | 'mirrored'

/** What a file may leave open about its values, as sentences about what was found. */
const FOUND: Record<Told, (n: Normalisation) => string> = {
  intensity: n =>
    `The file does not say whether its values are a detector reading (linear) or its logarithm: taken for ${n.intensity} (see --intensity).`,
  bright: n => `The file does not say what bright stands for: taken for ${n.bright} (see --bright).`,
  mirrored: n =>
    `The file does not say from which side the picture is seen: taken ${n.mirrored ? 'as mirrored' : 'as it is'} (see --orientation).`
}

/** Pictures turned further than this are worth a sentence, degrees. */
const TURNED = 30

/** What a file said that the picture contradicts. */
const CONTRADICTED: Record<Told, (said: XrayReading) => string> = {
  intensity: s => `The file says that its values are ${s.intensity}; the picture fits only otherwise.`,
  bright: s => `The file says that bright stands for ${s.bright}; the picture fits only otherwise.`,
  mirrored: s =>
    `By its file the picture is ${s.mirrored ? 'stored as seen from behind the detector' : 'stored as seen from the tube'}; it fits only the other way.`
}

/** What was found about the picture, for people. @param said what was known before */
export function findings(n: Normalisation, said: XrayReading): string[] {
  const keys = (['intensity', 'bright', 'mirrored'] as const).filter(k => n.settled[k] === 'found')
  return [
    ...keys.map(k => (said[k] === undefined || said[k] === n[k] ? FOUND[k](n) : CONTRADICTED[k](said))),
    ...(n.mirrored ? ['The picture is stored as seen from the other side; its columns were reversed.'] : []),
    ...(n.tube === 'behind' && n.settled.tube === 'found'
      ? ['The X-ray was taken from behind the patient (the tube beneath the table).']
      : []),
    ...(Math.abs(n.rotationDeg) > TURNED
      ? [`The patient's head points ${Math.round(n.rotationDeg)}° clockwise from the top of the picture.`]
      : [])
  ]
}

/** What the file and the user say of the picture; what the file only suggests is tried first. */
export function readingOf(
  xray: CalibratedXray,
  w: Pick<RegisterWork, 'orientation' | 'tube' | 'reading'>
): XrayReading {
  const told = (key: 'intensity' | 'bright') => !xray.guessed.includes(key)
  const byFile: Record<Told, boolean> = {
    intensity: told('intensity') && w.reading.intensity === undefined,
    bright: told('bright') && w.reading.bright === undefined,
    mirrored: xray.mirrored !== null && w.orientation?.mirrored === undefined
  }
  return {
    ...(told('intensity') && { intensity: xray.intensity }),
    ...(told('bright') && { bright: xray.bright }),
    ...(xray.mirrored !== null && { mirrored: xray.mirrored }),
    ...(xray.sourceToPatient !== null && { sourceToPatient: xray.sourceToPatient }),
    ...w.orientation,
    ...(w.tube && { tube: w.tube }),
    hearsay: (['intensity', 'bright', 'mirrored'] as const).filter(k => byFile[k]),
    guess: {
      intensity: xray.intensity,
      bright: xray.bright,
      tube: likelyTube(xray),
      ...(xray.positioner && {
        view: viewFromPositioner(xray.positioner.primary, xray.positioner.secondary)
      })
    }
  }
}

/** Beams flatter than this (cosine to anterior-posterior) are lateral ones. */
const LATERAL = 0.2

/** Where the positioner's angles have the tube; they are tried first, no more: tables of angles are wrong for other patient positions. */
function likelyTube({ positioner }: Pick<CalibratedXray, 'positioner'>): TubeSide | undefined {
  if (!positioner) return undefined
  const towardsFront = -beamFromPositioner(positioner.primary, positioner.secondary)[1]
  if (Math.abs(towardsFront) < LATERAL) return undefined
  return towardsFront > 0 ? 'behind' : 'front'
}
