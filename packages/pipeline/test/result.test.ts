import {
  applyRigid,
  assertRigid,
  IDENTITY3,
  type Mat3,
  mulMat3Vec3,
  PAPER_DETECTOR,
  poseFromView,
  type Vec3
} from '@raypose/core'
import { describe, expect, it } from 'vitest'
import type { Patient } from '../src/patient/bundle.js'
import { registrationJson, turnedNote } from '../src/register/result.js'
import type { Registration } from '../src/types.js'

const finalPose = poseFromView({ alpha: 0.1, beta: -0.2, gamma: 0.3, translation: [5, 6, 7] }, [10, 20, 30])
const registration = {
  status: 'accepted',
  detector: PAPER_DETECTOR,
  initialPose: finalPose,
  finalPose,
  initial: { confidence: {}, normalisation: {} }
} as unknown as Registration
const jsonFor = (lpsFromCt: Mat3) =>
  registrationJson(
    registration,
    { isocenter: [10, 20, 30] as Vec3, lpsFromCt, sha256: 'beef' } as unknown as Patient,
    { file: 'a.dcm', sha256: 'f00d' },
    {},
    ['The X-ray is 8 bits deep.']
  )

describe('the result of a registration', () => {
  it('has the pose for the coordinates of the CT’s file, and says where they are not the patient’s', () => {
    // The file has the head towards +y and the front towards +z.
    const lpsFromCt: Mat3 = [1, 0, 0, 0, 0, -1, 0, 1, 0]
    const json = jsonFor(lpsFromCt)
    const inFile: Vec3 = [12, -30, 8]
    const expected = applyRigid(finalPose, mulMat3Vec3(lpsFromCt, inFile))
    applyRigid(assertRigid(json.cameraFromCt, 'cameraFromCt'), inFile).forEach((x, i) => {
      expect(x).toBeCloseTo(expected[i], 9)
    })
    expect(json.lpsFromCt).toEqual(lpsFromCt)
    expect(json.notes).toEqual([
      expect.stringMatching(/head is towards \+y and the front towards \+z.*cameraFromCt/),
      'The X-ray is 8 bits deep.'
    ])
  })

  it('says nothing of it where they are', () => {
    const json = jsonFor(IDENTITY3)
    expect(json.cameraFromCt).toEqual(json.geometry.cameraFromLps)
    expect(json.notes).toEqual(['The X-ray is 8 bits deep.'])
    expect(turnedNote(IDENTITY3)).toBeNull()
  })
})
