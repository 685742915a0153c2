import { describe, expect, test } from 'vitest'
import { createReferenceRenderer } from '../src/drr/reference-renderer.js'
import { createWasmRenderer } from '../src/drr/wasm-renderer.js'
import type { RenderQuality } from '../src/drr/wasm-volume.js'
import { ArgumentError, GeometryError } from '../src/errors.js'
import {
  binnedDetector,
  type Camera,
  centredDetector,
  type Detector,
  PAPER_DETECTOR
} from '../src/geometry/camera.js'
import { type Mat4, norm, sub, type Vec3 } from '../src/geometry/linear.js'
import { applyRigid } from '../src/geometry/rigid.js'
import { DEGREE } from '../src/geometry/rotation.js'
import { poseFromView } from '../src/geometry/view.js'
import { type PoseScale, rigidPoseVariables } from '../src/registration/pose-variables.js'
import { gridCentre, type Volume } from '../src/volume/volume.js'
import { anatomicalVolume, relativeRms, sampledVolume } from './drr-volumes.js'
import { hasRealCt, readRealCt } from './real-ct.js'

const UNIT: PoseScale = { rotation: 1, inPlane: 1, depth: 1 }
const pose = ([alpha, beta, gamma]: readonly number[], isocenter: Vec3, translation: Vec3 = [3, -4, 5]) =>
  poseFromView({ alpha: alpha * DEGREE, beta: beta * DEGREE, gamma: gamma * DEGREE, translation }, isocenter)

/** Part of the paper's detector, at its resolution. */
const PATCH: Detector = { ...PAPER_DETECTOR, size: [64, 50], principalPoint: [22, 31] }

/** Blobs of several sizes, smooth at the scale of the voxels. */
const smooth = sampledVolume([90, 80, 76], [2, 2, 2], (x, y, z) =>
  [
    [10, -20, 14, 9],
    [-30, 15, -20, 12],
    [35, 5, 30, 10],
    [0, 25, 5, 15],
    [-20, -25, 35, 9]
  ].reduce(
    (s, [a, b, c, r]) => s + 0.02 * Math.exp(-((x - a) ** 2 + (y - b) ** 2 + (z - c) ** 2) / (2 * r * r)),
    0
  )
)

/** Central differences of the reference in the variables of the registration. */
function differences(volume: Volume, convert: 'hu' | 'linear', camera: Camera, centre: Vec3): Float32Array[] {
  const reference = createReferenceRenderer(volume, { convert })
  const { poseAt } = rigidPoseVariables(camera.cameraFromLps, centre, UNIT)
  return Array.from({ length: 6 }, (_, k) => {
    const step = k < 3 ? 1e-4 : 0.02
    const at = (x: number) => {
      const variables = new Float64Array(6)
      variables[k] = x
      return reference.render({ ...camera, cameraFromLps: poseAt(variables) }).data
    }
    const [above, below] = [at(step), at(-step)]
    return above.map((x, n) => (x - below[n]) / (2 * step))
  })
}

/** 3 × 3 binomial smoothing, rim left out. */
function smoothed(image: Float32Array, width: number): number[] {
  const out: number[] = []
  const height = image.length / width
  for (let v = 1; v < height - 1; v++)
    for (let u = 1; u < width - 1; u++) {
      let sum = 0
      for (let y = -1; y <= 1; y++)
        for (let x = -1; x <= 1; x++)
          sum += (2 - Math.abs(x)) * (2 - Math.abs(y)) * image[(v + y) * width + u + x]
      out.push(sum / 16)
    }
  return out
}

describe('derivatives of the reference', () => {
  const anatomy = anatomicalVolume([60, 50, 44], [5, 5, 6], 4)
  const dense = { ...anatomy, data: anatomy.data.map(x => x + 900) }
  const detector = binnedDetector(PATCH, 2)

  test.each([
    ['smooth', smooth, 'linear', [12, 5, 30], [3, -4, 5], 0.005],
    ['AP', anatomy, 'hu', [1, 2, 3], [3, -4, 5], 0.005],
    ['oblique', anatomy, 'hu', [-20, 10, -45], [3, -4, 5], 0.005],
    // Rays that enter and leave through a face where there is matter: the face moves too. Where the faces meet, the
    // differences step over a kink.
    ['cut off', dense, 'hu', [12, 5, 30], [3, -4, 5], 0.02],
    ['from within', dense, 'hu', [2, 3, 4], [3, 660, 5], 0.02]
  ] as const)('are its central differences: %s', (_, volume, convert, angles, translation, bound) => {
    const camera = { detector, cameraFromLps: pose(angles, [0, 0, 0], translation) }
    const centre: Vec3 = [20, -15, 30]
    const exact = createReferenceRenderer(volume, { convert }).renderWithDerivatives(camera, centre)
    expect(exact.image.data).toEqual(createReferenceRenderer(volume, { convert }).render(camera).data)
    differences(volume, convert, camera, centre).forEach((expected, k) => {
      // What is left is the differences' own: rounding to float32, and rays that change the voxels they cross.
      expect(relativeRms(exact.derivatives[k], expected)).toBeLessThan(bound)
    })
  })
})

describe.each([
  ['finest', 0.03, 0.15],
  ['fine', 0.03, 0.15],
  ['fast', 0.06, 0.15],
  ['draft', 0.08, 0.18]
] as const)('derivatives of the wasm renderer, %s', (quality: RenderQuality, smoothBound, realBound) => {
  const centre: Vec3 = [20, -15, 30]
  const errors = (volume: Volume, convert: 'hu' | 'linear', camera: Camera, about = centre) => {
    const exact = createReferenceRenderer(volume, { convert }).renderWithDerivatives(camera, about)
    const renderer = createWasmRenderer(volume, { convert, quality })
    const { image, derivatives } = renderer.renderWithDerivatives(camera, about)
    expect(image.data).toEqual(renderer.render(camera).data)
    const width = camera.detector.size[0]
    // Between neighbouring pixels the exact derivative jumps from voxel to voxel; an image has no such detail.
    return exact.derivatives.map((x, k) => relativeRms(smoothed(derivatives[k], width), smoothed(x, width)))
  }

  test.each([
    ['AP', [2, 3, 4]],
    ['lateral', [-5, 3, -88]],
    ['oblique', [12, 5, 30]],
    ['between the axes', [-20, 10, -42]],
    ['cranial', [65, 0, 10]]
  ])('of a smooth volume: %s', (_, angles) => {
    for (const e of errors(smooth, 'linear', { detector: PATCH, cameraFromLps: pose(angles, [0, 0, 0]) }))
      expect(e).toBeLessThan(smoothBound)
  })

  test.skipIf(!hasRealCt)('of a real CT (skipped where it is absent)', () => {
    const volume = readRealCt()
    const isocenter = gridCentre(volume)
    const camera = { detector: PATCH, cameraFromLps: pose([12, 5, 30], isocenter) }
    const e = errors(volume, 'hu', camera, [isocenter[0] + 20, isocenter[1] - 15, isocenter[2] + 30])
    console.info(
      `${quality}: derivatives on a real CT off by ${e.map(x => `${(100 * x).toFixed(1)} %`).join(', ')}`
    )
    for (const x of e) expect(x).toBeLessThan(realBound)
  })

  test('in tiles', () => {
    // More pixels than one tile has room for, and a fan that needs more than one axis.
    const detector = { ...centredDetector(300, [1, 1], [500, 420]), principalPoint: [60, 380] as const }
    const camera = { detector, cameraFromLps: pose([5, 3, 10], [0, 0, 0], [0, 300, 0]) }
    const renderer = createWasmRenderer(smooth, { convert: 'linear', quality })
    const { derivatives } = renderer.renderWithDerivatives(camera, centre)
    const part: Detector = { ...detector, size: [60, 50], principalPoint: [60 - 20, 380 - 330] }
    const exact = createReferenceRenderer(smooth, { convert: 'linear' }).renderWithDerivatives(
      { ...camera, detector: part },
      centre
    )
    exact.derivatives.forEach((expected, k) => {
      const same = expected.map((_, n) => derivatives[k][(330 + Math.floor(n / 60)) * 500 + 20 + (n % 60)])
      expect(relativeRms(smoothed(same, 60), smoothed(expected, 60))).toBeLessThan(2 * smoothBound)
    })
  })

  test('are 0 where there is nothing', () => {
    const away = { detector: PATCH, cameraFromLps: pose([0, 0, 0], [0, 0, 0], [600, 0, 0]) }
    const { image, derivatives } = createWasmRenderer(smooth, {
      convert: 'linear',
      quality
    }).renderWithDerivatives(away, centre)
    for (const data of [image.data, ...derivatives]) expect(data.every(x => x === 0)).toBe(true)
  })
})

test('Gauss–Newton steps along them find the pose', () => {
  const volume = anatomicalVolume([150, 120, 110], [2.2, 2.2, 2.4], 21)
  const centre: Vec3 = [5, -8, 10]
  const truth = pose([8, 3, 20], [0, 0, 0])
  const start = rigidPoseVariables(truth, centre, UNIT).poseAt([0.03, -0.04, 0.05, 3, -2, 12])
  const renderer = createWasmRenderer(volume, { quality: 'fast', mips: 2, pixelMm: 'auto' })
  const reference = createReferenceRenderer(volume)
  let found: Mat4 = start
  for (const binning of [8, 4, 4]) {
    const detector = binnedDetector(PAPER_DETECTOR, binning)
    const target = reference.render({ detector, cameraFromLps: truth }).data
    for (let n = 0; n < 6; n++) {
      const { image, derivatives } = renderer.renderWithDerivatives(
        { detector, cameraFromLps: found },
        centre
      )
      const step = leastSquares(
        derivatives,
        target.map((x, i) => x - image.data[i])
      )
      found = rigidPoseVariables(found, centre, UNIT).poseAt(step)
    }
  }
  const error = (m: Mat4) =>
    Math.max(
      ...[-60, 60].flatMap(x =>
        [-50, 50].map(z => norm(sub(applyRigid(m, [x, 10, z]), applyRigid(truth, [x, 10, z]))))
      )
    )
  expect(error(start)).toBeGreaterThan(12)
  expect(error(found)).toBeLessThan(1)
})

/** x with the least |Σ x_k·columns_k − b|, by the normal equations. */
function leastSquares(columns: readonly Float32Array[], b: Float32Array): number[] {
  const dot = (p: Float32Array, q: Float32Array) => p.reduce((s, x, i) => s + x * q[i], 0)
  const a = columns.map(p => [...columns.map(q => dot(p, q)), dot(p, b)])
  for (let i = 0; i < 6; i++) {
    for (let r = 0; r < 6; r++) {
      if (r === i) continue
      const f = a[r][i] / a[i][i]
      for (let c = i; c < 7; c++) a[r][c] -= f * a[i][c]
    }
  }
  return a.map((row, i) => row[6] / row[i])
}

test('refuse what is not a centre, a camera or an array for them', () => {
  for (const create of [createReferenceRenderer, createWasmRenderer]) {
    const renderer = create(smooth, { convert: 'linear' })
    const camera = { detector: PATCH, cameraFromLps: pose([0, 0, 0], [0, 0, 0]) }
    expect(() => renderer.renderWithDerivatives(camera, [0, Number.NaN, 0])).toThrow(GeometryError)
    expect(() => renderer.renderWithDerivatives(camera, [0, 0, 0], new Float32Array(64 * 50))).toThrow(
      ArgumentError
    )
    const bad = { ...camera, detector: { ...PATCH, sdd: -1 } }
    expect(() => renderer.renderWithDerivatives(bad, [0, 0, 0])).toThrow(GeometryError)
    const out = new Float32Array(7 * 64 * 50)
    const { image, derivatives } = renderer.renderWithDerivatives(camera, [0, 0, 0], out)
    expect(image.data.buffer).toBe(out.buffer)
    expect(derivatives[5].byteOffset).toBe(6 * 64 * 50 * 4)
  }
})
