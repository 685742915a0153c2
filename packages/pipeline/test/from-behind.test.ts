import {
  createPhantom,
  createRandom,
  createWasmRenderer,
  DEGREE,
  dot,
  type Image,
  type Mat4,
  mirrorDetector,
  mirrorImage,
  PAPER_DETECTOR,
  poseErrors,
  poseFromView,
  simulateReading,
  type Vec3,
  viewFromPose,
  XRAY_PRESETS
} from '@raypose/core'
import type { Detector as LandmarkDetector } from '@raypose/network'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fromTheFront, seenFromBehind } from '../src/register/initial/from-behind.js'
import { type InitialPosePatient, initialPose } from '../src/register/initial/initial-pose.js'
import type { XrayReading } from '../src/register/initial/types.js'
import { phantomPatient } from './phantom-patient.js'

const phantom = createPhantom({ seed: 31, spacing: 2, size: [164, 123, 144] })
const renderer = createWasmRenderer(phantom.ct)
const at = (alpha: number, beta: number, gamma: number): Mat4 =>
  poseFromView(
    { alpha: alpha * DEGREE, beta: beta * DEGREE, gamma: gamma * DEGREE, translation: [4, 10, -6] },
    phantom.isocenter
  )
const axisOf = (m: Mat4, row: number): Vec3 => [m[4 * row], m[4 * row + 1], m[4 * row + 2]]

describe('a picture taken from behind', () => {
  it('is shown to the network in a mirror, and what is found there is turned back', async () => {
    const [width, height] = [7, 3]
    // Finds the brightest pixel.
    const network = {
      detect: async (images: readonly Float32Array[]) =>
        images.map(data => {
          const i = data.indexOf(Math.max(...data))
          return [{ u: i % width, v: Math.floor(i / width), confidence: i === width ? 0.9 : 0.1, spread: 1 }]
        })
    }
    const image = new Float32Array(width * height)
    image[1 * width + 6] = 1
    const [[found]] = await seenFromBehind(network, [width, height]).detect([image])
    // The network saw it at the left rim of the second row.
    expect(found).toMatchObject({ u: 6, v: 1, confidence: 0.9 })
  })

  it('has the angles of the view from the front along the same lines', () => {
    for (const [alpha, beta, gamma] of [
      [0, 0, 180],
      [12, 4, 170],
      [-9, -6, -155]
    ]) {
      const pose = at(alpha, beta, gamma)
      const front = fromTheFront(pose)
      // Rows go the same way; columns and the beam are turned round.
      expect(dot(axisOf(front, 0), axisOf(pose, 0))).toBeCloseTo(-1, 9)
      expect(dot(axisOf(front, 1), axisOf(pose, 1))).toBeCloseTo(1, 9)
      expect(dot(axisOf(front, 2), axisOf(pose, 2))).toBeCloseTo(-1, 9)
      const view = viewFromPose(front, phantom.isocenter)
      expect(Math.abs(view.gamma)).toBeLessThan(40 * DEGREE)
      expect(Math.abs(view.alpha)).toBeLessThan(20 * DEGREE)
      expect(Math.abs(view.beta)).toBeLessThan(20 * DEGREE)
    }
    const pose = at(5, 3, 20)
    expect(fromTheFront(pose)).toBe(pose)
  })
})

describe('the initial pose from behind', () => {
  let network: LandmarkDetector
  let patient: InitialPosePatient
  beforeAll(async () => {
    ;({ network, patient } = await phantomPatient(phantom, renderer))
  })
  afterAll(async () => {
    await network.release()
    renderer.dispose()
  })
  const shoot = (pose: Mat4): Image =>
    simulateReading(
      renderer.render({ detector: PAPER_DETECTOR, cameraFromLps: pose }),
      PAPER_DETECTOR.pixel[0],
      XRAY_PRESETS.paper,
      createRandom(5)
    )
  const KNOWN: XrayReading = { intensity: 'linear', bright: 'exposure', mirrored: false }
  /** The paper's success threshold, mm. */
  const SUCCESS = 9.6

  it.each([176, -160, 155])('is found at an orbit of %d°, and said', async gamma => {
    const pose = at(6, 3, gamma)
    const found = await initialPose(patient, shoot(pose), PAPER_DETECTOR, KNOWN)
    expect(found.normalisation).toMatchObject({ tube: 'behind', settled: { tube: 'found' } })
    expect(found.accepted).toBe(true)
    const { projectionDistance } = poseErrors(
      PAPER_DETECTOR,
      found.hypotheses[0].cameraFromLps,
      pose,
      phantom.landmarks
    )
    expect(projectionDistance).toBeLessThan(SUCCESS)
  })

  it('is that of the picture mirrored back, where it is stored as seen from the front', async () => {
    const pose = at(4, -3, 172)
    const stored = mirrorImage(shoot(pose))
    const found = await initialPose(patient, stored, PAPER_DETECTOR, { ...KNOWN, mirrored: true })
    expect(found.normalisation).toMatchObject({ tube: 'behind', mirrored: true })
    const { projectionDistance } = poseErrors(
      mirrorDetector(PAPER_DETECTOR),
      found.hypotheses[0].cameraFromLps,
      pose,
      phantom.landmarks
    )
    expect(projectionDistance).toBeLessThan(SUCCESS)
  })

  it('is not looked for where the tube is told to be in front, and a tube in front is not taken for one behind', async () => {
    const behind = await initialPose(patient, shoot(at(4, 3, 180)), PAPER_DETECTOR, {
      ...KNOWN,
      rotation: 0,
      tube: 'front'
    })
    expect(behind.normalisation).toMatchObject({ tube: 'front', settled: { tube: 'given' } })
    const pose = at(4, 3, 12)
    const front = await initialPose(patient, shoot(pose), PAPER_DETECTOR, {
      ...KNOWN,
      guess: { intensity: 'linear', bright: 'exposure', tube: 'behind' }
    })
    expect(front.normalisation).toMatchObject({ tube: 'front', settled: { tube: 'found' } })
    expect(
      poseErrors(PAPER_DETECTOR, front.hypotheses[0].cameraFromLps, pose, phantom.landmarks)
        .projectionDistance
    ).toBeLessThan(SUCCESS)
  })
})
