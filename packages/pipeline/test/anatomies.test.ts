import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createPhantom,
  createRandom,
  pelvisAnatomy,
  poseFromView,
  sampleTrilinear,
  type Vec3,
  type Volume
} from '@raypose/core'
import { writeNrrd } from '@raypose/formats'
import { compactSpec, loadWeights, type Network, parameterLayout, saveWeights } from '@raypose/network'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
// From dist: training runs in worker files of its own there.
import {
  createRegistrar,
  evaluatePatient,
  openPatient,
  preparePatient,
  pretrain,
  readModel,
  runProtocol
} from '../dist/index.js'
import { networkAnatomy, populationAnatomy } from '../src/files/anatomy.js'
import { boneRegion } from '../src/place/bone-region.js'
import { placeLandmarks } from '../src/place/place-landmarks.js'
import { populate } from '../src/population/populate.js'
import { findPatients } from '../src/protocol/patients.js'
import { readProtocol, shippedProtocols } from '../src/protocol/read-protocol.js'
import { readPopulation } from '../src/training/population.js'
import { sampled } from './bodies.js'

/** A made-up bone of four knobs on a body, none like another, and a second bone that touches it above. */
const KNOBS: readonly [Vec3, number][] = [
  [[0, 0, 0], 20],
  [[25, 0, -4], 9],
  [[-22, 10, 6], 8],
  [[3, 26, 0], 11],
  [[0, -7, -24], 8]
]
const OTHER: Vec3 = [0, 0, 37]
const within = (p: Vec3, [c, r]: readonly [Vec3, number]) =>
  Math.hypot(p[0] - c[0], p[1] - c[1], p[2] - c[2]) <= r
const inKnobs = (p: Vec3) => KNOBS.some(k => within(p, k))
const body = sampled([60, 60, 60], [3, 3, 3], [-88, -88, -88], (x, y, z) =>
  inKnobs([x, y, z]) ? 600 : within([x, y, z], [OTHER, 18]) ? 600 : Math.hypot(x, y, z) < 80 ? 30 : -1000
)
const BONE = {
  box: { min: [-50, -40, -50] as Vec3, max: [50, 50, 60] as Vec3 },
  threshold: 300,
  seeds: [[0, 0, 0] as Vec3],
  others: [OTHER]
}
const apart = (a: Vec3, b: Vec3) => Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2])

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'raypose-anatomies-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

describe('landmarks that a tool places', () => {
  it('lie on the surface of the bone that was asked for, none on the one that touches it', () => {
    const { landmarks, leastDistanceMm } = placeLandmarks(body, { ...BONE, count: 9 })
    expect(landmarks).toHaveLength(9)
    expect(leastDistanceMm).toBeGreaterThan(10)
    for (const { point } of landmarks) {
      // A voxel of 3 mm either way.
      const depth = Math.max(...KNOBS.map(([c, r]) => r - apart(point, c)))
      expect(Math.abs(depth)).toBeLessThan(3.5)
    }
    // Every knob stands out, so each has one.
    for (const knob of KNOBS.slice(1))
      expect(landmarks.some(l => within(l.point, [knob[0], knob[1] + 4]))).toBe(true)
  })

  it('are refused with a reason where there is no bone, or no box', () => {
    const region = (o: Partial<typeof BONE>) => () => boneRegion(body, { ...BONE, ...o })
    expect(region({ seeds: [[-45, -35, 50]] })).toThrow(/The seed, -45, -35, 50, lies in no bone/)
    expect(region({ box: { min: [0, 0, 0], max: [0, 10, 10] } })).toThrow(/holds nothing/)
    expect(() => placeLandmarks(body, { ...BONE, count: 1e6 })).toThrow(/fewer than the 1000000/)
  })

  it('share a bridge where it is thinnest', () => {
    const { labels, size, stepMm, origin } = boneRegion(body, BONE)
    const at = (p: Vec3) => {
      const [i, j, k] = p.map((x, a) => Math.round((x - origin[a]) / stepMm))
      return labels[(k * size[1] + j) * size[0] + i]
    }
    expect([at([0, 0, 0]), at([25, 0, -4]), at([0, 0, 14])]).toEqual([1, 1, 1])
    expect([at([0, 0, 37]), at([0, 0, 26])]).toEqual([2, 2])
    expect(at([40, 40, 0])).toBe(0)
  })
})

/** Five points of the bone, marked by beads that a warp carries along. */
const POINTS: readonly Vec3[] = [...KNOBS.map(([c]) => c), [12, 10, 10]]
const beads: Volume<Int16Array> = {
  ...body,
  data: Int16Array.from(body.data, (x, n) => {
    const p = [n % 60, Math.floor(n / 60) % 60, Math.floor(n / 3600)].map(i => -88 + 3 * i) as unknown as Vec3
    return POINTS.some(q => apart(p, q) < 6) ? 3000 : x
  })
}

describe('from one annotated CT to a network', () => {
  const population = () => join(root, 'population')
  const made = () =>
    populate({
      cts: [join(root, 'cts', 'knob.nrrd')],
      out: population(),
      count: 3,
      seed: 2,
      spacing: 3,
      mixture: { filled: 0, warped: 1, patients: 0, fracture: 0, hardware: 0, osteophytes: 0, cut: 0 }
    })
  beforeAll(async () => {
    await mkdir(join(root, 'cts'))
    await writeFile(join(root, 'cts', 'knob.nrrd'), writeNrrd(beads))
    await writeFile(
      join(root, 'cts', 'knob.landmarks.json'),
      JSON.stringify({
        anatomy: 'knobbed bone',
        landmarks: POINTS.map((point, i) => ({ name: `point ${i + 1}`, point }))
      })
    )
    await made()
  })

  it('makes members of other shapes whose landmarks are where the warp took them', async () => {
    const members = await readPopulation(population())
    expect(members.map(m => m.anatomy)).toEqual(Array(3).fill('knobbed bone'))
    const { readCt } = await import('../src/files/read-ct.js')
    const sizes: number[] = []
    for (const m of members) {
      const { volume } = await readCt(m.ct)
      for (const p of m.landmarks) expect(sampleTrilinear(volume, p!)).toBeGreaterThan(1800)
      sizes.push(apart(m.landmarks[1]!, m.landmarks[2]!))
    }
    expect(new Set(sizes.map(s => s.toFixed(2))).size).toBe(3)
    for (const s of sizes) expect(Math.abs(s - apart(POINTS[1], POINTS[2]))).toBeLessThan(20)
  })

  it('is not mixed with a population of other landmarks', async () => {
    await writeFile(join(root, 'cts', 'other.nrrd'), writeNrrd(beads))
    await writeFile(
      join(root, 'cts', 'other.landmarks.json'),
      JSON.stringify({ landmarks: POINTS.map((point, i) => ({ name: `spot ${i + 1}`, point })) })
    )
    const cts = ['knob', 'other'].map(n => join(root, 'cts', `${n}.nrrd`))
    await expect(populate({ cts, out: join(root, 'mixed'), count: 1 })).rejects.toThrow(/are not those of/)
    await expect(populate({ out: join(root, 'none'), count: 1 })).rejects.toThrow(/neither an atlas nor a CT/)
  })

  it('trains a network that says what it finds, from the features of another anatomy’s', async () => {
    const { weights } = await pretrain({
      out: join(root, 'run'),
      population: population(),
      initial: await readModel(),
      seed: 1,
      steps: 2,
      batchSize: 2,
      threads: 1
    })
    const network = loadWeights(await readFile(weights))
    expect(network.landmarkNames).toEqual(POINTS.map((_, i) => `point ${i + 1}`))
    // Muon learns soonest from nothing; from given weights it is AdamW that keeps what they know.
    expect(network.provenance.optimiser).toBe('adam')
    const { name, mirror, prior } = networkAnatomy(network)
    expect(name).toBe('knobbed bone')
    expect(mirror).toBeNull()
    expect(prior.modes).toHaveLength(2)
    // Two members are learnt from and one validates; all three say how large the bone is.
    expect(Math.abs(apart(prior.mean[1], prior.mean[2]) - apart(POINTS[1], POINTS[2]))).toBeLessThan(12)
    await expect(
      preparePatient(beads, network, { out: join(root, 'unfound'), steps: 1 })
    ).rejects.toMatchObject({ code: 'volume', message: expect.stringMatching(/No knobbed bone was found/) })
  }, 120_000)
})

describe('what a population tells of its anatomy', () => {
  const random = createRandom(3)
  const members = [0.9, 1, 1.1].map(s => ({
    landmarks: POINTS.map(p => p.map(x => s * x + 0.001 * random.normal()) as unknown as Vec3)
  }))

  it('is the mean shape and how it varies, whatever frame its members are in', () => {
    const moved = members.map(({ landmarks }, i) => ({
      landmarks: landmarks.map((p): Vec3 => [p[0] + 40 * i, p[1] - 7, p[2] + 900])
    }))
    const names = POINTS.map((_, i) => `point ${i + 1}`)
    const { prior, mirror } = populationAnatomy('bone', names, moved)
    expect(mirror).toBeNull()
    expect(apart(prior.mean[1], prior.mean[2])).toBeCloseTo(apart(POINTS[1], POINTS[2]), 1)
    // One standard deviation of three sizes 0.9, 1 and 1.1 is 0.1.
    const grown = prior.mean.map((p, i) => p.map((x, k) => x + prior.modes[0][i][k]) as unknown as Vec3)
    const ratio = apart(grown[1], grown[2]) / apart(prior.mean[1], prior.mean[2])
    expect(Math.abs(ratio - 1)).toBeCloseTo(0.1, 2)
    const alone = populationAnatomy('bone', names, moved.slice(0, 1))
    expect(alone.prior.modes).toHaveLength(0)
  })

  it('is mirrored where every name has its side', () => {
    const names = ['a R', 'a L', 'b M', 'c L', 'c R', 'd M']
    expect(populationAnatomy('bone', names, members).mirror).toEqual([1, 0, 2, 4, 3, 5])
    expect(populationAnatomy('bone', ['e L', ...names.slice(1)], members).mirror).toBeNull()
  })

  it('needs one member with all its landmarks', () => {
    const cut = members.map(m => ({ landmarks: [null, ...m.landmarks.slice(1)] }))
    expect(() =>
      populationAnatomy(
        'bone',
        POINTS.map((_, i) => `${i}`),
        cut
      )
    ).toThrow(/No patient of the population has all landmarks/)
  })
})

/** The shipped network with the maps of half of its landmarks, under other names: a network of another anatomy that is trained. */
function halfNetwork(whole: Network): Network {
  const pelvis = pelvisAnatomy()
  const kept = pelvis.landmarkNames.flatMap((n, i) => (n.endsWith(' R') ? [] : [i]))
  const spec = { ...whole.spec, landmarks: kept.length }
  const parameters = new Float32Array(parameterLayout(spec).total)
  const places = new Map(parameterLayout(spec).entries.map(e => [e.name, e]))
  for (const { name, shape, offset, size } of parameterLayout(whole.spec).entries) {
    const to = places.get(name)!.offset
    const row = size / shape[0]
    if (/^(maps|absent)\b/.test(name))
      kept.forEach((i, k) => {
        parameters.set(whole.parameters.subarray(offset + i * row, offset + (i + 1) * row), to + k * row)
      })
    else parameters.set(whole.parameters.subarray(offset, offset + size), to)
  }
  const pick = <T>(list: readonly T[]): T[] => kept.map(i => list[i])
  return {
    ...whole,
    spec,
    parameters,
    landmarkNames: kept.map((_, k) => `spot ${k + 1}`),
    anatomy: {
      name: 'half a pelvis',
      mirror: null,
      prior: { mean: pick(pelvis.prior.mean), modes: pelvis.prior.modes.map(pick) }
    }
  }
}

describe('another anatomy from preparation to registration', () => {
  const phantom = createPhantom({ seed: 31, spacing: 2, size: [164, 123, 144] })
  let model: string
  beforeAll(async () => {
    model = join(root, 'half.rpw')
    await writeFile(model, saveWeights(halfNetwork(await readModel())))
    await mkdir(join(root, 'patients'))
    await writeFile(join(root, 'patients', 'ann.nrrd'), writeNrrd(phantom.ct))
    await writeFile(
      join(root, 'patients', 'ann.landmarks.json'),
      JSON.stringify({ landmarks: phantom.landmarks.map((point, i) => ({ name: `${i}`, point })) })
    )
  })

  it('is found, prepared and registered under its own names', async () => {
    const network = await readModel(model)
    expect(network.spec).toEqual({ ...compactSpec(13), ...network.spec })
    const out = join(root, 'half')
    const manifest = await preparePatient(phantom.ct, network, { out, steps: 4, maxSeconds: 300 })
    expect(manifest.landmarks.slice(0, 13).map(l => l.name)).toEqual(network.landmarkNames)
    expect(manifest.anatomy).toBe('half a pelvis')
    expect(manifest.notes.join(' ')).toMatch(/The half a pelvis: \d+ of 13 landmarks agree/)
    const patient = await openPatient(out)
    const registrar = await createRegistrar(patient)
    const { views, successes } = await evaluatePatient(registrar, {
      views: 2,
      seed: 5,
      targets: phantom.landmarks
    })
    await registrar.dispose()
    expect(views).toHaveLength(2)
    expect(successes).toBeGreaterThan(0)
    // Truth and estimate are of this patient's own CT.
    expect(views[0].truth).toHaveLength(16)
    expect(poseFromView(views[0].view, patient.isocenter)).toHaveLength(16)
  }, 300_000)

  it('is refused by the protocol of another, before any work', async () => {
    const run = async (name: string, modelFile: string | undefined) =>
      runProtocol(await readProtocol(name), await findPatients(join(root, 'patients')), {
        out: join(root, 'report'),
        model: modelFile,
        workers: 1
      })
    await expect(run('paper', model)).rejects.toMatchObject({
      code: 'model',
      message: 'The network is for another anatomy: "half a pelvis", not "pelvis"'
    })
    await expect(run('l4', undefined)).rejects.toMatchObject({
      code: 'model',
      message: expect.stringMatching(/"pelvis", not "fourth lumbar vertebra"/)
    })
    const prepared = (await findPatients(join(root, 'half'))).slice(0, 1)
    await expect(
      runProtocol(await readProtocol('paper'), prepared, { out: join(root, 'report'), workers: 1 })
    ).rejects.toMatchObject({
      code: 'model',
      message: expect.stringMatching(/The prepared patient half is for another anatomy/)
    })
  })

  it('is not said by a file of before there was more than one, unless it has the pelvis’s landmarks', async () => {
    const { anatomy: _, ...old } = halfNetwork(await readModel())
    expect(() => networkAnatomy(old)).toThrow(/does not say what its landmarks belong to/)
    expect(networkAnatomy(await readModel()).name).toBe('pelvis')
  })
})

it('every protocol that comes with Raypose names its anatomy', async () => {
  const names = await Promise.all((await shippedProtocols()).map(async n => (await readProtocol(n)).anatomy))
  expect(new Set(names)).toEqual(new Set(['pelvis', 'fourth lumbar vertebra']))
})
