import { fork } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  boneSurface,
  createPhantom,
  distance,
  nearestPoint,
  OPEN_BONE_WINDOW,
  pointCells,
  poseErrors,
  XrayError
} from '@raypose/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
// From dist: training runs in worker files of its own there.
import {
  createRegistrar,
  evaluatePatient,
  landmarkWeights,
  openPatient,
  type Patient,
  preparePatient,
  readModel,
  withoutExtras
} from '../dist/index.js'

const phantom = createPhantom({ seed: 31, spacing: 2, size: [164, 123, 144] })
let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'raypose-prepare-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

describe('from a CT to a registered X-ray', () => {
  let patient: Patient

  it('prepares a patient from the CT alone, and goes on after it was stopped', async () => {
    const network = await readModel()
    const out = join(root, 'patient')
    const stages: string[] = []
    const stop = new AbortController()
    const run = (signal?: AbortSignal) =>
      preparePatient(phantom.ct, network, {
        out,
        steps: 6,
        maxSeconds: 300,
        signal,
        onProgress: p => {
          if (stages.at(-1) !== p.stage) stages.push(p.stage)
          if (p.stage.startsWith('Retraining') && p.fraction > 0.3) stop.abort()
        }
      })
    await expect(run(stop.signal)).rejects.toMatchObject({ code: 'cancelled' })
    // Nothing that could be taken for a patient, but the work so far.
    expect(await readdir(out)).toEqual(['.preparing'])
    const found = JSON.parse(await readFile(join(out, '.preparing', 'landmarks.json'), 'utf8'))
    stages.length = 0
    // A checkpoint that was damaged meanwhile costs the steps until then, no more.
    await writeFile(join(out, '.preparing', 'checkpoint.bin'), 'RPCHKPT1 and no more')
    const manifest = await run()
    expect(stages.some(s => s.startsWith('Looking') || s.startsWith('Detecting'))).toBe(false)
    expect(manifest.landmarks.map(l => l.point)).toEqual(found.map((l: { point: number[] }) => l.point))
    expect(await readdir(out)).not.toContain('.preparing')
    patient = await openPatient(out)
    expect(patient.manifest.notes.join(' ')).toMatch(/landmarks agree in 3D.*Orientation: as the file says/)
  })

  it('says so where time left few steps for retraining', async () => {
    const manifest = await preparePatient(phantom.ct, await readModel(), {
      out: join(root, 'hurried'),
      steps: 500,
      maxSeconds: 2
    })
    expect(manifest.notes.join(' ')).toMatch(/Time ended the retraining after \d+ of 500 steps.*--minutes \d/)
    expect(patient.manifest.notes.join(' ')).not.toContain('Time ended')
  })

  it('weighs landmarks by their validation error, by region of views', () => {
    const { viewWeights, landmarks } = patient.manifest
    expect(viewWeights?.weights).toHaveLength(9)
    const all = viewWeights!.weights.flat()
    expect(all).toHaveLength(9 * landmarks.length)
    for (const w of all) expect(w > 0 && w <= 1).toBe(true)
    expect(new Set(landmarks.map(l => l.weight)).size).toBeGreaterThan(15)
    expect(landmarkWeights(patient)).toEqual(patient.weights)
    expect(landmarkWeights(patient, { alpha: 0, gamma: 0 })).toEqual(viewWeights!.weights[4])
    expect(patient.manifest.worstViews).toHaveLength(4)
  })

  it('finds the isocentre and landmarks near the true ones', () => {
    phantom.isocenter.forEach((x, i) => expect(Math.abs(patient.isocenter[i] - x)).toBeLessThan(15))
    const errors = withoutExtras(patient)
      .landmarks.map((p, i) => Math.hypot(...p.map((x, k) => x - phantom.landmarks[i][k])))
      .sort((a, b) => a - b)
    expect(errors[11]).toBeLessThan(12)
  })

  it('adds distinct points of the bone, each with what its own rays say', () => {
    const extra = patient.manifest.landmarks.filter(l => l.source === 'surface')
    expect(extra.length).toBeGreaterThan(4)
    expect(patient.network.spec.landmarks).toBe(23 + extra.length)
    const bone = pointCells(boneSurface(patient.volume, { window: OPEN_BONE_WINDOW }))
    const own = withoutExtras(patient)
    expect(own.landmarks).toHaveLength(23)
    expect(own.viewWeights?.weights.every(w => w.length === 23)).toBe(true)
    for (const l of extra) {
      expect(nearestPoint(bone, l.point, 1)?.distance).toBeLessThan(0.01)
      expect(l.validationMm).toBeGreaterThan(0)
      for (const p of own.landmarks) expect(distance(p, l.point)).toBeGreaterThan(17.9)
    }
    // A short training finds few of them; where rays agree, that is told, and only there.
    expect(extra.some(l => l.spreadMm !== null)).toBe(true)
    for (const l of extra) expect(l.spreadMm !== null).toBe(l.pairs >= 3 && l.support !== null)
  })

  it('registers hidden views within the success threshold, measured at landmarks it never saw', async () => {
    const registrar = await createRegistrar(patient)
    const seen: number[] = []
    const e = await evaluatePatient(registrar, {
      views: 3,
      seed: 5,
      targets: phantom.landmarks,
      onView: v => void seen.push(v.index)
    })
    await registrar.dispose()
    expect(seen).toEqual([0, 1, 2])
    expect(e.successes).toBeGreaterThanOrEqual(2)
    const row = e.views.find(v => v.final)!
    // The row's figures follow from the poses beside them.
    expect(row.final!.tre).toBeCloseTo(
      poseErrors(e.detector, row.finalPose!, row.truth, phantom.landmarks).tre,
      9
    )
  })

  it('refuses an X-ray of another size, an empty one, and one with NaN', async () => {
    const registrar = await createRegistrar(patient)
    const image = (value: number, width = 240) => ({
      width,
      height: 188,
      data: new Float32Array(width * 188).fill(value)
    })
    await expect(registrar.register(image(1, 200), patient.detector)).rejects.toThrow(/200 × 188/)
    await expect(registrar.register(image(1), patient.detector)).rejects.toThrow(XrayError)
    const broken = image(0)
    broken.data[77] = Number.NaN
    await expect(registrar.register(broken, patient.detector)).rejects.toThrow(/not a finite number/)
    await registrar.dispose()
  })
})

describe('a preparation that is killed', () => {
  it('goes on where it was, at whatever stage that happened', async () => {
    const out = join(root, 'killed')
    /** Prepares in a process of its own, which is killed as soon as it says that it is in that stage. */
    const run = (until: string | null) =>
      new Promise<string[]>((resolve, reject) => {
        const child = fork(new URL('./prepare-process.mjs', import.meta.url), [out], { stdio: 'inherit' })
        const stages: string[] = []
        child.on('message', m => {
          stages.push(String(m))
          if (until && String(m).startsWith(until)) child.kill('SIGKILL')
        })
        child.on('error', reject)
        child.on('exit', (code, signal) =>
          (until ? signal === 'SIGKILL' : code === 0)
            ? resolve(stages)
            : reject(new Error(`ended with ${code}`))
        )
      })
    expect(await run('Looking')).toHaveLength(1)
    // Found again, since that was not finished.
    expect((await run('Back-projecting'))[0]).toMatch(/^Looking/)
    expect((await run('Retraining'))[0]).toMatch(/^Detecting/)
    await expect(openPatient(out)).rejects.toMatchObject({ code: 'bundle' })
    const last = await run(null)
    expect(last[0]).toMatch(/^Retraining/)
    expect(withoutExtras(await openPatient(out)).landmarks).toHaveLength(23)
    // Four processes, each with its own start and training threads.
  }, 300_000)
})

describe('a CT that cannot be prepared', () => {
  it('has no bone', async () => {
    const ct = { ...phantom.ct, data: phantom.ct.data.map(x => Math.min(x, 150)) }
    await expect(
      preparePatient(ct, await readModel(), { out: join(root, 'none'), steps: 1 })
    ).rejects.toMatchObject({ code: 'volume', message: expect.stringMatching(/no bone/) })
  })
})
