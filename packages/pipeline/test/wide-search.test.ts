import {
  applyRigid,
  createPhantom,
  DEGREE,
  linearise,
  type Mat4,
  PAPER_DETECTOR,
  poseErrors,
  poseFromView,
  renderMaterials,
  simulateXray,
  XRAY_PRESETS
} from '@raypose/core'
import { afterAll, describe, expect, it } from 'vitest'
import { assess } from '../src/register/assessment/assess.js'
import { registrationEvidence } from '../src/register/assessment/evidence.js'
import { COVARIANCE_SCALE } from '../src/register/assessment/status-model.js'
import { refineViews, workingView } from '../src/register/refine.js'
import { prepareRefinement } from '../src/register/refinement-volume.js'
import { widePoses } from '../src/register/wide-search.js'

const detector = PAPER_DETECTOR
const { ct, isocenter, landmarks } = createPhantom({ seed: 44, spacing: 2.5 })
const volume = prepareRefinement(ct)
const truth = poseFromView(
  { alpha: 6 * DEGREE, beta: -4 * DEGREE, gamma: 27 * DEGREE, translation: [8, -10, 31] },
  isocenter
)
const camera = { detector, cameraFromLps: truth }
const [materials] = renderMaterials(ct, [camera])
const xray = (preset: 'c-arm' | 'worst') =>
  linearise(
    simulateXray(
      materials,
      camera,
      { ...XRAY_PRESETS[preset], femursDeg: 0, collimation: 'none' },
      { seed: 3 }
    ).reading,
    { kind: 'intensity' }
  )
const tre = (pose: Mat4) => poseErrors(detector, pose, truth, landmarks).tre
/** A pose that no registration comes back from. */
const lost = poseFromView(
  { alpha: -30 * DEGREE, beta: 20 * DEGREE, gamma: -60 * DEGREE, translation: [-60, 90, -120] },
  isocenter
)

describe('a search all about the anatomy', () => {
  afterAll(() => volume.dispose())

  it.each(['c-arm', 'worst'] as const)('finds the pose with nothing but the picture, %s', preset => {
    const view = workingView({ image: xray(preset), detector, hypotheses: [], landmarks: [] }, [])
    const { poses: found } = widePoses([view], [], isocenter, 0, {
      renderer: volume.levelled,
      library: volume.library
    })
    expect(found.length).toBeGreaterThan(1)
    expect(tre(found[0].cameraFromLps)).toBeLessThan(15)
    for (let i = 1; i < found.length; i++)
      expect(found[i].similarity).toBeLessThanOrEqual(found[i - 1].similarity)
    // All of them have the anatomy before the source, at about the C-arm's distance.
    for (const { cameraFromLps } of found) {
      const [, , depth] = applyRigid(cameraFromLps, isocenter)
      expect(depth).toBeGreaterThan(400)
      expect(depth).toBeLessThan(1000)
    }
  })

  it('is made where landmarks are unsure, and its lead over all else is evidence', () => {
    const x = { image: xray('c-arm'), detector, hypotheses: [lost], landmarks: [] }
    const sure = refineViews(volume, [{ ...x, certainty: 1 }], landmarks, isocenter)
    expect(tre(sure.cameraFromLps)).toBeGreaterThan(20)
    expect(sure.searched).toBeUndefined()
    const unsure = refineViews(volume, [{ ...x, certainty: 0.1 }], landmarks, isocenter)
    expect(tre(unsure.cameraFromLps)).toBeLessThan(1)
    // Found without them, it is not held against it that landmarks refused.
    const judged = registrationEvidence(volume, unsure, landmarks, isocenter, COVARIANCE_SCALE)
    expect(assess(judged, isocenter, { initialRefused: 'Few landmarks agree.' }).status).toBe('accepted')
    const evidenceOf = (r: typeof sure) => registrationEvidence(volume, r, landmarks, isocenter, 1).evidence
    const blind = evidenceOf(sure)
    expect(blind.overSearched).toBeNaN()
    expect(blind.outstanding).toBeNaN()
    // Not a number: everything ended there.
    const { overSearched: lead, outstanding } = evidenceOf(unsure)
    expect(Number.isNaN(lead) || lead > 0.03).toBe(true)
    // The pose is more like the X-ray than nearly all DRRs about it, a wrong one is no more than usual.
    expect(outstanding).toBeGreaterThan(2.5)
    const wrong = registrationEvidence(volume, unsure, landmarks, isocenter, 1, {
      cameraFromLps: lost,
      normal: unsure.levels.at(-1)!.candidates[0].model.normal
    })
    expect(wrong.evidence.outstanding).toBeLessThan(1)
  })

  it('is gone on from with each of its best poses, and says where all of them ended', () => {
    const x = { image: xray('worst'), detector, hypotheses: [lost], landmarks: [], certainty: 0.1 }
    const r = refineViews(volume, [x], landmarks, isocenter)
    const { projectionDistance } = poseErrors(detector, r.cameraFromLps, truth, landmarks)
    expect(projectionDistance).toBeLessThan(4)
    const begun = Math.min(3, r.searched?.poses.length ?? 0)
    expect(begun).toBeGreaterThan(1)
    expect(r.levels.map(l => l.candidates.length)).toEqual(r.levels.map(() => begun))
    expect(r.levels.at(-1)!.candidates[0].cameraFromLps).toEqual(r.cameraFromLps)
    expect(r.similarityAfter).toBe(r.levels.at(-1)!.candidates[0].similarity)
    // Before: at the landmarks' own pose, which is lost.
    expect(r.similarityBefore).toBeLessThan(r.similarityAfter)
  })

  it('needs no start at all', () => {
    const x = { image: xray('c-arm'), detector, hypotheses: [], landmarks: [], certainty: 0 }
    expect(tre(refineViews(volume, [x], landmarks, isocenter).cameraFromLps)).toBeLessThan(1)
  })
})
