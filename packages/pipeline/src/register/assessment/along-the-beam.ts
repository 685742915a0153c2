import { plausibleSourceToPatient } from '../source-to-patient.js'

/** Distances that an X-ray's file or its user gives, mm. */
export interface BeamGeometry {
  readonly sourceToDetector: number
  /** Source to patient (DICOM 0018,1111), where it is given. */
  readonly sourceToPatient?: number
}

/** What a pose's place along the beam says against it. */
export interface BeamFindings {
  /** Forbids to use the pose. */
  readonly fatal: readonly string[]
  /** Forbids to accept it. */
  readonly doubts: readonly string[]
  /** Worth a sentence. */
  readonly remarks: readonly string[]
}

/** A pelvis whose middle is nearer to the detector than this would reach into it, mm. */
const LEAST_BEFORE_DETECTOR = 50
/**
 * Patients lie about 40 mm (standard deviation) from where a C-arm's file has them: worth a sentence from the first on, not to be accepted from the second,
 * mm. To doubt a right pose costs a look; to accept one that is 80 mm off may cost more.
 */
const REMARKABLE = 60
const BEYOND_BELIEF = 80

const ADVICE =
  'pixel size or source-to-detector distance may be wrong, and the pose with them, however well it fits'

/**
 * Checks a pose against the distances that came with its X-ray. A wrong pixel size or source-to-detector distance moves the pose along the beam,
 * where the picture itself hardly tells: nothing else can find it out.
 * @param depth of the anatomy's middle under the pose, mm from the source
 */
export function alongTheBeam(
  depth: number,
  { sourceToDetector, sourceToPatient }: BeamGeometry
): BeamFindings {
  const mm = (x: number) => `${x.toFixed(0)} mm`
  if (depth > sourceToDetector - LEAST_BEFORE_DETECTOR)
    return {
      fatal: [
        `The pose has the patient ${mm(depth)} from the source, the detector is at ${mm(sourceToDetector)}: pixel size or source-to-detector distance is wrong.`
      ],
      doubts: [],
      remarks: []
    }
  const told = plausibleSourceToPatient(sourceToPatient, sourceToDetector)
  const off = told === undefined ? 0 : Math.abs(depth - told)
  if (off <= REMARKABLE) return { fatal: [], doubts: [], remarks: [] }
  const sentence = `The X-ray's file says ${mm(told ?? 0)} from source to patient, the pose ${mm(depth)}: ${ADVICE}.`
  return off > BEYOND_BELIEF
    ? { fatal: [], doubts: [sentence], remarks: [] }
    : { fatal: [], doubts: [], remarks: [sentence] }
}
