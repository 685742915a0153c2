import { type createPhantom, PAPER_DETECTOR, type Renderer } from '@raypose/core'
import { createDetector, type Detector as LandmarkDetector } from '@raypose/network'
import { readModel } from '../src/files/model.js'
import type { InitialPosePatient } from '../src/register/initial/initial-pose.js'

/** A phantom as a patient whose own network is the general one, which knows phantoms. Release the network in the end. */
export async function phantomPatient(
  { landmarks, isocenter }: ReturnType<typeof createPhantom>,
  renderer: Renderer
): Promise<{ network: LandmarkDetector; patient: InitialPosePatient }> {
  const model = await readModel()
  const network = await createDetector(model, { threads: 2 })
  return {
    network,
    patient: {
      network,
      renderer,
      landmarks,
      names: model.landmarkNames,
      weightsFor: () => landmarks.map(() => 1),
      isocenter,
      trained: PAPER_DETECTOR
    }
  }
}
