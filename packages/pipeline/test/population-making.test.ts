import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  ArgumentError,
  createRandom,
  expSO3,
  FileFormatError,
  FileNotFoundError,
  indexToLps,
  PoseError,
  rigid,
  sampleTrilinear,
  type Vec3,
  VolumeError
} from '@raypose/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkAtlas } from '../src/population/atlas-check.js'
import { continueCt } from '../src/population/ct-extend.js'
import { fitSurfacesToCt } from '../src/population/ct-fit.js'
import { mirrorVolume, oppositeLandmarks } from '../src/population/ct-source.js'
import { warpCt } from '../src/population/ct-warp.js'
import { scan } from '../src/population/field-of-view.js'
import { fillSurfaces } from '../src/population/fill.js'
import { MIXTURE, parseMixture } from '../src/population/members.js'
import { breakBone } from '../src/population/pathology.js'
import { populate } from '../src/population/populate.js'
import {
  bendShape,
  drawShape,
  shapeLandmarks,
  shapeOf,
  surfaceModel
} from '../src/population/surface-model.js'
import { transformPoints } from '../src/shape-model/align.js'
import { readAtlas } from '../src/shape-model/atlas.js'
import { readPopulation } from '../src/training/population.js'
import { eggAtlas, writeAtlas } from './ellipsoids.js'

const atlas = eggAtlas()
const model = surfaceModel(atlas)
const place = rigid(expSO3([0.05, -0.08, 0.1]), [12, -30, 400])
const truth = transformPoints(shapeOf(model, [0.8, -0.6, 0.5]), place)
const ct = fillSurfaces(model, truth, createRandom(4), 2)
const truthLandmarks = shapeLandmarks(model, truth)
/** Landmarks as a network finds them: some millimetres off, one of them altogether wrong, one unknown. */
const rough = truthLandmarks.map((p, i): Vec3 | null =>
  i === 6 ? null : [p[0] + 3 * Math.sin(5 * i), p[1] - 2, p[2] + (i === 2 ? 30 : 2 * Math.cos(3 * i))]
)
const fit = fitSurfacesToCt(model, ct, rough)
const apart = (a: Vec3, b: Vec3) => Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2])

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'raypose-population-'))
  await writeAtlas(join(root, 'atlas'), atlas)
})
afterAll(() => rm(root, { recursive: true, force: true }))

describe('laying an atlas onto a CT', () => {
  it('finds the surface that the CT was made from, from rough landmarks', () => {
    expect(fit.residual.seen).toBeGreaterThan(0.9)
    // Half a voxel.
    expect(fit.residual.medianMm).toBeLessThan(1)
    const errors = fit.landmarks.map((p, i) => apart(p, truthLandmarks[i]))
    expect(Math.max(...errors)).toBeLessThan(4)
    expect(errors.reduce((s, e) => s + e / errors.length, 0)).toBeLessThan(2)
  })

  it('says so when the CT does not hold the anatomy', () => {
    const empty = { ...ct, data: new Int16Array(ct.data.length).fill(40) }
    expect(() => fitSurfacesToCt(model, empty, rough)).toThrow(PoseError)
    expect(() =>
      fitSurfacesToCt(
        model,
        ct,
        rough.map((p, i) => (i < 3 ? p : null))
      )
    ).toThrow(PoseError)
  })
})

describe('warping a CT', () => {
  it('gives its bones the wanted shape, and says where they are', () => {
    const target = shapeOf(model, [-1, 0.8, -0.5])
    const warped = warpCt(model, ct, fit.shape, target, { spacing: 2, controls: 400 })
    expect(warped.volumeChange.least).toBeGreaterThan(0.2)
    expect(warped.residual.medianMm).toBeLessThan(1)
    // Bone just inside each landmark, soft tissue outside, along the line from the bone's middle.
    const before = fitSurfacesToCt(model, warped.ct, warped.landmarks)
    expect(before.residual.medianMm).toBeLessThan(1)
    before.landmarks.forEach((p, i) => expect(apart(p, warped.landmarks[i])).toBeLessThan(3))
  })

  it('continues a CT that ends within a bone as far as the surface goes', () => {
    const z = Math.min(...truthLandmarks.map(p => p[2])) + 12
    const first = Math.round((z - ct.origin[2]) / ct.spacing[2])
    const [ni, nj, nk] = ct.size
    const cut = {
      ...ct,
      size: [ni, nj, nk - first] as const,
      origin: indexToLps(ct, [0, 0, first]),
      data: ct.data.slice(first * ni * nj)
    }
    const { volume, continued } = continueCt(model, cut, { shape: truth })
    expect(continued).toBe(true)
    // At each egg's lower end, which was cut off: its shell, and no bone below it.
    for (const [x, y, low] of truthLandmarks.slice(2, 4)) {
      expect(sampleTrilinear(ct, [x, y, low + 1])).toBeGreaterThan(150)
      expect(sampleTrilinear(volume, [x, y, low + 1])).toBeGreaterThan(150)
      expect(Math.abs(sampleTrilinear(volume, [x, y, low - 6]))).toBeLessThan(100)
    }
    // What was there is as it was.
    for (const p of truthLandmarks.slice(0, 2))
      expect(sampleTrilinear(volume, p)).toBeCloseTo(sampleTrilinear(ct, p), 6)
    expect(continueCt(model, ct, { shape: truth })).toEqual({ volume: ct, continued: false })
  })

  it('mirrors a CT left for right', () => {
    const mirrored = mirrorVolume(ct)
    for (const [x, y, z] of truthLandmarks)
      expect(sampleTrilinear(mirrored, [-x, y, z])).toBeCloseTo(sampleTrilinear(ct, [x, y, z]), 6)
    expect(oppositeLandmarks(model)).toEqual([1, 0, 3, 2, 5, 4, 6, 7])
    expect(oppositeLandmarks({ landmarks: [{ name: 'top L', vertices: [0] }] })).toBeNull()
  })
})

describe('drawing shapes', () => {
  it('keeps within the limit, and the same seed gives the same shape', () => {
    const draw = () => drawShape(model, createRandom(9), 1.5)
    expect(draw().shape).toEqual(draw().shape)
    expect(Math.max(...draw().weights.map(Math.abs))).toBeLessThanOrEqual(1.5)
  })

  it('bends them smoothly by as much as is said', () => {
    const sigma = 2
    const shape = model.mean
    let squares = 0
    let steps = 0
    const seeds = Array.from({ length: 60 }, (_, i) => i)
    for (const seed of seeds) {
      const bent = bendShape(shape, createRandom(seed), sigma)
      const moved = bent.map((x, i) => x - shape[i])
      squares += moved.reduce((s, x) => s + x * x, 0) / moved.length
      // One vertex and one that is a few millimetres away go almost the same way.
      const { faces } = model.bones[0]
      for (let f = 0; f < 300; f += 3)
        for (let k = 0; k < 3; k++)
          steps = Math.max(steps, Math.abs(moved[faces[f] * 3 + k] - moved[faces[f + 1] * 3 + k]))
    }
    // Each seed's field is a few draws: the mean over 60 of them is good to about a tenth.
    expect(Math.sqrt(squares / seeds.length)).toBeGreaterThan(0.85 * sigma)
    expect(Math.sqrt(squares / seeds.length)).toBeLessThan(1.15 * sigma)
    expect(steps).toBeLessThan(sigma)
    expect(bendShape(shape, createRandom(3), sigma)).toEqual(bendShape(shape, createRandom(3), sigma))
  })

  it('knows nothing of patients left out', () => {
    expect(surfaceModel(atlas, ['P1']).patients.map(p => p.name)).toEqual(['P0', 'P2', 'P3', 'P4', 'P5'])
    expect(() => surfaceModel(atlas, ['Q'])).toThrow(ArgumentError)
    expect(() => surfaceModel(atlas, ['P0', 'P1', 'P2', 'P3'])).toThrow(ArgumentError)
  })
})

describe('pathology and scans', () => {
  it('displaces a fragment rigidly and leaves the other bones alone', () => {
    const broken = { ...ct, data: ct.data.slice() }
    const result = breakBone(model, broken, truth, createRandom(2))!
    const { bone, share, shiftMm } = result.record
    const part = model.bones.find(b => b.name === bone)!
    const moved: number[] = []
    for (let v = 0; v < truth.length / 3; v++)
      if (apart(vertex(result.shape, v), vertex(truth, v)) > 0) moved.push(v)
    expect(moved.length / part.count).toBeCloseTo(share, 9)
    expect(moved.every(v => v >= part.start && v < part.start + part.count)).toBe(true)
    const [a, b] = [moved[0], moved[moved.length - 1]]
    expect(apart(vertex(result.shape, a), vertex(result.shape, b))).toBeCloseTo(
      apart(vertex(truth, a), vertex(truth, b)),
      9
    )
    const centre = (s: Float64Array) =>
      [0, 1, 2].map(k => moved.reduce((m, v) => m + s[v * 3 + k] / moved.length, 0)) as unknown as Vec3
    expect(apart(centre(result.shape), centre(truth))).toBeCloseTo(shiftMm, 9)
    let changed = 0
    for (let i = 0; i < ct.data.length; i++) if (broken.data[i] !== ct.data[i]) changed++
    expect(changed).toBeGreaterThan(20)
  })

  it('averages slices, cuts the field, and forgets landmarks that are no longer in it', () => {
    const settings = {
      cutLow: 0.3,
      cutHigh: 0,
      cutRight: 0,
      cutLeft: 0,
      circle: null,
      sliceMm: 4,
      noiseHu: 0
    }
    const z = truthLandmarks.map(p => p[2])
    const limit = Math.min(...z) + 0.3 * (Math.max(...z) - Math.min(...z))
    const result = scan({ ...ct, data: ct.data.slice() }, truthLandmarks, settings, createRandom(1))
    expect(result.ct.spacing).toEqual([2, 2, 4])
    expect(result.ct.origin[2]).toBeGreaterThanOrEqual(limit)
    expect(result.ct.origin[2]).toBeLessThan(limit + 4)
    result.landmarks.forEach((p, i) => {
      if (z[i] < limit - 4) expect(p).toBeNull()
      if (z[i] > limit + 4) expect(p).toEqual(truthLandmarks[i])
    })
    expect(result.landmarks.some(p => p === null)).toBe(true)
    const round = scan(
      { ...ct, data: ct.data.slice() },
      truthLandmarks,
      { ...settings, cutLow: 0, sliceMm: 0, circle: { radius: 30, x: 0, y: 0 } },
      createRandom(1)
    )
    expect(round.ct.data[0]).toBe(-1000)
    // The sides of the eggs lie some 50 mm from the middle.
    expect(round.landmarks.slice(4, 6)).toEqual([null, null])
  })
})

describe('an atlas that cannot be used', () => {
  const changed = (bone: object, landmarks = atlas.landmarks) =>
    ({
      ...atlas,
      bones: new Map([...atlas.bones].map(([n, b]) => [n, n === 'keel' ? { ...b, ...bone } : b])),
      landmarks
    }) as typeof atlas
  const keel = atlas.bones.get('keel')!

  it('is refused by name', () => {
    expect(() => checkAtlas(atlas)).not.toThrow()
    expect(() => checkAtlas({ ...atlas, patients: [] })).toThrow(ArgumentError)
    expect(() => checkAtlas({ ...atlas, bones: new Map() })).toThrow(ArgumentError)
    expect(() => checkAtlas({ ...atlas, landmarks: [] })).toThrow(ArgumentError)
    expect(() => checkAtlas(changed({ faces: keel.faces.slice(0, keel.faces.length / 2) }))).toThrow(
      /keel is not closed/
    )
    expect(() => checkAtlas(changed({ faces: keel.faces.map((v, i) => (i === 7 ? 1e6 : v)) }))).toThrow(
      ArgumentError
    )
    expect(() => checkAtlas(changed({ vertices: keel.vertices.map(v => v.map(x => x / 1000)) }))).toThrow(
      VolumeError
    )
    expect(() => checkAtlas(changed({ vertices: keel.vertices.slice(1) }))).toThrow(ArgumentError)
    expect(() =>
      checkAtlas(changed({}, [{ name: 'x', side: 'L', meanOf: [{ bone: 'wing', vertex: 0 }] }]))
    ).toThrow(/wing/)
  })

  it('is refused where its files are not what atlas.json says', async () => {
    const folder = join(root, 'broken')
    await expect(readAtlas(folder)).rejects.toThrow(FileNotFoundError)
    await writeAtlas(folder, atlas)
    await expect(readAtlas(folder)).resolves.toMatchObject({ patients: atlas.patients })
    await writeFile(join(folder, 'keel.v'), new Uint8Array(1001))
    await expect(readAtlas(folder)).rejects.toThrow(/keel\.v holds/)
    await writeFile(join(folder, 'atlas.json'), '{"patients": ["A"], "bones": {"keel": {}}}')
    await expect(readAtlas(folder)).rejects.toThrow(/bones\.keel/)
    await writeFile(join(folder, 'atlas.json'), '{"patients": [')
    await expect(readAtlas(folder)).rejects.toThrow(FileFormatError)
  })
})

describe('a population', () => {
  const options = () => ({
    atlas: join(root, 'atlas'),
    out: join(root, 'out'),
    seed: 2,
    spacing: 3,
    mixture: { ...MIXTURE, fracture: 0.5, hardware: 0.5, osteophytes: 0.5 }
  })

  it('of any anatomy is made, read by training, gone on with, and the same for the same seed', async () => {
    const first = await populate({ ...options(), count: 2 })
    expect(first.made).toBe(2)
    expect(first.atlas?.licence).toBe('none: it is made up')
    const again = await populate({ ...options(), count: 3 })
    expect(again.made).toBe(1)
    const members = await readPopulation(join(root, 'out'))
    expect(members.map(m => m.name)).toEqual(['member-0001', 'member-0002', 'member-0003'])
    expect(members[0].landmarkNames).toEqual(model.landmarks.map(l => l.name))
    const other = await populate({ ...options(), out: join(root, 'other'), count: 3 })
    expect(other.made).toBe(3)
    const hash = async (folder: string) =>
      createHash('sha256')
        .update(await readFile(join(root, folder, 'member-0003.nrrd')))
        .digest('hex')
    expect(await hash('other')).toBe(await hash('out'))
  })

  it('is not mixed with one made otherwise', async () => {
    await expect(populate({ ...options(), seed: 3, count: 1 })).rejects.toThrow(ArgumentError)
    await expect(populate({ ...options(), bendMm: 1.5, count: 1 })).rejects.toThrow(/other options/)
    await expect(populate({ cts: ['ct'], out: join(root, 'none'), bendMm: 1.5, count: 1 })).rejects.toThrow(
      /no atlas/
    )
    await expect(
      populate({ ...options(), out: join(root, 'none'), count: 1, mixture: { ...MIXTURE, filled: 0 } })
    ).rejects.toThrow(ArgumentError)
  })

  it('has shares that are checked', () => {
    expect(parseMixture('filled=0.2, fracture=1')).toEqual({ ...MIXTURE, filled: 0.2, fracture: 1 })
    for (const bad of ['wings=1', 'filled', 'filled=', 'filled=2', 'filled=x'])
      expect(() => parseMixture(bad)).toThrow(ArgumentError)
  })
})

function vertex(s: Float64Array, v: number): Vec3 {
  return [s[v * 3], s[v * 3 + 1], s[v * 3 + 2]]
}
