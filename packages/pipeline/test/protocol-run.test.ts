import { fork } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  CancelledError,
  createPhantom,
  createRandom,
  DEGREE,
  geometryFromJson,
  PAPER_DETECTOR,
  poseErrors,
  poseFromView
} from '@raypose/core'
import { readNifti, readPng, writeNrrd } from '@raypose/formats'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
// From dist: the worker is a file of its own there.
import { runProtocol } from '../dist/protocol/run-protocol.js'
import { ablationArms } from '../src/protocol/ablations.js'
import { exportViews, measureImported, posesOf, readPoses } from '../src/protocol/exchange.js'
import { findPatients } from '../src/protocol/patients.js'
import { readProtocol } from '../src/protocol/read-protocol.js'
import { protocolResults, readResults, resultsCsv, resultsText } from '../src/protocol/results.js'
import { type ProtocolRow, readRows } from '../src/protocol/rows.js'
import type { Protocol } from '../src/protocol/schema.js'
import { openStage } from '../src/protocol/stage.js'
import { type GivenStart, givenStart } from '../src/protocol/starts.js'

let root: string
let protocol: Protocol
const phantom = createPhantom({ seed: 4, spacing: 6, size: [55, 41, 48] })

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'raypose-protocol-'))
  const folder = join(root, 'patients')
  const landmarks = phantom.landmarks.map((p, i) => ({ name: `${i}`, point: p }))
  await mkdir(folder)
  for (const name of ['ann', 'bob']) {
    await writeFile(join(folder, `${name}.nrrd`), writeNrrd(phantom.ct))
    await writeFile(
      join(folder, `${name}.landmarks.json`),
      JSON.stringify({ landmarks, isocenter: phantom.isocenter })
    )
  }
  const paper = await readProtocol('paper')
  // Rough pixels and one quick level: what is tested is the bookkeeping, not the registration.
  protocol = {
    ...paper,
    geometry: { ...paper.geometry, pixelMm: [12.8, 12.8], size: [30, 24] },
    views: { ...paper.views, sample: 3 },
    methods: {
      still: {
        title: 'Still',
        group: 'baseline',
        start: { kind: 'displaced', treMm: 7 },
        registration: { kind: 'none' },
        system: {}
      },
      short: {
        title: 'A few steps',
        group: 'baseline',
        start: { kind: 'perturbed', rotationDeg: 1, inPlaneMm: 2, depthMm: 6 },
        registration: {
          kind: 'intensity',
          optimiser: 'bobyqa',
          similarity: 'ncc',
          levels: [{ pixelMm: 12.8, rotationDeg: 5, inPlaneMm: 10, depthMm: 30, maxEvaluations: 60 }]
        },
        system: {}
      }
    },
    figures: [],
    ablations: {},
    captureRange: undefined
  }
})
afterAll(() => rm(root, { recursive: true, force: true }))

/** A row without what depends on the machine. */
const figures = (rows: readonly ProtocolRow[]) => rows.map(({ seconds: _, ...r }) => r)
const patients = () => findPatients(join(root, 'patients'))

describe('a run', () => {
  it('measures what it says it does, at M', async () => {
    const run = await runProtocol(protocol, await patients(), { out: join(root, 'a'), workers: 1 })
    expect(run.rows).toHaveLength(2 * 2 * 3)
    for (const r of run.rows) {
      for (const part of [r.initial, r.final, r.initialPose, r.finalPose]) expect(part).toBeInstanceOf(Object)
      if (!r.initialPose || !r.finalPose || !r.final) continue
      // By the contract's own formula, from the poses alone.
      const view = {
        alpha: r.alphaDeg * DEGREE,
        beta: r.betaDeg * DEGREE,
        gamma: r.gammaDeg * DEGREE,
        translation: r.offsetMm
      }
      const truth = poseFromView(view, phantom.isocenter)
      r.truth.forEach((x, i) => expect(x).toBeCloseTo(truth[i], 6))
      const errors = poseErrors(
        { ...PAPER_DETECTOR, pixel: [12.8, 12.8], size: [30, 24], principalPoint: [14.5, 11.5] },
        r.finalPose,
        truth,
        phantom.landmarks
      )
      expect(r.final.tre).toBeCloseTo(errors.tre, 6)
      expect(r.final.projectionDistance).toBeCloseTo(errors.projectionDistance, 6)
    }
    const still = run.rows.filter(r => r.method === 'still')
    for (const r of still) {
      expect(r.initial?.tre).toBeCloseTo(7, 6)
      expect(r.finalPose).toEqual(r.initialPose)
    }
    const short = run.rows.filter(r => r.method === 'short')
    const mean = (which: 'initial' | 'final') =>
      short.reduce((s, r) => s + (r[which]?.projectionDistance ?? 0) / short.length, 0)
    expect(mean('final')).toBeLessThan(mean('initial'))
    // The same CT and view under another name draws another start.
    expect(still[0].initialPose).not.toEqual(still[3].initialPose)
  })

  it('gives the same figures when it is killed in the middle and resumed, and on threads', async () => {
    const whole = await readAll(join(root, 'a'))
    const out = join(root, 'b')
    const controller = new AbortController()
    let seen = 0
    const first = runProtocol(protocol, await patients(), {
      out,
      workers: 1,
      signal: controller.signal,
      onProgress: () => {
        if (++seen === 3) controller.abort()
      }
    })
    await expect(first).rejects.toMatchObject({ code: new CancelledError().code })
    const part = await readAll(out)
    expect(part.length).toBeGreaterThan(0)
    expect(part.length).toBeLessThan(whole.length)
    // As if it had died while writing a line.
    const [file] = await rowFiles(out)
    const text = await readFile(file, 'utf8')
    await writeFile(file, text.slice(0, -20))
    const again = await runProtocol(protocol, await patients(), { out, workers: 2 })
    expect(figures(again.rows)).toEqual(figures(whole))
    // Nothing is left to do: the rows are those of before, times and all.
    const third = await runProtocol(protocol, await patients(), { out, workers: 1 })
    expect(third.rows).toEqual(again.rows)
  })

  it('gives the same figures when its process dies at once, threads and all', async () => {
    const file = join(root, 'protocol.json')
    await writeFile(file, JSON.stringify(protocol))
    const out = join(root, 'killed')
    const process = fork(
      new URL('./protocol-process.mjs', import.meta.url),
      [file, join(root, 'patients'), out, '2'],
      { stdio: 'inherit' }
    )
    // The first message is of no view yet; then some are done and others under way.
    process.on('message', fraction => {
      if (Number(fraction) > 0) process.kill('SIGKILL')
    })
    await new Promise(resolve => process.on('exit', resolve))
    expect(process.signalCode).toBe('SIGKILL')
    const whole = await readAll(join(root, 'a'))
    const part = await readAll(out)
    expect(part.length).toBeGreaterThan(0)
    expect(part.length).toBeLessThan(whole.length)
    const again = await runProtocol(protocol, await patients(), { out, workers: 1 })
    expect(figures(again.rows)).toEqual(figures(whole))
  })

  it('keeps the rows of other conditions apart', async () => {
    const out = join(root, 'a')
    const before = (await rowFiles(out)).length
    const other: Protocol = { ...protocol, seed: 2, methods: { still: protocol.methods.still } }
    const run = await runProtocol(other, await patients(), { out, workers: 1 })
    expect(run.rows).toHaveLength(6)
    expect((await rowFiles(out)).length).toBe(before + 2)
  })

  it('is written as JSON that can be compared with, and as CSV with a row a view', async () => {
    const run = await runProtocol(protocol, await patients(), { out: join(root, 'a'), workers: 1 })
    const results = protocolResults(run)
    const path = join(root, 'evaluation.json')
    await writeFile(path, resultsText(results))
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual(JSON.parse(JSON.stringify(results)))
    const { views } = await readResults(path)
    expect(views).toHaveLength(run.rows.length)
    expect(views[4].final.tre).toBeCloseTo(run.rows[4].final?.tre ?? 0, 4)
    const lines = resultsCsv(run.rows).trimEnd().split('\r\n')
    expect(lines).toHaveLength(1 + run.rows.length)
    const at = lines[0].split(',').indexOf('"final.tre"')
    expect(Number(lines[5].split(',')[at])).toBeCloseTo(run.rows[4].final?.tre ?? 0, 4)
    await writeFile(path, '{}')
    await expect(readResults(path)).rejects.toThrow(/holds no results/)
  })

  it('needs a preparation for methods that start from a network', async () => {
    const [ann] = await patients()
    const { default: raypose } = (await readProtocol('paper')).methods
    // Without one to make it from, as here, nothing is started.
    await expect(
      runProtocol({ ...protocol, methods: { raypose } }, [ann], {
        out: join(root, 'c'),
        workers: 1,
        model: join(root, 'no-model.rpw')
      })
    ).rejects.toThrow(/no-model/)
  })
})

describe('X-rays', () => {
  it('are the same from DRRs that were kept as from new ones', async () => {
    const [ann] = await patients()
    const drrs = join(root, 'drr')
    const xrays = async (options: { drrs?: string }) => {
      const stage = await openStage(ann, protocol, options)
      const images = [await stage.xray(0), await stage.xray(2)]
      stage.dispose()
      return images
    }
    const fresh = await xrays({})
    expect(await xrays({ drrs })).toEqual(fresh)
    const kept = await readdir(join(drrs, 'ann'))
    expect(kept).toHaveLength(2)
    expect(await xrays({ drrs })).toEqual(fresh)
    // One that was cut short is none.
    await writeFile(join(drrs, 'ann', kept[0]), 'x')
    expect(await xrays({ drrs })).toEqual(fresh)
    expect((await readFile(join(drrs, 'ann', kept[0]))).length).toBe(4 * 30 * 24)
  })
})

it('patients may be links to folders and files elsewhere', async () => {
  const folder = join(root, 'links')
  await mkdir(join(folder, 'store', 'eve'), { recursive: true })
  await writeFile(join(folder, 'store', 'eve', 'manifest.json'), '{}')
  await mkdir(join(folder, 'set'))
  await symlink(join(folder, 'store', 'eve'), join(folder, 'set', 'eve'))
  await symlink(join(root, 'patients', 'ann.nrrd'), join(folder, 'set', 'ann.nrrd'))
  await symlink(join(folder, 'gone'), join(folder, 'set', 'lost'))
  expect((await findPatients(join(folder, 'set'))).map(p => [p.name, p.bundle !== null])).toEqual([
    ['ann', false],
    ['eve', true]
  ])
})

it('every ablation of the paper that needs no preparation runs, with a pose for each view', async () => {
  const paper = await readProtocol('paper')
  const small: Protocol = {
    ...protocol,
    views: { ...protocol.views, sample: 1 },
    methods: {
      default: {
        title: 'Raypose',
        group: 'method',
        start: { kind: 'displaced', treMm: 5 },
        registration: { kind: 'default' },
        system: {}
      }
    },
    ablationBase: {},
    ablations: paper.ablations
  }
  const arms = ablationArms(small, ['similarity', 'pyramid', 'xray'])
  const [ann] = await patients()
  for (const { ablation, arm, protocol: p } of arms) {
    const { rows } = await runProtocol(p, [ann], { out: join(root, 'arms'), workers: 1 })
    expect(rows, `${ablation}, ${arm}`).toHaveLength(1)
    expect(rows[0].failure, `${ablation}, ${arm}`).toBeUndefined()
    expect(rows[0].final, `${ablation}, ${arm}`).not.toBeNull()
    // The default judges its own poses, optimisers by themselves do not.
    const { kind } = p.methods.default.registration
    expect(rows[0].status !== null, `${ablation}, ${arm}`).toBe(kind === 'default')
    expect(rows[0].probabilityTreAbove2mm !== null).toBe(kind === 'default')
  }
  // One DRR for all of them but `worst`, which moves the femurs.
  expect(await readdir(join(root, 'arms', 'drr', 'ann'))).toHaveLength(2)
}, 60_000)

describe('exchange with other systems', () => {
  it('exports views that are complete without their poses, and takes poses back', async () => {
    const out = join(root, 'export')
    const sources = await patients()
    expect(await exportViews(protocol, sources, out)).toEqual({ patients: 2, views: 6 })
    const files = (await readdir(join(out, 'ann'))).sort()
    expect(files).toEqual([
      'ct.nii.gz',
      'targets.json',
      ...[0, 1, 2].flatMap(v => ['dcm', 'json', 'png'].map(e => `view-00${v}.${e}`))
    ])
    const geometry = geometryFromJson(JSON.parse(await readFile(join(out, 'ann', 'view-001.json'), 'utf8')))
    expect(geometry.cameraFromLps).toBeUndefined()
    expect(geometry.detector.size).toEqual([30, 24])
    const { volume } = readNifti(await readFile(join(out, 'ann', 'ct.nii.gz')), 'ct.nii.gz')
    volume.origin.forEach((x, i) => expect(x).toBeCloseTo(phantom.ct.origin[i], 3))
    const { image } = readPng(await readFile(join(out, 'ann', 'view-001.png')), 'view-001.png')
    expect([image.width, image.height]).toEqual([30, 24])

    // The truth, imported, has no error; the poses of a method have the errors of that method.
    const truth = await measureImported(protocol, sources, await readPoses(join(out, 'truth.json')))
    expect(truth).toHaveLength(6)
    for (const r of truth) expect(r.final?.tre).toBeLessThan(1e-9)
    const run = await runProtocol(protocol, sources, { out: join(root, 'a'), workers: 1 })
    const file = join(root, 'poses.json')
    await writeFile(file, JSON.stringify(posesOf(run.rows, 'short')))
    const back = await measureImported(protocol, sources, await readPoses(file))
    expect(back.map(r => r.final)).toEqual(run.rows.filter(r => r.method === 'short').map(r => r.final))
  })

  it('counts views that the file leaves out as lost, and refuses what is none of the protocol', async () => {
    const sources = await patients()
    const pose = Array.from(poseFromView({ alpha: 0, beta: 0, gamma: 0, translation: [0, 0, 0] }, [0, 0, 0]))
    const one = (patient: string, view: number) => ({
      name: 'other',
      poses: [{ patient, view, cameraFromLps: pose }]
    })
    const rows = await measureImported(protocol, sources, one('ann', 0))
    expect(rows.filter(r => r.final === null)).toHaveLength(5)
    await expect(measureImported(protocol, sources, one('eve', 0))).rejects.toThrow(/"eve"/)
    await expect(measureImported(protocol, sources, one('ann', 3))).rejects.toThrow(/view 3 of ann/)
    const file = join(root, 'bad.json')
    await writeFile(
      file,
      JSON.stringify({ name: 'x', poses: [{ patient: 'ann', view: 0, cameraFromLps: pose.map(v => 2 * v) }] })
    )
    await expect(readPoses(file)).rejects.toMatchObject({ code: 'geometry' })
  })
})

it('starts are as far from the truth as they are asked to be', () => {
  const truth = poseFromView({ alpha: 0.1, beta: 0, gamma: 0.4, translation: [0, 0, 20] }, phantom.isocenter)
  const place = {
    detector: PAPER_DETECTOR,
    truth,
    isocenter: phantom.isocenter,
    sourceToIsocenter: 700,
    targets: phantom.landmarks
  }
  for (const treMm of [0.5, 15, 80]) {
    const pose = givenStart({ kind: 'displaced', treMm }, { ...place, random: createRandom(treMm) })
    expect(poseErrors(PAPER_DETECTOR, pose, truth, phantom.landmarks).tre).toBeCloseTo(treMm, 6)
  }
  const fixed: GivenStart = { kind: 'fixed', alphaDeg: 0, betaDeg: 0, gammaDeg: 30, offsetMm: [0, 0, 0] }
  const front = poseFromView(
    { alpha: 0, beta: 0, gamma: 30 * DEGREE, translation: [0, 0, 0] },
    phantom.isocenter
  )
  expect(givenStart(fixed, { ...place, random: createRandom(1) })).toEqual(front)
})

async function rowFiles(out: string): Promise<string[]> {
  const names = await readdir(join(out, 'rows'), { recursive: true })
  return names
    .filter(n => n.endsWith('.ndjson'))
    .sort()
    .map(n => join(out, 'rows', n))
}

/** All rows on disk of the protocol's own methods, in the order of a run. */
async function readAll(out: string): Promise<ProtocolRow[]> {
  const rows = (await Promise.all((await rowFiles(out)).map(readRows))).flat()
  const rank = (r: ProtocolRow) =>
    [r.patient, Object.keys(protocol.methods).indexOf(r.method), r.view].join(' ')
  return rows.sort((a, b) => (rank(a) < rank(b) ? -1 : 1))
}
