import { afterAll, describe, expect, it } from 'vitest'
import { createWasmRenderer } from '../src/drr/wasm-renderer.js'
import { ArgumentError, CancelledError, GeometryError, XrayError } from '../src/errors.js'
import { poseErrors } from '../src/evaluation/measures.js'
import { binnedDetector, type Camera, PAPER_DETECTOR } from '../src/geometry/camera.js'
import { centroid, cross, type Mat4, mulMat3Vec3, type Vec3 } from '../src/geometry/linear.js'
import { composeRigid, invertRigid, rotationOf } from '../src/geometry/rigid.js'
import { DEGREE } from '../src/geometry/rotation.js'
import { poseFromView } from '../src/geometry/view.js'
import type { Image } from '../src/image/image.js'
import { createPhantom } from '../src/phantom/phantom.js'
import { createCorrespondences } from '../src/pose/correspondences.js'
import { createRandom, type Random } from '../src/random/random.js'
import { coverage } from '../src/registration/coverage.js'
import { withFiniteDifferences } from '../src/registration/finite-differences.js'
import { landmarkModel } from '../src/registration/landmark-term.js'
import { linearise } from '../src/registration/linearise.js'
import { levenbergMarquardt } from '../src/registration/pose-model.js'
import { rigidPoseVariables } from '../src/registration/pose-variables.js'
import { registerViews, VIEWS_LEVELS } from '../src/registration/register-views.js'
import { scatteredStarts } from '../src/registration/scattered-starts.js'
import { xrayWeights } from '../src/registration/xray-weights.js'
import { cropToBox } from '../src/volume/resample.js'
import { indexToLps } from '../src/volume/volume.js'
import { simulateReading, XRAY_PRESETS } from '../src/xray/simulate.js'
import { randomView, seen } from './pose-fixtures.js'

const DETECTOR = PAPER_DETECTOR
// X-rays come from finer voxels than those that are registered to them.
const fine = createPhantom({ seed: 3, spacing: 1.5 })
const coarse = createPhantom({ seed: 3, spacing: 2.2 })
const xrayRenderer = createWasmRenderer(fine.ct)
const renderer = createWasmRenderer(coarse.ct, { mips: 2, pixelMm: 'auto' })
const centre = centroid(fine.landmarks)
const cover = (camera: Camera) => coverage(coarse.ct, camera)

afterAll(() => {
  xrayRenderer.dispose()
  renderer.dispose()
})

const xray = (cameraFromLps: Mat4, random: Random, preset: keyof typeof XRAY_PRESETS = 'c-arm'): Image => {
  const integrals = xrayRenderer.render({ detector: DETECTOR, cameraFromLps })
  const reading = simulateReading(integrals, DETECTOR.pixel[0], XRAY_PRESETS[preset], random)
  return linearise(reading, { kind: 'intensity' })
}
const displaced = (truth: Mat4, random: Random, share = 1): Mat4 =>
  rigidPoseVariables(truth, centre, { rotation: 5 * DEGREE, inPlane: 10, depth: 30 }).poseAt(
    Array.from({ length: 6 }, () => share * random.uniform(-1, 1))
  )
const errorOf = (found: Mat4, truth: Mat4) => poseErrors(DETECTOR, found, truth, fine.landmarks)

describe('registerViews, one X-ray', () => {
  it('is sub-millimetre from 5°, 10 mm and 30 mm in depth, with a few dozen renders', () => {
    const random = createRandom(4)
    for (let k = 0; k < 4; k++) {
      const truth = randomView(random, fine.landmarks)
      const found = registerViews({
        views: [{ image: xray(truth, random), detector: DETECTOR }],
        starts: [displaced(truth, random)],
        centre,
        renderer,
        coverage: cover
      })
      expect(errorOf(found.cameraFromLps, truth).tre).toBeLessThan(1)
      expect(errorOf(found.cameraFromLps, truth).projectionDistance).toBeLessThan(0.5)
      expect(found.renders).toBeLessThan(60)
      expect(found.similarityAfter).toBeGreaterThan(found.similarityBefore)
      expect(found.cameras).toEqual([found.cameraFromLps])
    }
  })

  it('finds from scattered starts what one start does not reach', () => {
    const random = createRandom(8)
    const truth = randomView(random, fine.landmarks)
    const start = rigidPoseVariables(truth, centre, { rotation: 14 * DEGREE, inPlane: 25, depth: 30 }).poseAt(
      [1, 1, -1, 1, -1, 1]
    )
    const found = registerViews({
      views: [{ image: xray(truth, random), detector: DETECTOR }],
      starts: scatteredStarts(start, centre, 48),
      centre,
      renderer,
      coverage: cover
    })
    expect(errorOf(start, truth).tre).toBeGreaterThan(30)
    expect(errorOf(found.cameraFromLps, truth).tre).toBeLessThan(1)
  })

  it('is not misled by a CT that ends within the field of view', () => {
    const { ct } = coarse
    const [ni, nj, nk] = ct.size
    // The lower quarter of the scan is missing; the X-ray shows it all the same.
    const corner = indexToLps(ct, [0, 0, Math.round(nk * 0.3)])
    const cut = cropToBox(ct, { min: corner, max: indexToLps(ct, [ni - 1, nj - 1, nk - 1]) })
    const cutRenderer = createWasmRenderer(cut, { mips: 2, pixelMm: 'auto' })
    const random = createRandom(12)
    const errors = [true, false].map(masked => {
      const views = createRandom(13)
      let worst = 0
      for (let k = 0; k < 2; k++) {
        const truth = randomView(views, fine.landmarks)
        const found = registerViews({
          views: [{ image: xray(truth, random), detector: DETECTOR }],
          starts: [displaced(truth, views, 0.4)],
          centre,
          renderer: cutRenderer,
          coverage: masked ? camera => coverage(cut, camera) : undefined
        })
        worst = Math.max(worst, errorOf(found.cameraFromLps, truth).tre)
      }
      return worst
    })
    cutRenderer.dispose()
    expect(errors[0]).toBeLessThan(2)
    expect(errors[0]).toBeLessThan(errors[1])
  })

  it('does not mind instruments, with the weights that the X-ray gives itself', () => {
    const random = createRandom(21)
    const truth = randomView(random, fine.landmarks)
    const image = xray(truth, random)
    // Two thick rods at the end of the grey scale, noisy as metal is in low dose.
    const data = image.data.map((x, i) => {
      const u = i % image.width
      const v = Math.floor(i / image.width)
      const rod = Math.abs(u - v * 0.7 - 40) < 6 || Math.abs(u + 0.4 * v - 190) < 5
      return rod ? 12 - (random.next() < 0.5 ? 0 : random.uniform(0, 2)) : x
    })
    const spoilt = { ...image, data }
    const weights = xrayWeights(spoilt)
    expect(weights.data[80 * image.width + 96]).toBe(0)
    expect(weights.data.reduce((s, x) => s + x, 0)).toBeGreaterThan(0.7 * data.length)
    const found = registerViews({
      views: [{ image: spoilt, detector: DETECTOR, weights }],
      starts: [displaced(truth, random, 0.5)],
      centre,
      renderer,
      coverage: cover
    })
    expect(errorOf(found.cameraFromLps, truth).tre).toBeLessThan(1.5)
  })

  it('stays near the landmarks where the X-ray says nothing', () => {
    const random = createRandom(31)
    const truth = randomView(random, fine.landmarks)
    const detector = DETECTOR
    const pixels = seen(fine.landmarks, truth)
    const noise: Image = {
      width: 240,
      height: 188,
      data: Float32Array.from({ length: 240 * 188 }, () => random.normal())
    }
    const found = registerViews({
      views: [{ image: noise, detector, landmarks: createCorrespondences(fine.landmarks, pixels, detector) }],
      starts: [displaced(truth, random, 0.3)],
      centre,
      renderer,
      levels: VIEWS_LEVELS.slice(0, 1).map(l => ({ ...l, landmarkWeight: 10, maxEvaluations: 30 }))
    })
    expect(errorOf(found.cameraFromLps, truth).projectionDistance).toBeLessThan(1)
  })
})

describe('registerViews, two X-rays', () => {
  const random = createRandom(40)
  const poses = [-35, 35].map(gamma =>
    poseFromView({ alpha: 0, beta: 0, gamma: gamma * DEGREE, translation: [3, -4, 5] }, centre)
  )
  const cameraFromFirst = composeRigid(poses[1], invertRigid(poses[0]))
  const images = poses.map(p => xray(p, random, 'low-dose'))
  const starts = [displaced(poses[0], random)]
  const common = { starts, centre, renderer, coverage: cover }

  it('knows depth better from both than from one', () => {
    const [one] = images.map(image => registerViews({ ...common, views: [{ image, detector: DETECTOR }] }))
    const both = registerViews({
      ...common,
      views: [
        { image: images[0], detector: DETECTOR },
        { image: images[1], detector: DETECTOR, cameraFromFirst }
      ]
    })
    const error = errorOf(both.cameraFromLps, poses[0])
    expect(error.tre).toBeLessThan(0.5)
    expect(error.treDepth).toBeLessThan(errorOf(one.cameraFromLps, poses[0]).treDepth)
    expect(errorOf(both.cameras[1], poses[1]).tre).toBeCloseTo(error.tre, 6)
    // Depth is no weaker than the other shifts once it is seen from two sides.
    const [alone, together] = [one, both].map(r => r.levels[r.levels.length - 1].candidates[0].model.normal)
    expect(together[35] / together[21]).toBeGreaterThan(3 * (alone[35] / alone[21]))
  })

  it('takes detectors of different size and resolution', () => {
    const half: Camera['detector'] = binnedDetector(DETECTOR, 2)
    const image = { ...images[1] }
    const data = new Float32Array(half.size[0] * half.size[1])
    for (let v = 0; v < half.size[1]; v++)
      for (let u = 0; u < half.size[0]; u++)
        for (const [dx, dy] of [
          [0, 0],
          [1, 0],
          [0, 1],
          [1, 1]
        ])
          data[v * half.size[0] + u] += 0.25 * image.data[(2 * v + dy) * image.width + 2 * u + dx]
    const both = registerViews({
      ...common,
      views: [
        { image: images[0], detector: DETECTOR },
        { image: { width: half.size[0], height: half.size[1], data }, detector: half, cameraFromFirst }
      ]
    })
    expect(errorOf(both.cameraFromLps, poses[0]).tre).toBeLessThan(1)
  })
})

describe('the seam of registerViews', () => {
  const random = createRandom(50)
  const truth = randomView(random, fine.landmarks)
  const image = xray(truth, random)
  const task = {
    views: [{ image, detector: DETECTOR }],
    starts: [displaced(truth, random, 0.3)],
    centre,
    renderer,
    levels: VIEWS_LEVELS.slice(1, 3)
  }
  it('takes a renderer without derivatives, and a solver of one’s own', () => {
    const steps: number[] = []
    const found = registerViews({
      ...task,
      renderer: withFiniteDifferences(renderer),
      solver: problem => {
        const solution = levenbergMarquardt(problem)
        steps.push(solution.evaluations)
        return solution
      }
    })
    expect(errorOf(found.cameraFromLps, truth).tre).toBeLessThan(2)
    expect(steps.length).toBe(2)
    expect(found.renders).toBe(steps[0] + steps[1] + 1)
  })
  it('stops when cancelled', () => {
    const abort = new AbortController()
    expect(() => registerViews({ ...task, signal: abort.signal, onProgress: () => abort.abort() })).toThrow(
      CancelledError
    )
  })
  it('refuses what cannot be registered', () => {
    const [view] = task.views
    const wrong = { ...image, data: image.data.map(() => 1) }
    expect(() => registerViews({ ...task, views: [{ ...view, image: wrong }] })).toThrow(XrayError)
    expect(() =>
      registerViews({ ...task, views: [{ ...view, detector: binnedDetector(DETECTOR, 2) }] })
    ).toThrow(XrayError)
    expect(() =>
      registerViews({
        ...task,
        views: [{ ...view, weights: { width: 1, height: 1, data: new Float32Array(1) } }]
      })
    ).toThrow(ArgumentError)
    expect(() => registerViews({ ...task, starts: [] })).toThrow(ArgumentError)
    expect(() => registerViews({ ...task, views: [] })).toThrow(ArgumentError)
    expect(() => registerViews({ ...task, starts: [new Array(16).fill(Number.NaN)] })).toThrow(GeometryError)
  })
})

describe('withFiniteDifferences', () => {
  it('finds the slopes of an image that is the pose itself', () => {
    const renderer = {
      render: ({ cameraFromLps }: Camera): Image => ({
        width: 4,
        height: 4,
        data: Float32Array.from(cameraFromLps)
      })
    }
    const cameraFromLps = randomView(createRandom(60), fine.landmarks)
    const detector = { sdd: 1200, pixel: [1, 1], size: [4, 4], principalPoint: [1.5, 1.5] } as const
    const { image, derivatives } = withFiniteDifferences(renderer).renderWithDerivatives(
      { detector, cameraFromLps },
      centre
    )
    expect(image.data).toEqual(Float32Array.from(cameraFromLps))
    const r = rotationOf(cameraFromLps)
    const arm = mulMat3Vec3(r, centre)
    for (let k = 0; k < 3; k++) {
      const axis: Vec3 = [k === 0 ? 1 : 0, k === 1 ? 1 : 0, k === 2 ? 1 : 0]
      // A turn about the centre moves the axes' columns by axis × column, and the origin against the centre.
      const shift = cross(axis, arm)
      for (let row = 0; row < 3; row++) {
        for (let c = 0; c < 3; c++)
          expect(derivatives[k][4 * row + c]).toBeCloseTo(cross(axis, [r[c], r[3 + c], r[6 + c]])[row], 3)
        expect(derivatives[k][4 * row + 3] / 100).toBeCloseTo(-shift[row] / 100, 2)
        expect(derivatives[3 + k][4 * row + 3]).toBeCloseTo(axis[row], 3)
      }
    }
  })
})

describe('landmarkModel', () => {
  it('has the slopes that differences find', () => {
    const random = createRandom(70)
    const truth = randomView(random, fine.landmarks)
    const c = createCorrespondences(fine.landmarks, seen(fine.landmarks, truth, random, 3), DETECTOR)
    const pose = displaced(truth, random, 0.5)
    const variables = rigidPoseVariables(pose, centre, { rotation: 1, inPlane: 1, depth: 1 })
    const { gradient } = landmarkModel(c, pose, centre, 12)
    for (let k = 0; k < 6; k++) {
      const h = k < 3 ? 1e-6 : 1e-4
      const at = (s: number) =>
        landmarkModel(c, variables.poseAt(Array.from({ length: 6 }, (_, j) => (j === k ? s : 0))), centre, 12)
          .cost
      const expected = (at(h) - at(-h)) / (2 * h)
      expect(gradient[k] / expected).toBeCloseTo(1, 4)
    }
  })
  it('costs at most 1, for landmarks that are all wrong or behind the source', () => {
    const c = createCorrespondences(
      fine.landmarks,
      fine.landmarks.map(() => [-5000, 5000]),
      DETECTOR
    )
    const pose = randomView(createRandom(71), fine.landmarks)
    expect(landmarkModel(c, pose, centre, 12).cost).toBeCloseTo(1, 3)
    const behind = pose.map((x, i) => (i === 11 ? x - 2000 : x))
    expect(landmarkModel(c, behind, centre, 12).cost).toBeCloseTo(1, 9)
  })
})

describe('scatteredStarts', () => {
  it('begins with the start and its depth variants, and is the same for the same seed', () => {
    const start = randomView(createRandom(90), fine.landmarks)
    const poses = scatteredStarts(start, centre, 9)
    expect(poses.length).toBe(9)
    const variables = rigidPoseVariables(start, centre, { rotation: 1, inPlane: 1, depth: 1 })
    const [zero, near, far, a, b] = poses.map(p => Array.from(variables.variablesOf(p)))
    expect(Math.hypot(...zero)).toBeCloseTo(0, 9)
    for (const x of [near, far]) expect(Math.hypot(...x.slice(0, 5))).toBeCloseTo(0, 9)
    expect(near[5]).toBeCloseTo(-far[5], 9)
    for (let k = 0; k < 6; k++) expect(a[k]).toBeCloseTo(-b[k], 9)
    expect(scatteredStarts(start, centre, 9)).toEqual(poses)
  })
})
