import { composeRigid, type Detector, invertRigid, type Mat4, poseFromView } from '@raypose/core'
import { viewFromPositioner, type Xray } from '@raypose/formats'
import { plausibleSourceToPatient } from './source-to-patient.js'

/** Where the relative poses of several X-rays come from: exact poses, the C-arm's angles, or nowhere. */
export type RelativeSource = 'tracked' | 'angles' | 'unknown'

export interface RelativeGeometry {
  readonly source: RelativeSource
  /** Each camera from the first; undefined where it is not known. */
  readonly cameraFromFirst: readonly (Mat4 | undefined)[]
  /** For people. */
  readonly note: string
}

type Placed = Pick<Xray, 'cameraFromLps' | 'positioner' | 'sourceToPatient'> & {
  readonly detector?: Pick<Detector, 'sdd'> | null
}

/**
 * What files say of how their X-rays were taken to one another. Poses in one frame (of the room, of a tracker, of the patient) give it
 * exactly; the positioner's angles give it where the C-arm turned about its isocentre and nothing else moved.
 * @param wanted only this; default: the best there is
 */
export function relativeGeometry(xrays: readonly Placed[], wanted?: RelativeSource): RelativeGeometry {
  const poses = xrays.map(x => x.cameraFromLps)
  if ((wanted === undefined || wanted === 'tracked') && poses.every(p => p !== null))
    return {
      source: 'tracked',
      cameraFromFirst: fromFirst(poses),
      note: 'The relative geometry of the X-rays is that of the camera poses in their files.'
    }
  const turned = xrays.map(poseOfPositioner)
  if ((wanted === undefined || wanted === 'angles') && turned.every(p => p !== null))
    return {
      source: 'angles',
      cameraFromFirst: fromFirst(turned),
      note: "The relative geometry of the X-rays is that of the C-arm's angles about its isocentre, roughly."
    }
  return {
    source: 'unknown',
    cameraFromFirst: xrays.map(() => undefined),
    note: 'Nothing says how the X-rays were taken to one another: each was registered by itself.'
  }
}

const fromFirst = (poses: readonly Mat4[]) =>
  poses.map((p, i) => (i === 0 ? undefined : composeRigid(p, invertRigid(poses[0]))))

/** About the isocentre as origin. */
function poseOfPositioner({ positioner, sourceToPatient, detector }: Placed): Mat4 | null {
  const distance = detector ? plausibleSourceToPatient(sourceToPatient, detector.sdd) : sourceToPatient
  if (!positioner || !distance) return null
  const view = {
    ...viewFromPositioner(positioner.primary, positioner.secondary),
    translation: [0, 0, 0] as const
  }
  return poseFromView(view, [0, 0, 0], distance)
}
