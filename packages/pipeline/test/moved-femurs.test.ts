import {
  createPhantom,
  createWasmRenderer,
  DEGREE,
  type DerivativeRenderer,
  type FemurTurns,
  type Mat4,
  movableFemurs,
  PAPER_DETECTOR,
  poseErrors,
  poseFromView,
  rigidPoseVariables,
  UNIT_SCALE,
  type Volume
} from '@raypose/core'
import { afterAll, describe, expect, it } from 'vitest'
import { refineViews } from '../src/register/refine.js'
import { prepareRefinement, type RefinementVolume } from '../src/register/refinement-volume.js'

/** Both knees forward, one leg outward, the other turned in: about as far as draping and a table move them. */
const TURNS: FemurTurns = {
  left: { flexion: 14 * DEGREE, abduction: 10 * DEGREE, rotation: -8 * DEGREE },
  right: { flexion: 9 * DEGREE, abduction: -5 * DEGREE, rotation: 12 * DEGREE }
}

describe('an X-ray of legs that lie otherwise than in the CT', () => {
  const phantom = createPhantom({ seed: 51, spacing: 1.6 })
  const volume = phantom.ct as Volume<Int16Array>
  const movable = movableFemurs(volume, phantom.landmarks)
  const knowing = prepareRefinement(volume, movable)
  const asInCt = createWasmRenderer(volume)
  const moved = createWasmRenderer(movable.move(TURNS))
  afterAll(() => {
    for (const x of [knowing, asInCt, moved]) x.dispose()
  })
  // Level with the lowest landmarks: hips and thighs are most of the picture.
  const lowest = Math.min(...phantom.landmarks.map(p => p[2])) - phantom.isocenter[2]
  const poses = [-20, 15].map(gamma =>
    poseFromView(
      { alpha: 5 * DEGREE, beta: -4 * DEGREE, gamma: gamma * DEGREE, translation: [6, -8, lowest] },
      phantom.isocenter
    )
  )
  /** mPD, mm, from 8 mm off. */
  const error = (ct: RefinementVolume, renderer: typeof moved, truth: Mat4): number => {
    const image = renderer.render({ detector: PAPER_DETECTOR, cameraFromLps: truth })
    const start = rigidPoseVariables(truth, phantom.isocenter, UNIT_SCALE).poseAt([
      0.03, -0.02, 0.02, 4, -3, 15
    ])
    const xray = { image, detector: PAPER_DETECTOR, hypotheses: [start], landmarks: [] }
    const { cameraFromLps } = refineViews(ct, [xray], phantom.landmarks, phantom.isocenter)
    return poseErrors(PAPER_DETECTOR, cameraFromLps, truth, phantom.landmarks).projectionDistance
  }

  it('is registered by the bones that stayed, and so is one of legs that did not move', () => {
    for (const truth of poses) {
      expect(error(knowing, moved, truth)).toBeLessThan(0.6)
      expect(error(knowing, asInCt, truth)).toBeLessThan(0.3)
    }
  })

  it('is compared with all but the loose femurs first, and with bones alone in the last steps', () => {
    const camera = { detector: PAPER_DETECTOR, cameraFromLps: poses[0] }
    const drrOf = (r: DerivativeRenderer) => r.renderWithDerivatives(camera, phantom.isocenter).image.data
    const [whole, still, bones] = [drrOf(knowing.levelled), drrOf(knowing.still), drrOf(knowing.bones())]
    const gone = whole.map((x, i) => x - still[i])
    // Some 40 mm of a femur, 300 HU above the flesh that takes its place: 40 mm · 0.3 · 0.02 / mm.
    expect(Math.max(...gone)).toBeGreaterThan(0.2)
    expect(Math.max(...gone)).toBeLessThan(1)
    expect(gone.filter(x => x === 0).length).toBeGreaterThan(0.3 * gone.length)
    const sum = (x: Float32Array) => x.reduce((s, v) => s + v, 0)
    expect(sum(bones)).toBeLessThan(0.3 * sum(still))
    expect(sum(bones)).toBeGreaterThan(0.01 * sum(still))
  })

  it('is compared with all of the CT where femurs are not told apart', () => {
    const plain = prepareRefinement(volume)
    expect(plain.still).toBe(plain.levelled)
    plain.dispose()
  })
})
