import { describe, expect, test } from 'vitest'
import { type AttenuationOptions, MU_WATER } from '../src/drr/attenuation.js'
import { createReferenceRenderer } from '../src/drr/reference-renderer.js'
import { createWasmRenderer } from '../src/drr/wasm-renderer.js'
import type { RenderQuality } from '../src/drr/wasm-volume.js'
import { ArgumentError, BackendError, GeometryError, VolumeError } from '../src/errors.js'
import {
  type Camera,
  centredDetector,
  type Detector,
  PAPER_DETECTOR,
  project,
  rayThrough
} from '../src/geometry/camera.js'
import { cross, dot, IDENTITY3, type Mat3, norm, sub, type Vec3 } from '../src/geometry/linear.js'
import { DEGREE } from '../src/geometry/rotation.js'
import { poseFromView } from '../src/geometry/view.js'
import type { Volume } from '../src/volume/volume.js'
import { anatomicalVolume, relativeRms, sampledVolume } from './drr-volumes.js'

/**
 * `tolerance`: between two renderings of the same scene, relative RMS. `ends`: the same, to the closed form of a box that
 * is cut off on all sides.
 */
const wasm = (quality: RenderQuality) => (volume: Volume, options?: AttenuationOptions) =>
  createWasmRenderer(volume, { ...options, quality })
const backends = [
  { name: 'reference', create: createReferenceRenderer, tolerance: 1e-6, ends: 1e-6 },
  { name: 'wasm joseph', create: wasm('joseph'), tolerance: 0.0005, ends: 1e-4 },
  { name: 'wasm finest', create: wasm('finest'), tolerance: 0.003, ends: 0.01 },
  { name: 'wasm fine', create: wasm('fine'), tolerance: 0.003, ends: 0.01 },
  { name: 'wasm fast', create: wasm('fast'), tolerance: 0.003, ends: 0.01 },
  { name: 'wasm draft', create: wasm('draft'), tolerance: 0.004, ends: 0.01 }
]

/** α, β, γ in degrees. */
const view = (alpha: number, beta: number, gamma: number, translation: Vec3 = [0, 0, 0]) =>
  poseFromView({ alpha: alpha * DEGREE, beta: beta * DEGREE, gamma: gamma * DEGREE, translation }, [0, 0, 0])
const camera = (
  alpha: number,
  beta: number,
  gamma: number,
  detector: Detector = PAPER_DETECTOR,
  translation?: Vec3
): Camera => ({ detector, cameraFromLps: view(alpha, beta, gamma, translation) })

/** Half the paper's resolution: enough to see an error, a quarter of the time. */
const SMALL = centredDetector(1200, [3.2, 3.2], [120, 94])

const POSES: readonly [string, number, number, number][] = [
  ['AP', 0, 0, 0],
  ['PA', 0, 0, 180],
  ['lateral', 0, 0, 90],
  ['other lateral', 0, 0, -90],
  ['oblique', 12, 5, 30],
  ['diagonal', -25, 10, -45],
  ['cranial', 75, 0, 10]
]

/** Length within ±half of the ray from s along the unit direction d. */
function chord(s: Vec3, d: Vec3, half: Vec3): number {
  let from = 0
  let to = Number.POSITIVE_INFINITY
  for (let a = 0; a < 3; a++) {
    const t = [(-half[a] - s[a]) / d[a], (half[a] - s[a]) / d[a]].sort((x, y) => x - y)
    from = Math.max(from, t[0])
    to = Math.min(to, t[1])
  }
  return Math.max(0, to - from)
}

describe.each(backends)('$name renderer', ({ name, create, tolerance, ends }) => {
  // These have no cubic between them and the rays.
  const direct = name === 'reference' || name === 'wasm joseph'
  const bytes = name === 'wasm fast' || name === 'wasm draft'

  test('a uniform box gives the length of the chord', () => {
    const spacing: Vec3 = [1, 0.8, 1.2]
    const size: Vec3 = [120, 110, 100]
    const half = size.map((n, a) => ((n - 1) / 2) * spacing[a]) as unknown as Vec3
    const renderer = create(sampledVolume(size, spacing, () => 0))
    for (const [, alpha, beta, gamma] of POSES) {
      const cam = camera(alpha, beta, gamma, SMALL)
      const { data } = renderer.render(cam)
      const expected = Array.from(data, (_, n) => {
        const { origin, direction } = rayThrough(cam, n % SMALL.size[0], Math.floor(n / SMALL.size[0]))
        return MU_WATER * chord(origin, direction, half)
      })
      // Where a ray leaves through the side of the stack of slices, the slab renderer is off by up to half a
      // slice: the worst case there is, since a patient is not cut off but at the ends of the scan.
      expect(relativeRms(data, expected)).toBeLessThan(ends)
    }
  })

  test('rays that cross a uniform box from end to end have its exact length', () => {
    const renderer = create(sampledVolume([120, 60, 120], [2, 2, 2], () => 500))
    const detector = centredDetector(1200, [2, 2], [90, 80])
    for (const gamma of [0, 180]) {
      const cam = camera(0, 0, gamma, detector)
      const { data } = renderer.render(cam)
      for (let n = 0; n < data.length; n++) {
        const { direction } = rayThrough(cam, n % 90, Math.floor(n / 90))
        const expected = (1.5 * MU_WATER * 59 * 2) / Math.abs(direction[1])
        expect(Math.abs(data[n] / expected - 1)).toBeLessThan(name === 'reference' ? 1e-6 : 2e-4)
      }
    }
  })

  test('a single voxel integrates to its volume, magnified', () => {
    const spacing: Vec3 = [2, 1.5, 3]
    const index: Vec3 = [24, 17, 22]
    // On a background, because no renderer shows less than nothing beside a voxel in the void; and with the same
    // largest value in both volumes, because that sets the scale of the 15-bit one.
    const plain = sampledVolume([41, 41, 41], spacing, () => 1)
    plain.data[0] = 2
    const marked = { ...plain, data: plain.data.slice() }
    marked.data[(index[2] * 41 + index[1]) * 41 + index[0]] = 2
    const point = index.map((n, a) => (n - 20) * spacing[a]) as unknown as Vec3
    const renderers = [marked, plain].map(v => create(v, { convert: 'linear' }))
    const detector = centredDetector(1200, [0.25, 0.25], [160, 160])
    for (const [, alpha, beta, gamma] of POSES) {
      const cam = camera(alpha, beta, gamma, detector)
      const [on, off] = renderers.map(r => r.render(cam).data.reduce((s, x) => s + x, 0) * 0.25 * 0.25)
      // dV = dl · dA⊥ and dA⊥ = cos θ · dA · (z/sdd)² at depth z.
      const { u, v, depth } = project(cam, point)
      const cosine = 1200 / Math.hypot((u - 79.5) * 0.25, (v - 79.5) * 0.25, 1200)
      const expected = ((2 * 1.5 * 3) / cosine) * (1200 / depth) ** 2
      // Weights of bytes are in 64ths, which for one voxel does not average out.
      expect(Math.abs((on - off) / expected - 1)).toBeLessThan(bytes ? 0.01 : 0.005)
    }
  })

  test('a Gaussian blob has its closed form', () => {
    const sigma = 16
    const centre: Vec3 = [6, -9, 4]
    const volume = sampledVolume([80, 70, 75], [2, 2, 2], (x, y, z) =>
      Math.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2) / (2 * sigma ** 2))
    )
    const renderer = create(volume, { convert: 'linear' })
    const peak = sigma * Math.sqrt(2 * Math.PI)
    for (const [, alpha, beta, gamma] of POSES) {
      const cam = camera(alpha, beta, gamma, SMALL)
      const { data } = renderer.render(cam)
      let worst = 0
      for (let n = 0; n < data.length; n++) {
        const { origin, direction } = rayThrough(cam, n % 120, Math.floor(n / 120))
        const miss = norm(cross(sub(centre, origin), direction))
        // Only where the whole of the blob along the ray is inside the volume.
        if (miss > 2 * sigma) continue
        worst = Math.max(worst, Math.abs(data[n] - peak * Math.exp(-(miss ** 2) / (2 * sigma ** 2))))
      }
      // Trilinear interpolation widens the blob by 1/6 voxel² in variance: 0.26 % of the peak.
      expect(worst / peak).toBeLessThan(0.005)
    }
  })

  test('values below air count as nothing, and linear values are taken as they are', () => {
    const hu = anatomicalVolume([50, 40, 30], [5, 5, 6], 3)
    const mu = { ...hu, data: hu.data.map(v => Math.max(0, 0.02 * (1 + v / 1000))) }
    const low = { ...hu, data: hu.data.map(v => (v < -999 ? -3024 : v)) }
    const cam = camera(10, 0, 20, SMALL)
    const expected = create(hu, { muWater: 0.02 }).render(cam).data
    expect(relativeRms(create(mu, { convert: 'linear' }).render(cam).data, expected)).toBeLessThan(1e-5)
    expect(relativeRms(create(low, { muWater: 0.02 }).render(cam).data, expected)).toBeLessThan(1e-3)
  })

  test('flipped and permuted axes show the same image', () => {
    const volume = anatomicalVolume([44, 36, 30], [5, 5.5, 6], 11)
    const cam = camera(14, 6, 33, SMALL, [4, -7, 9])
    const expected = create(volume).render(cam).data
    for (const order of [
      [0, 1, 2],
      [1, 0, 2],
      [2, 1, 0],
      [1, 2, 0]
    ])
      for (const flips of [
        [false, false, false],
        [true, false, false],
        [false, true, true],
        [true, true, true]
      ]) {
        const turned = reorder(volume, order, flips)
        expect(relativeRms(create(turned).render(cam).data, expected)).toBeLessThan(tolerance)
      }
  })

  test('an oblique grid shows the same blob as an upright one', () => {
    const c = Math.cos(0.4)
    const s = Math.sin(0.4)
    const direction: Mat3 = [c, -s, 0, s, c, 0, 0, 0, 1]
    const blob = (x: number, y: number, z: number) => Math.exp(-(x * x + y * y + z * z) / (2 * 18 ** 2))
    const upright = create(sampledVolume([80, 80, 80], [2, 2, 2], blob), { convert: 'linear' })
    const turned = create(sampledVolume([70, 90, 64], [2.2, 1.8, 2.5], blob, direction), {
      convert: 'linear'
    })
    const cam = camera(20, 0, -35, SMALL)
    expect(relativeRms(turned.render(cam).data, upright.render(cam).data)).toBeLessThan(0.005)
  })

  test('rays that miss are 0', () => {
    const renderer = create(anatomicalVolume([40, 40, 40], [4, 4, 4], 5))
    // Beside it, and looking away from it.
    expect(renderer.render(camera(0, 0, 0, SMALL, [600, 0, 0])).data.every(x => x === 0)).toBe(true)
    const behind = renderer.render(camera(0, 0, 0, SMALL, [0, 900, 0])).data
    expect(behind.every(x => x === 0)).toBe(true)
    // Around a small volume, two pixels from its shadow.
    const small = create(sampledVolume([20, 20, 20], [2, 2, 2], () => 1000))
    const cam = camera(10, 5, 20, SMALL)
    const shadow = project(cam, [0, 0, 0])
    const radius = (Math.sqrt(3) * 19 * 1200) / (shadow.depth - 33) / 3.2 + 3
    const { data } = small.render(cam)
    let outside = 0
    for (let n = 0; n < data.length; n++)
      if (Math.hypot((n % 120) - shadow.u, Math.floor(n / 120) - shadow.v) > radius) outside += data[n]
    expect(outside).toBe(0)
    expect(Math.max(...data)).toBeGreaterThan(1)
  })

  test('a shift of the principal point shifts the image', () => {
    const renderer = create(anatomicalVolume([60, 50, 45], [4, 4, 5], 7))
    const plain = renderer.render(camera(8, 0, 15, SMALL)).data
    const shifted = renderer.render(
      camera(8, 0, 15, {
        ...SMALL,
        principalPoint: [SMALL.principalPoint[0] + 7, SMALL.principalPoint[1] - 5]
      })
    ).data
    const a: number[] = []
    const b: number[] = []
    for (let v = 5; v < 94; v++)
      for (let u = 0; u < 113; u++) {
        a.push(shifted[(v - 5) * 120 + u + 7])
        b.push(plain[v * 120 + u])
      }
    expect(relativeRms(a, b)).toBeLessThan(tolerance)
  })

  test('matter behind the source does not count', () => {
    // Two halves; the source stands between them, inside the volume.
    const size: Vec3 = [60, 60, 60]
    const both = sampledVolume(size, [3, 3, 3], (_, y) => (Math.abs(y) > 20 ? 0 : -1000))
    const front = sampledVolume(size, [3, 3, 3], (_, y) => (y > 20 ? 0 : -1000))
    const cam = camera(0, 0, 0, SMALL, [2, 700, 3])
    const expected = create(front).render(cam).data
    expect(Math.max(...expected)).toBeGreaterThan(1)
    expect(relativeRms(create(both).render(cam).data, expected)).toBeLessThan(tolerance)
  })

  test('volumes a few voxels wide are volumes', () => {
    // The outermost voxels are 0 along axes that have room, so that the mass has a closed form.
    for (const size of [
      [3, 40, 40],
      [40, 3, 40],
      [40, 40, 5],
      [3, 4, 3],
      [9, 7, 8]
    ] as Vec3[]) {
      const renderer = create(
        sampledVolume(size, [2, 2, 2], (x, y, z) =>
          [x, y, z].every((p, a) => Math.abs(p) < size[a] - 1.5) ? 1 : 0
        ),
        { convert: 'linear' }
      )
      const detector = centredDetector(1200, [0.5, 0.5], [320, 320])
      const mass = size.reduce((m, n) => m * (n - 2) * 2, 1)
      for (const gamma of [0, 90]) {
        const cam = camera(0, 0, gamma, detector)
        const total = renderer.render(cam).data.reduce((s, x) => s + x, 0) * 0.25
        // Mass is magnified by (sdd/z)², which averages to nearly its value at the isocentre. At sharp edges the
        // cubic of the slab renderer undershoots and is cut off at 0, which adds 2 % in each narrow direction.
        expect(Math.abs(total / (mass * (1200 / 700) ** 2) - 1)).toBeLessThan(direct ? 0.01 : 0.05)
      }
    }
    const flat = create(sampledVolume([30, 1, 30], [2, 2, 2], () => 0))
    expect(flat.render(camera(10, 0, 5, SMALL)).data.every(x => x === 0)).toBe(true)
  })

  test('writes into the array it is given', () => {
    const renderer = create(anatomicalVolume([20, 20, 20], [8, 8, 8], 2))
    const cam = camera(0, 0, 0, SMALL)
    const out = new Float32Array(120 * 94).fill(-1)
    const image = renderer.render(cam, out)
    expect(image.data).toBe(out)
    expect([image.width, image.height]).toEqual([120, 94])
    expect(Array.from(out)).toEqual(Array.from(renderer.render(cam).data))
    expect(() => renderer.render(cam, new Float32Array(7))).toThrow(ArgumentError)
  })

  test('refuses what is not a camera, a volume, or a renderer any more', () => {
    const volume = sampledVolume([8, 8, 8], [5, 5, 5], () => 0)
    const renderer = create(volume)
    const pose = view(0, 0, 0)
    const bad: Camera[] = [
      { detector: SMALL, cameraFromLps: pose.map((x, n) => (n === 3 ? Number.NaN : x)) },
      { detector: SMALL, cameraFromLps: pose.map((x, n) => (n === 0 ? 2 * x : x)) },
      { detector: { ...SMALL, sdd: 0 }, cameraFromLps: pose },
      { detector: { ...SMALL, sdd: -1200 }, cameraFromLps: pose },
      { detector: { ...SMALL, pixel: [0, 1] }, cameraFromLps: pose },
      { detector: { ...SMALL, size: [0, 10] }, cameraFromLps: pose },
      { detector: { ...SMALL, principalPoint: [Number.POSITIVE_INFINITY, 0] }, cameraFromLps: pose }
    ]
    for (const cam of bad) expect(() => renderer.render(cam)).toThrow(GeometryError)
    expect(() => create({ ...volume, size: [8, 8, 9] })).toThrow(VolumeError)
    expect(() => create({ ...volume, data: volume.data.map((x, n) => (n === 9 ? Number.NaN : x)) })).toThrow(
      VolumeError
    )
    renderer.dispose()
    expect(() => renderer.render(camera(0, 0, 0))).toThrow(BackendError)
  })
})

/** The same volume stored along its axes in another order, some of them backwards. */
function reorder(
  v: Volume<Float32Array>,
  order: readonly number[],
  flips: readonly boolean[]
): Volume<Float32Array> {
  const size = order.map(a => v.size[a]) as unknown as Vec3
  const spacing = order.map(a => v.spacing[a]) as unknown as Vec3
  const column = (a: number): Vec3 => [v.direction[a], v.direction[3 + a], v.direction[6 + a]]
  const columns = order.map((a, n) => column(a).map(x => (flips[n] ? -x : x)))
  const data = new Float32Array(v.data.length)
  const stride = [1, v.size[0], v.size[0] * v.size[1]]
  let o = 0
  for (let k = 0; k < size[2]; k++)
    for (let j = 0; j < size[1]; j++)
      for (let i = 0; i < size[0]; i++) {
        let from = 0
        ;[i, j, k].forEach((x, n) => {
          from += (flips[n] ? size[n] - 1 - x : x) * stride[order[n]]
        })
        data[o++] = v.data[from]
      }
  const origin = [...v.origin]
  order.forEach((a, n) => {
    if (!flips[n]) return
    column(a).forEach((x, axis) => {
      origin[axis] += x * v.spacing[a] * (v.size[a] - 1)
    })
  })
  const direction = IDENTITY3.map((_, n) => columns[n % 3][Math.floor(n / 3)])
  return { size, spacing, origin: origin as unknown as Vec3, direction, data }
}

test('reorder keeps every voxel in its place', () => {
  const v = anatomicalVolume([6, 5, 4], [1, 2, 3], 1)
  const w = reorder(v, [2, 0, 1], [true, false, true])
  expect(dot(w.direction.slice(0, 3) as unknown as Vec3, [1, 1, 1])).toBe(1)
  expect(w.size).toEqual([4, 6, 5])
})
