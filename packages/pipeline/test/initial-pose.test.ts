import {
  boxBlur,
  composeRigid,
  createPhantom,
  createRandom,
  createWasmRenderer,
  DEGREE,
  type Detector,
  exposedField,
  type Image,
  type Mat4,
  mirrorImage,
  PAPER_DETECTOR,
  poseErrors,
  poseFromView,
  project,
  rigid,
  rotationZ,
  simulateReading,
  XRAY_PRESETS,
  XrayError,
  type XraySettings
} from '@raypose/core'
import type { Detector as LandmarkDetector } from '@raypose/network'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { networkEye, pictureRotation } from '../src/register/initial/eye.js'
import { type InitialPosePatient, initialPose, normaliseXray } from '../src/register/initial/initial-pose.js'
import type { InitialPose, XrayReading } from '../src/register/initial/types.js'
import { lineIntegrals } from '../src/register/line-integrals.js'
import { phantomPatient } from './phantom-patient.js'

const phantom = createPhantom({ seed: 31, spacing: 2, size: [164, 123, 144] })
const renderer = createWasmRenderer(phantom.ct)
const READING: XrayReading = { intensity: 'linear', bright: 'exposure', mirrored: false }
const truth = poseFromView(
  { alpha: 4 * DEGREE, beta: 3 * DEGREE, gamma: 12 * DEGREE, translation: [4, 10, -6] },
  phantom.isocenter
)
/** The general network stands in for a patient's own: it knows phantoms. */
let network: LandmarkDetector
let patient: InitialPosePatient
beforeAll(async () => {
  ;({ network, patient } = await phantomPatient(phantom, renderer))
})
afterAll(async () => {
  await network.release()
  renderer.dispose()
})

function shoot(pose: Mat4, detector: Detector = PAPER_DETECTOR, change: Partial<XraySettings> = {}): Image {
  const settings = { ...XRAY_PRESETS.paper, ...change }
  return simulateReading(
    renderer.render({ detector, cameraFromLps: pose }),
    detector.pixel[0],
    settings,
    createRandom(5)
  )
}

/** mPD of the best hypothesis, mm. */
const distanceOf = (found: InitialPose, pose: Mat4, detector: Detector = PAPER_DETECTOR) =>
  poseErrors(detector, found.hypotheses[0].cameraFromLps, pose, phantom.landmarks).projectionDistance

/** The paper's success threshold. */
const SUCCESS = 9.6
const turned = (degrees: number): Mat4 => composeRigid(rigid(rotationZ(degrees * DEGREE), [0, 0, 0]), truth)

describe('the network’s eye', () => {
  it('is centred on the picture at every turn, and a turned picture is seen upright through it', () => {
    const xray: Detector = { sdd: 1000, pixel: [0.5, 0.5], size: [600, 400], principalPoint: [250, 230] }
    const upright = poseFromView({ alpha: 0, beta: 0, gamma: 0, translation: [0, 0, 0] }, phantom.isocenter)
    expect(pictureRotation(upright)).toBeCloseTo(0, 12)
    for (const turn of [0, 0.7, -2]) {
      const pose = composeRigid(rigid(rotationZ(turn), [0, 0, 0]), upright)
      expect(pictureRotation(pose)).toBeCloseTo(turn, 9)
      const eye = networkEye(PAPER_DETECTOR, xray, turn)
      // The eye's own camera sees the ray of the picture's middle in its own middle.
      const p = project({ detector: xray, cameraFromLps: pose }, phantom.landmarks[4])
      const q = project({ detector: eye.detector, cameraFromLps: upright }, phantom.landmarks[4])
      const slope = (d: Detector, u: number, v: number) => [
        ((u - d.principalPoint[0]) * d.pixel[0]) / d.sdd,
        ((v - d.principalPoint[1]) * d.pixel[1]) / d.sdd
      ]
      const [x, y] = slope(eye.detector, q.u, q.v)
      const [a, b] = slope(xray, p.u, p.v)
      expect(Math.cos(turn) * x - Math.sin(turn) * y).toBeCloseTo(a, 9)
      expect(Math.sin(turn) * x + Math.cos(turn) * y).toBeCloseTo(b, 9)
    }
  })
})

describe('the initial pose', () => {
  it('is not misled by a thick part of the patient that looks like a blade', async () => {
    const { width, height, data } = lineIntegrals({
      image: shoot(truth),
      intensity: 'linear',
      bright: 'exposure'
    })
    // Something dense over the upper third, with a sharp edge, as flesh beside the open beam has.
    const belted = { width, height, data: data.map((x, i) => (i < (width * height) / 3 ? x + 2.5 : x)) }
    expect(exposedField(belted).share).toBeLessThan(0.8)
    // A network that is lost without the upper third.
    const needsAll: InitialPosePatient['network'] = {
      detect: async images =>
        images.map(seen => {
          const hidden = seen.slice(0, 20 * width).every(x => x === seen[0])
          return phantom.landmarks.map((p, i) => {
            const { u, v } = project({ detector: PAPER_DETECTOR, cameraFromLps: truth }, p)
            return hidden && i > 5
              ? { u: (37 * i) % width, v: (53 * i) % height, confidence: 0.4 }
              : { u, v, confidence: 0.95 }
          })
        })
    }
    const found = await initialPose({ ...patient, network: needsAll }, belted, PAPER_DETECTOR)
    expect(found.normalisation.fieldShare).toBe(1)
    expect(distanceOf(found, truth)).toBeLessThan(1)
  })

  it('of a plain picture is found at the first look, with hypotheses, covariances and a report', async () => {
    const found = await initialPose(patient, shoot(truth), PAPER_DETECTOR, { ...READING, tube: 'front' })
    expect(found.accepted).toBe(true)
    expect(distanceOf(found, truth)).toBeLessThan(SUCCESS)
    expect(found.normalisation.tried).toBe(1)
    expect(found.hypotheses[0].kind).toBe('best')
    const depths = found.hypotheses.filter(h => h.kind === 'depth')
    expect(depths).toHaveLength(2)
    const { expected, confirmed } = found.confidence.evidence
    expect(confirmed).toBeLessThanOrEqual(expected)
    expect(found.detections.filter(d => d.inlier).length).toBeGreaterThanOrEqual(confirmed)
    expect(found.detections).toHaveLength(23)
  })

  it.each([90, 180, -135])('of a picture turned by %d° is found and the turn reported', async degrees => {
    const square: Detector = {
      sdd: 1200,
      pixel: [0.75, 0.75],
      size: [400, 400],
      principalPoint: [199.5, 199.5]
    }
    const pose = turned(degrees)
    const found = await initialPose(patient, shoot(pose, square), square, READING)
    expect(found.accepted).toBe(true)
    expect(distanceOf(found, pose, square)).toBeLessThan(SUCCESS)
    const off = (found.normalisation.rotationDeg - pictureRotation(pose) / DEGREE) * DEGREE
    expect(Math.abs(Math.atan2(Math.sin(off), Math.cos(off)))).toBeLessThan(5 * DEGREE)
    // Covariances are in the axes of the picture's camera: along the beam the least is known, whatever the turn.
    const { covariance } = found.hypotheses[0]
    expect(covariance[35]).toBeGreaterThan(Math.max(covariance[21], covariance[28]))
  })

  it('of a mirrored picture is that of the picture mirrored back', async () => {
    const found = await initialPose(patient, mirrorImage(shoot(truth)), PAPER_DETECTOR, {
      intensity: 'linear',
      bright: 'exposure'
    })
    expect(found.normalisation).toMatchObject({
      mirrored: true,
      settled: { mirrored: 'found', bright: 'given' }
    })
    expect(distanceOf(found, truth)).toBeLessThan(SUCCESS)
    // And one that is not mirrored is left as it is.
    const plain = await initialPose(patient, shoot(truth), PAPER_DETECTOR, {
      intensity: 'linear',
      bright: 'exposure'
    })
    expect(plain.normalisation.mirrored).toBe(false)
  })

  it('needs to be told nothing of logarithm and inversion', async () => {
    const reading = shoot(truth)
    const integrals = lineIntegrals({ image: reading, intensity: 'linear', bright: 'exposure' })
    const negative = { ...integrals, data: integrals.data.map(x => 4095 - 300 * x) }
    // Signed values: no reading of an exposure, and not to be tried as one.
    const below = { ...integrals, data: integrals.data.map(x => -100 - 300 * x) }
    for (const image of [reading, integrals, negative, below]) {
      const found = await initialPose(patient, image, PAPER_DETECTOR, { mirrored: false })
      expect(found.accepted).toBe(true)
      expect(distanceOf(found, truth)).toBeLessThan(SUCCESS)
      expect(found.normalisation.bright).toBe(image === integrals ? 'attenuation' : 'exposure')
    }
  })

  it.each([
    ['logarithm', 'bright', { intensity: 'log', bright: 'attenuation', mirrored: false }],
    ['side', 'mirrored', { intensity: 'linear', bright: 'exposure', mirrored: true }]
  ] as const)('does not believe a file whose %s is wrong', async (_, wrong, says) => {
    const told = await initialPose(patient, shoot(truth), PAPER_DETECTOR, says)
    expect(told.normalisation).toMatchObject(says)
    const found = await initialPose(patient, shoot(truth), PAPER_DETECTOR, {
      ...says,
      hearsay: ['intensity', 'bright', 'mirrored']
    })
    expect(found.confidence.word).toBe('high')
    expect(found.normalisation).toMatchObject({
      bright: 'exposure',
      mirrored: false,
      settled: { [wrong]: 'found' }
    })
    expect(distanceOf(found, truth)).toBeLessThan(SUCCESS)
  })

  it('comes through blades, a circle and a letter', async () => {
    const letter = shoot(truth)
    for (let v = 8; v < 30; v++) letter.data.fill(0, v * 240 + 8, v * 240 + 26)
    const pictures = [
      shoot(truth, PAPER_DETECTOR, {
        collimation: 'rectangle',
        fieldWidth: 0.8,
        fieldHeight: 0.85,
        fieldTurnDegrees: 8
      }),
      shoot(truth, PAPER_DETECTOR, { collimation: 'circle', fieldWidth: 1 }),
      letter
    ]
    const shares: number[] = []
    for (const picture of pictures) {
      const found = await initialPose(patient, picture, PAPER_DETECTOR, READING)
      expect(found.accepted).toBe(true)
      expect(distanceOf(found, truth)).toBeLessThan(SUCCESS)
      shares.push(found.normalisation.fieldShare)
    }
    expect(shares[0]).toBeLessThan(0.75)
    expect(shares[1]).toBeLessThan(0.75)
    expect(shares[2]).toBe(1)
  })

  it('takes the orientation that it is told', async () => {
    const pose = turned(90)
    const told = await initialPose(patient, shoot(pose), PAPER_DETECTOR, {
      ...READING,
      tube: 'front',
      rotation: 90 * DEGREE
    })
    expect(told.normalisation.settled.rotation).toBe('given')
    expect(told.normalisation.tried).toBe(1)
    expect(distanceOf(told, pose)).toBeLessThan(SUCCESS)
  })
})

describe('what is no X-ray of this patient’s pelvis', () => {
  const random = createRandom(2)
  const imageOf = (f: (i: number) => number): Image => ({
    width: 240,
    height: 188,
    data: Float32Array.from({ length: 240 * 188 }, (_, i) => f(i))
  })
  const noise = imageOf(() => random.normal())
  const sphere = imageOf(i => {
    const [x, y] = [(i % 240) - 110, Math.floor(i / 240) - 95]
    return Math.sqrt(Math.max(0, 60 ** 2 - x * x - y * y)) / 20
  })
  const blobs = { ...noise, data: boxBlur(boxBlur(noise.data, 240, 188, 8), 240, 188, 8) }
  const spine = lineIntegrals({
    image: shoot(poseFromView({ alpha: 0, beta: 0, gamma: 0, translation: [0, 0, 190] }, phantom.isocenter)),
    intensity: 'linear',
    bright: 'exposure'
  })
  it.each([
    ['noise', noise],
    ['a sphere', sphere],
    ['blobs', blobs],
    ['the lumbar spine', spine]
  ])('%s is refused by the confidence, with a reason', async (_, image) => {
    const found = await initialPose(patient, image, PAPER_DETECTOR, {
      intensity: 'log',
      bright: 'attenuation'
    })
    expect(found.accepted).toBe(false)
    expect(found.confidence.word).toBe('no')
    expect(found.confidence.reason).not.toBe('')
    expect(found.detections).toHaveLength(23)
  })

  it('an empty exposure is refused by name', async () => {
    await expect(
      initialPose(
        patient,
        imageOf(() => 7),
        PAPER_DETECTOR
      )
    ).rejects.toThrow(XrayError)
  })
})

describe('normaliseXray', () => {
  it('gives line integrals the right way round, with the detector that goes with them', () => {
    const d: Detector = { ...PAPER_DETECTOR, principalPoint: [100, 90] }
    const reading = shoot(truth, d)
    const plain = normaliseXray(reading, d, { intensity: 'linear', bright: 'exposure', mirrored: false })
    const back = normaliseXray(
      mirrorImage(reading),
      { ...d, principalPoint: [139, 90] },
      {
        intensity: 'linear',
        bright: 'exposure',
        mirrored: true
      }
    )
    expect(back.detector).toEqual(d)
    expect(back.image.data).toEqual(plain.image.data)
  })
})
