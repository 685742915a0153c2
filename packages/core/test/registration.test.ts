import { describe, expect, it } from 'vitest'
import { createWasmRenderer } from '../src/drr/wasm-renderer.js'
import { ArgumentError, CancelledError, GeometryError, XrayError } from '../src/errors.js'
import { poseErrors } from '../src/evaluation/measures.js'
import { binnedDetector, type Camera, PAPER_DETECTOR, pixelInCamera } from '../src/geometry/camera.js'
import { centroid, distance, dot, type Mat4, type Vec3 } from '../src/geometry/linear.js'
import { applyRigid, rotationOf } from '../src/geometry/rigid.js'
import { DEGREE, rotationAngle } from '../src/geometry/rotation.js'
import { binImage, type Image } from '../src/image/image.js'
import { createPhantom } from '../src/phantom/phantom.js'
import { createRandom, type Random } from '../src/random/random.js'
import { linearise } from '../src/registration/linearise.js'
import { rigidPoseVariables } from '../src/registration/pose-variables.js'
import { bobyqaInBox, defaultLevels, registerIntensity } from '../src/registration/register.js'
import { ncc } from '../src/registration/similarity/ncc.js'
import { dividedDetector, supersampled } from '../src/registration/supersampling.js'
import { simulateReading, XRAY_PRESETS } from '../src/xray/simulate.js'
import { LANDMARKS, randomView } from './pose-fixtures.js'

interface Blob {
  readonly centre: Vec3
  readonly sigma: number
  readonly peak: number
}

/** The line integral of an isotropic Gaussian along a whole line is peak · σ√(2π) · exp(−d²/2σ²), d the line's distance. */
const blobRenderer = (blobs: readonly Blob[]) => ({
  render({ detector, cameraFromLps }: Camera, out?: Float32Array): Image {
    const [width, height] = detector.size
    const data = out ?? new Float32Array(width * height)
    const placed = blobs.map(b => ({ ...b, centre: applyRigid(cameraFromLps, b.centre) }))
    for (let v = 0, i = 0; v < height; v++)
      for (let u = 0; u < width; u++, i++) {
        const d = pixelInCamera(detector, u, v)
        const d2 = dot(d, d)
        let sum = 0
        for (const { centre, sigma, peak } of placed) {
          const along = dot(centre, d)
          const gap2 = dot(centre, centre) - (along * along) / d2
          const exponent = gap2 / (2 * sigma * sigma)
          if (exponent < 20) sum += peak * sigma * Math.sqrt(2 * Math.PI) * Math.exp(-exponent)
        }
        data[i] = sum
      }
    return { width, height, data }
  }
})

const shapes = createRandom(5)
const BLOBS: Blob[] = LANDMARKS.map(p => ({
  centre: [p[0] + shapes.uniform(-8, 8), p[1] + shapes.uniform(-8, 8), p[2] + shapes.uniform(-8, 8)],
  sigma: shapes.uniform(5, 16),
  peak: shapes.uniform(0.01, 0.04)
}))
const DETECTOR = binnedDetector(PAPER_DETECTOR, 3)
const CENTRE = centroid(LANDMARKS)

const displaced = (truth: Mat4, random: Random): Mat4 =>
  rigidPoseVariables(truth, CENTRE, { rotation: 5 * DEGREE, inPlane: 10, depth: 30 }).poseAt(
    Array.from({ length: 6 }, () => random.uniform(-1, 1))
  )

describe('linearise', () => {
  const integrals: Image = {
    width: 50,
    height: 40,
    data: Float32Array.from({ length: 2000 }, (_, i) => (i % 50) / 8)
  }
  const expectGain = (found: Image, gain: number) => {
    found.data.forEach((x, i) => {
      expect(x).toBeCloseTo(gain * integrals.data[i], 4)
    })
  }
  it('turns each encoding into line integrals', () => {
    const reading = integrals.data.map(x => 5000 * Math.exp(-x))
    expectGain(linearise({ ...integrals, data: reading }, { kind: 'intensity' }), 1)
    expectGain(linearise({ ...integrals, data: reading }, { kind: 'intensity', unattenuated: 5000 }), 1)
    // Inverted: air is 0. The darkest possible reading is not in the image, so the reversal is about its maximum.
    const full = integrals.data.map((x, i) => (i === 0 ? 0 : 5000 - 5000 * Math.exp(-x)))
    const reversed = linearise({ ...integrals, data: full }, { kind: 'intensity', inverted: true })
    expect(ncc(integrals)(reversed)).toBeGreaterThan(0.9)
    expectGain(
      linearise(
        { ...integrals, data: integrals.data.map(x => 100 - 3 * x) },
        { kind: 'log', inverted: true }
      ),
      3
    )
  })
  it('takes a log image as it is, up to an offset', () => {
    const found = linearise({ ...integrals, data: integrals.data.map(x => 3 * x + 50) }, { kind: 'log' })
    expect(ncc(integrals)(found)).toBeCloseTo(1, 6)
    expect(Math.min(...found.data)).toBeGreaterThanOrEqual(0)
  })
  it('stays finite where no photon arrived, and is not led by a few bright pixels', () => {
    const data = integrals.data.map(x => 1000 * Math.exp(-x))
    data[100] = 0
    data[200] = 60000
    const found = linearise({ ...integrals, data }, { kind: 'intensity' })
    expect(found.data.every(Number.isFinite)).toBe(true)
    expect(found.data[37]).toBeCloseTo(integrals.data[37], 4)
  })
  it('refuses constant images and values that are not numbers', () => {
    expect(() => linearise({ ...integrals, data: integrals.data.map(() => 7) }, { kind: 'log' })).toThrow(
      /constant/
    )
    const data = integrals.data.slice()
    data[103] = Number.NaN
    expect(() => linearise({ ...integrals, data }, { kind: 'log' })).toThrow(/column 3, row 2/)
  })
})

describe('rigidPoseVariables', () => {
  const start = randomView(createRandom(2))
  const centre: Vec3 = [10, -20, 30]
  const variables = rigidPoseVariables(start, centre, { rotation: 2 * DEGREE, inPlane: 3, depth: 10 })
  it('starts at the start, and goes there and back', () => {
    variables.poseAt(new Float64Array(6)).forEach((x, i) => {
      expect(x).toBeCloseTo(start[i], 12)
    })
    const x = [0.5, -2, 1, 3, -1, 0.7]
    variables.variablesOf(variables.poseAt(x)).forEach((v, i) => {
      expect(v).toBeCloseTo(x[i], 9)
    })
  })
  it('turns about the centre and shifts along the camera axes by the given units', () => {
    const c0 = applyRigid(start, centre)
    const turned = variables.poseAt([1, 0, 0, 0, 0, 0])
    expect(distance(applyRigid(turned, centre), c0)).toBeLessThan(1e-10)
    const between = variables.poseAt([0, 3, 0, 0, 0, 0])
    const r = rotationOf(between)
    const r0 = rotationOf(start)
    const relative = [0, 1, 2].flatMap(i =>
      [0, 1, 2].map(j => r[3 * i] * r0[3 * j] + r[3 * i + 1] * r0[3 * j + 1] + r[3 * i + 2] * r0[3 * j + 2])
    )
    expect(rotationAngle(relative)).toBeCloseTo(6 * DEGREE, 10)
    const moved = applyRigid(variables.poseAt([0, 0, 0, 1, 2, -3]), centre)
    expect(distance(moved, [c0[0] + 3, c0[1] + 6, c0[2] - 30])).toBeLessThan(1e-10)
  })
})

describe('supersampled', () => {
  it('divides pixels so that binning puts them together again', () => {
    expect(binnedDetector(dividedDetector(DETECTOR, 3), 3)).toEqual(DETECTOR)
  })
  it('gives the mean over the pixel, where one ray gives the centre', () => {
    const detector = binnedDetector(PAPER_DETECTOR, 8)
    const camera = { detector, cameraFromLps: randomView(createRandom(3)) }
    const renderer = blobRenderer([{ centre: CENTRE, sigma: 4, peak: 1 }])
    const mean = binImage(renderer.render({ ...camera, detector: PAPER_DETECTOR }), 8)
    const rms = (image: Image) => Math.hypot(...image.data.map((x, i) => x - mean.data[i]))
    const buffer = new Float32Array(detector.size[0] * detector.size[1])
    const found = supersampled(renderer, 8).render(camera, buffer)
    expect(found.data).toBe(buffer)
    expect(rms(found)).toBeLessThan(1e-4)
    expect(rms(renderer.render(camera))).toBeGreaterThan(1)
  })
})

describe('registerIntensity on blobs with closed-form projections', () => {
  const renderer = blobRenderer(BLOBS)
  const cases = (seed: number, count: number) => {
    const random = createRandom(seed)
    return Array.from({ length: count }, () => {
      const truth = randomView(random)
      return {
        truth,
        image: renderer.render({ detector: DETECTOR, cameraFromLps: truth }),
        start: displaced(truth, random)
      }
    })
  }

  it('recovers displacements of 5°, 10 mm and 30 mm in depth to a tenth of a millimetre in-plane', () => {
    for (const { truth, image, start } of cases(11, 3)) {
      const found = registerIntensity({ image, detector: DETECTOR, start, centre: CENTRE, renderer })
      const error = poseErrors(DETECTOR, found.cameraFromLps, truth, LANDMARKS)
      expect(error.treInPlane).toBeLessThan(0.1)
      expect(error.tre).toBeLessThan(1)
      expect(found.similarityAfter).toBeGreaterThan(0.999)
      expect(found.similarityAfter).toBeGreaterThan(found.similarityBefore)
      expect(found.evaluations).toBeLessThan(300)
    }
  })

  it.each(['ncc', 'lncc', 'gncc'] as const)('works with %s alone', similarity => {
    for (const { truth, image, start } of cases(12, 1)) {
      const found = registerIntensity({
        image,
        detector: DETECTOR,
        start,
        centre: CENTRE,
        renderer,
        similarity
      })
      expect(poseErrors(DETECTOR, found.cameraFromLps, truth, LANDMARKS).treInPlane).toBeLessThan(0.5)
    }
  })

  it('takes a renderer, a similarity and an optimiser of one’s own', () => {
    const [{ truth, image, start }] = cases(13, 1)
    let renders = 0
    let asked = 0
    const found = registerIntensity({
      image,
      detector: DETECTOR,
      start,
      centre: CENTRE,
      renderer: {
        render: (camera, out) => {
          renders++
          return renderer.render(camera, out)
        }
      },
      similarity: fixed => moving => -Math.hypot(...moving.data.map((x, i) => x - fixed.data[i])),
      optimiser: problem => {
        asked++
        return bobyqaInBox({ ...problem, maxEvaluations: 80 })
      }
    })
    expect(asked).toBe(defaultLevels(DETECTOR).length)
    expect(renders).toBe(found.evaluations)
    expect(poseErrors(DETECTOR, found.cameraFromLps, truth, LANDMARKS).treInPlane).toBeLessThan(0.5)
  })

  it('goes on from the best of several starts', () => {
    const [{ truth, image, start }] = cases(14, 1)
    const wrong = rigidPoseVariables(truth, CENTRE, { rotation: 1, inPlane: 100, depth: 100 }).poseAt([
      1, 0, 1, 1, 0, 0
    ])
    const found = registerIntensity({
      image,
      detector: DETECTOR,
      start: wrong,
      otherStarts: [start],
      centre: CENTRE,
      renderer
    })
    expect(poseErrors(DETECTOR, found.cameraFromLps, truth, LANDMARKS).treInPlane).toBeLessThan(0.1)
  })

  it('is not led astray by a part of the image that has weight 0', () => {
    const [{ truth, image, start }] = cases(15, 1)
    const covered = (i: number) => i % image.width > 53 && i / image.width > 33
    const spoilt = { ...image, data: image.data.map((x, i) => (covered(i) ? 8 + (i % 7) : x)) }
    const weights = { ...image, data: image.data.map((_, i) => (covered(i) ? 0 : 1)) }
    const levels = defaultLevels(DETECTOR, 'gncc')
    const found = registerIntensity({
      image: spoilt,
      weights,
      detector: DETECTOR,
      start,
      centre: CENTRE,
      renderer,
      levels
    })
    expect(poseErrors(DETECTOR, found.cameraFromLps, truth, LANDMARKS).treInPlane).toBeLessThan(1)
  })

  it('reports progress and stops when cancelled', () => {
    const [{ image, start }] = cases(16, 1)
    const abort = new AbortController()
    const seen: number[] = []
    const run = () =>
      registerIntensity({
        image,
        detector: DETECTOR,
        start,
        centre: CENTRE,
        renderer,
        signal: abort.signal,
        onProgress: ({ evaluations }) => {
          seen.push(evaluations)
          if (evaluations === 20) abort.abort()
        }
      })
    expect(run).toThrow(CancelledError)
    expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => i + 1))
  })

  it('refuses what cannot be registered', () => {
    const [{ image, start }] = cases(17, 1)
    const good = { image, detector: DETECTOR, start, centre: CENTRE, renderer }
    expect(() => registerIntensity({ ...good, image: { ...image, data: image.data.map(() => 1) } })).toThrow(
      XrayError
    )
    expect(() => registerIntensity({ ...good, detector: PAPER_DETECTOR })).toThrow(XrayError)
    expect(() => registerIntensity({ ...good, start: start.map(() => Number.NaN) })).toThrow(GeometryError)
    expect(() => registerIntensity({ ...good, levels: [] })).toThrow(ArgumentError)
    expect(() =>
      registerIntensity({
        ...good,
        levels: [{ binning: 1000, bounds: { rotation: 0.1, inPlane: 5, depth: 10 } }]
      })
    ).toThrow(GeometryError)
    expect(() =>
      registerIntensity({
        ...good,
        levels: [{ binning: 0.5, bounds: { rotation: 0.1, inPlane: 5, depth: 10 } }]
      })
    ).toThrow(ArgumentError)
  })
})

describe('registerIntensity on a phantom CT', () => {
  it('is sub-millimetre in-plane on a noisy X-ray with scatter, simulated from finer voxels', () => {
    const fine = createPhantom({ seed: 3, spacing: 1.5 })
    const coarse = createPhantom({ seed: 3, spacing: 2.2 })
    const fineRenderer = createWasmRenderer(fine.ct)
    const renderer = createWasmRenderer(coarse.ct)
    const random = createRandom(4)
    const conditions = XRAY_PRESETS['c-arm']
    const centre = centroid(fine.landmarks)
    for (let k = 0; k < 4; k++) {
      const truth = randomView(random, fine.landmarks)
      const integrals = fineRenderer.render({ detector: PAPER_DETECTOR, cameraFromLps: truth })
      const reading = simulateReading(integrals, PAPER_DETECTOR.pixel[0], conditions, random)
      const start = rigidPoseVariables(truth, centre, {
        rotation: 5 * DEGREE,
        inPlane: 10,
        depth: 30
      }).poseAt(Array.from({ length: 6 }, () => random.uniform(-1, 1)))
      const found = registerIntensity({
        image: linearise(reading, { kind: 'intensity' }),
        detector: PAPER_DETECTOR,
        start,
        centre,
        renderer
      })
      const error = poseErrors(PAPER_DETECTOR, found.cameraFromLps, truth, fine.landmarks)
      expect(error.treInPlane).toBeLessThan(1)
      expect(error.tre).toBeLessThan(2)
      expect(found.evaluations).toBeLessThan(300)
    }
    fineRenderer.dispose()
    renderer.dispose()
  })
})
