import { beforeAll, describe, expect, test } from 'vitest'
import { MU_WATER } from '../src/drr/attenuation.js'
import { createReferenceRenderer } from '../src/drr/reference-renderer.js'
import type { Renderer } from '../src/drr/renderer.js'
import { createWasmRenderer } from '../src/drr/wasm-renderer.js'
import { binnedDetector, type Camera, PAPER_DETECTOR } from '../src/geometry/camera.js'
import type { Vec3 } from '../src/geometry/linear.js'
import { DEGREE } from '../src/geometry/rotation.js'
import { poseFromView } from '../src/geometry/view.js'
import { createRandom } from '../src/random/random.js'
import { gridCentre, type Volume } from '../src/volume/volume.js'
import { relativeRms, sampledVolume } from './drr-volumes.js'
import { hasPlastimatch, plastimatchDrr } from './plastimatch.js'
import { hasRealCt, readRealCt } from './real-ct.js'

const VIEWS: readonly (readonly [string, number, number, number])[] = [
  ['AP', 0, 0, 0],
  ['lateral', 0, 0, 90],
  ['oblique 1', 12, 5, 30],
  ['oblique 2', -20, 10, -40],
  ['oblique 3', 5, -8, 60]
]

const camerasAt = (isocenter: Vec3, detector = PAPER_DETECTOR): Camera[] =>
  VIEWS.map(([, alpha, beta, gamma]) => ({
    detector,
    cameraFromLps: poseFromView(
      { alpha: alpha * DEGREE, beta: beta * DEGREE, gamma: gamma * DEGREE, translation: [6, -4, 9] },
      isocenter
    )
  }))

/** Errors by view; says them, because they are worth reading when they change. */
function compare(
  name: string,
  renderer: Renderer,
  cameras: readonly Camera[],
  expected: readonly Float32Array[]
): number[] {
  const errors = expected.map((e, n) => relativeRms(renderer.render(cameras[n]).data, e))
  const list = VIEWS.map(([view], n) => `${view} ${(100 * errors[n]).toFixed(5)} %`)
  console.info(`${name}: ${list.join(', ')}`)
  return errors
}

// plastimatch has two models of a volume. Its `exact` is Siddon's: voxels are boxes of constant value. Its `uniform` is
// trilinear, in steps of a millimetre. Ours is trilinear and exact; the reference has boxes too. Programs that agree on
// the model have to agree closely; two models of the same voxels are as far apart as that model matters.
const TARGET = 0.002

describe.skipIf(!hasPlastimatch)('against plastimatch (skipped where it is not installed)', () => {
  // Smooth at the scale of its voxels: there the two models are nearly one.
  const random = createRandom(31)
  const blobs = Array.from({ length: 8 }, () => ({
    c: [random.uniform(-40, 40), random.uniform(-40, 40), random.uniform(-40, 40)],
    s: random.uniform(10, 25),
    h: random.uniform(0.005, 0.05)
  }))
  const volume = sampledVolume([200, 190, 180], [1, 1, 1.1], (x, y, z) =>
    blobs.reduce(
      (sum, { c, s, h }) =>
        sum + h * Math.exp(-((x - c[0]) ** 2 + (y - c[1]) ** 2 + (z - c[2]) ** 2) / (2 * s * s)),
      0
    )
  )

  test('a synthetic volume', () => {
    const cameras = camerasAt([0, 0, 0], { ...binnedDetector(PAPER_DETECTOR, 2), principalPoint: [64, 41] })
    const expected = plastimatchDrr(volume, cameras, 'exact')
    // A ray that follows a row of boxes is half a voxel off their centres all along.
    for (const [name, renderer] of [
      ['reference', createReferenceRenderer(volume, { convert: 'linear' })],
      ['wasm', createWasmRenderer(volume, { convert: 'linear' })]
    ] as const)
      for (const e of compare(`${name} against plastimatch exact`, renderer, cameras, expected))
        expect(e).toBeLessThan(0.005)
  })

  describe.skipIf(!hasRealCt)('a real CT (skipped where it is absent)', () => {
    let volume: Volume
    let cameras: readonly Camera[]
    let boxes: readonly Float32Array[]
    let trilinear: readonly Float32Array[]
    beforeAll(() => {
      volume = readRealCt()
      const mu = Float32Array.from(volume.data, hu => Math.max(0, MU_WATER * (1 + hu / 1000)))
      // A quarter of the resolution: the same rays, fewer of them.
      cameras = camerasAt(gridCentre(volume), binnedDetector(PAPER_DETECTOR, 4))
      boxes = plastimatchDrr({ ...volume, data: mu }, cameras, 'exact')
      trilinear = plastimatchDrr({ ...volume, data: mu }, cameras, 'uniform')
    }, 300_000)

    test('voxels as boxes: the reference is plastimatch exact, to the precision of its file', () => {
      const renderer = createReferenceRenderer(volume, { interpolation: 'nearest' })
      for (const e of compare('reference, nearest, against exact', renderer, cameras, boxes))
        expect(e).toBeLessThan(1e-5)
    })

    test.each(['joseph', 'finest', 'fine'] as const)('trilinear voxels: wasm, %s, is uniform', quality => {
      const renderer = createWasmRenderer(volume, { quality })
      for (const e of compare(`wasm, ${quality}, against uniform`, renderer, cameras, trilinear))
        expect(e).toBeLessThan(TARGET)
    })

    test('the two models are as far apart in plastimatch as in Raypose', () => {
      const reference = createReferenceRenderer(volume)
      const ours = compare('reference against exact', reference, cameras, boxes)
      ours.forEach((e, n) => {
        const theirs = relativeRms(trilinear[n], boxes[n])
        expect(Math.abs(e - theirs)).toBeLessThan(0.05 * theirs)
      })
    })
  })
})
