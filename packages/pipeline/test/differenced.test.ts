import {
  type Camera,
  createPhantom,
  DEGREE,
  type Detection,
  type Mat4,
  PAPER_DETECTOR,
  poseErrors,
  poseFromView,
  project,
  type Vec3
} from '@raypose/core'
import { describe, expect, it } from 'vitest'
import { correctedBy, differenced } from '../src/register/initial/differenced.js'
import { type Look, type Observer, poseFrom } from '../src/register/initial/look.js'

const phantom = createPhantom({ seed: 31, spacing: 4 })
const { landmarks, isocenter } = phantom
const detector = PAPER_DETECTOR
const poseAt = (gamma: number, translation: Vec3): Mat4 =>
  poseFromView({ alpha: 2 * DEGREE, beta: 3 * DEGREE, gamma: gamma * DEGREE, translation }, isocenter)
const truth = poseAt(12, [4, 10, -6])

type Wrong = (k: number, u: number, v: number) => readonly [number, number]

/** A network that is wrong in a known way. The stand-in for an image is its camera's pose, which the stand-in for a network reads. */
function observerOf(wrong: Wrong): Observer {
  const see = (pose: readonly number[]): Detection[] =>
    landmarks.map((p, k) => {
      const { u, v } = project({ detector, cameraFromLps: pose as unknown as Mat4 }, p)
      const [du, dv] = wrong(k, u, v)
      return { u: u + du, v: v + dv, confidence: 0.9, spread: 3 }
    })
  return {
    network: { detect: async images => images.map(x => see(Array.from(x))) },
    renderer: {
      render: (camera: Camera) => ({ width: 4, height: 4, data: Float32Array.from(camera.cameraFromLps) })
    } as unknown as Observer['renderer'],
    landmarks,
    weightsFor: () => landmarks.map(() => 1),
    isocenter,
    spent: { normalise: 0, detect: 0, pose: 0, verify: 0 }
  }
}

async function errorsWith(wrong: Wrong) {
  const observer = observerOf(wrong)
  const [detections] = await observer.network.detect([Float32Array.from(truth)])
  const eye = { detector, turn: 0 }
  const pose = poseFrom(observer, detections, eye, [], observer.weightsFor(null))
  const look = { eye, detections, pose } as unknown as Look
  const after = await differenced(observer, look, drr => [drr.data])
  const of = (m: Mat4) => poseErrors(detector, m, truth, landmarks).tre
  return { before: of(pose.cameraFromLps), after: of(after.pose!.cameraFromLps) }
}

describe('detections less what the network gets wrong on a DRR', () => {
  it('give the true pose where the network is wrong by the same amount wherever the camera is', async () => {
    const { before, after } = await errorsWith(k => [3 * Math.sin(k * 2.1), 3 * Math.cos(k * 1.3)])
    expect(before).toBeGreaterThan(1)
    expect(after).toBeLessThan(0.02)
  })

  it('come close to it where the network sees everything too small, which nothing else can tell from depth', async () => {
    const small = 0.03
    const [cu, cv] = detector.principalPoint
    const { before, after } = await errorsWith((_, u, v) => [small * (cu - u), small * (cv - v)])
    // Each round leaves the share `small` of the error.
    expect(before).toBeGreaterThan(15)
    expect(after).toBeLessThan(5 * small * small * before)
  })

  it('are corrected by its errors there, landmark by landmark, where both are seen and they are no further apart than that', () => {
    const camera = { detector, cameraFromLps: truth }
    const places = [landmarks[0], landmarks[1], landmarks[2], landmarks[3]]
    const at = places.map(p => project(camera, p))
    const drawn = at.map(({ u, v }, k) => ({
      u: u + (k === 1 ? 30 : 2),
      v: v - 1,
      confidence: k === 2 ? 0.1 : 0.9
    }))
    const seen = at.map(({ u, v }, k) => ({ u: u + 5, v, confidence: k === 3 ? 0.2 : 0.8 }))
    const corrected = correctedBy(seen, drawn, camera, places, 10)
    expect(corrected[0].u).toBeCloseTo(seen[0].u - 2, 9)
    expect(corrected[0].v).toBeCloseTo(seen[0].v + 1, 9)
    expect(corrected[0].confidence).toBe(0.8)
    for (const k of [1, 2, 3]) expect(corrected[k]).toEqual(seen[k])
  })
})
