import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  ArgumentError,
  BackendError,
  createPhantom,
  gridViews,
  ModelError,
  PAPER_DETECTOR,
  PELVIS_LANDMARKS,
  TRAINING_GRID,
  type TrainingView,
  VolumeError
} from '@raypose/core'
import { writeNrrd } from '@raypose/formats'
import { compactSpec } from '@raypose/network'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { epochOrder } from '../src/training/grid-source.js'
import { gridPopulation, mixedSource, openPopulation } from '../src/training/mixed-population.js'
import { mixtureSource } from '../src/training/mixture-source.js'
import { epochSteps, RECIPES } from '../src/training/recipes.js'
import { openRunFolder, parseTrainingLog } from '../src/training/run-folder.js'
import { divergenceGuard, learningRateAt } from '../src/training/train-options.js'
import { validationOutcome } from '../src/training/validation.js'
import { plainError, revivedError } from '../src/training/worker-errors.js'

const marked = (mark: number): TrainingView => ({
  width: 1,
  height: 1,
  bone: Float32Array.of(mark),
  soft: Float32Array.of(0),
  points: Float32Array.of(0, 0)
})

describe('a mixture of sources', () => {
  it('draws each by its weight, the same for the same seed', async () => {
    const draw = async (seed: number) => {
      const next = mixtureSource(seed, [
        { weight: 1, source: () => marked(0) },
        { weight: 3, source: () => marked(1) }
      ])
      const marks: number[] = []
      for (let i = 0; i < 4000; i++) marks.push((await next()).bone[0])
      return marks
    }
    const marks = await draw(5)
    // Six standard deviations of a binomial count.
    expect(Math.abs(marks.reduce((a, b) => a + b) - 3000)).toBeLessThan(6 * Math.sqrt(4000 * 0.75 * 0.25))
    expect(await draw(5)).toEqual(marks)
    expect(await draw(6)).not.toEqual(marks)
  })

  it('refuses weights that are none', () => {
    expect(() => mixtureSource(1, [])).toThrow(ArgumentError)
    expect(() => mixtureSource(1, [{ weight: 0, source: () => marked(0) }])).toThrow(ArgumentError)
  })
})

describe('the grid of the paper', () => {
  it('shows every view of every patient once an epoch, in another order each epoch', () => {
    const sorted = (x: Uint32Array) => [...x].sort((a, b) => a - b)
    const all = Array.from({ length: 5 * 30 }, (_, i) => i)
    for (const resident of [16, 2]) {
      const first = epochOrder(3, 0, 5, 30, resident)
      expect(sorted(first)).toEqual(all)
      expect(sorted(epochOrder(3, 1, 5, 30, resident))).toEqual(all)
      expect(epochOrder(3, 0, 5, 30, resident)).toEqual(first)
      expect(epochOrder(3, 1, 5, 30, resident)).not.toEqual(first)
      expect(epochOrder(4, 0, 5, 30, resident)).not.toEqual(first)
    }
  })

  it('never asks for more patients at a time than may be in memory', () => {
    const order = epochOrder(3, 0, 5, 30, 2)
    for (const [from, to] of [
      [0, 60],
      [60, 120],
      [120, 150]
    ])
      expect(new Set([...order.subarray(from, to)].map(i => Math.floor(i / 30))).size).toBeLessThanOrEqual(2)
  })

  it('of 12 patients takes the steps that the paper took', () => {
    expect(gridViews(TRAINING_GRID).length).toBe(3456)
    expect(epochSteps(12, RECIPES.paper.epochs ?? 0, RECIPES.paper.batchSize)).toBe(12 * 3456 * 4)
    expect([RECIPES.paper.optimiser, RECIPES.raypose.optimiser]).toEqual(['adam', 'muon'])
  })
})

describe('the learning rate', () => {
  const o = { learningRate: 0.01, warmUp: 10 }
  it('rises linearly, then falls along half a cosine', () => {
    expect(learningRateAt(o, 4, 0)).toBeCloseTo(0.005 + 1e-6, 12)
    expect(learningRateAt(o, 50, 0.5)).toBeCloseTo(0.005 + 1e-6, 12)
    expect(learningRateAt(o, 99, 1)).toBeCloseTo(1e-6, 12)
  })
  it('stays where the schedule says so', () => {
    const paper = { learningRate: 1e-5, warmUp: 0, schedule: 'constant' as const }
    for (const p of [0, 0.3, 1]) expect(learningRateAt(paper, 1000 * p, p)).toBe(1e-5)
  })
})

describe('steps that are not finite', () => {
  it('are taken again, then taken back at lower rates, then end the training', () => {
    const guard = divergenceGuard()
    const after = (...s: ('ok' | 'diverged')[]) => s.map(guard.after)
    expect(after('ok', 'diverged', 'diverged', 'ok', 'diverged', 'diverged')).toEqual([
      'on',
      'again',
      'again',
      'on',
      'again',
      'again'
    ])
    expect(guard.rate()).toBe(1)
    expect(guard.after('diverged')).toBe('back')
    expect(guard.rate()).toBeCloseTo(0.3, 12)
    expect(after('diverged', 'diverged', 'diverged')).toEqual(['again', 'again', 'back'])
    expect(guard.rate()).toBeCloseTo(0.09, 12)
    expect(after('ok', 'diverged', 'diverged', 'diverged')).toEqual(['on', 'again', 'again', 'end'])
  })
})

describe('errors between threads', () => {
  it('keep class, code and hint', () => {
    const volume = revivedError('batch', structuredClone(plainError(new VolumeError('no bone', 'look'))))
    expect(volume).toBeInstanceOf(VolumeError)
    expect([volume.message, volume.hint]).toEqual(['no bone', 'look'])
    const other = revivedError('batch', structuredClone(plainError(new RangeError('too long'))))
    expect(other).toBeInstanceOf(BackendError)
    expect(other.message).toContain('batch worker failed: too long')
  })
})

describe('a validation', () => {
  it('is told apart by kind of patient, and names the worst views', () => {
    const at = (u: number) => [{ u, v: 5, confidence: 1 }]
    const set = {
      images: [0, 1, 2, 3].map(() => new Float32Array(1)),
      points: [Float32Array.of(5, 5), Float32Array.of(5, 5), Float32Array.of(5, 5), Float32Array.of(-9, 5)],
      mmPerPixel: 2,
      groups: [
        { name: 'a', count: 1 },
        { name: 'b', count: 3 }
      ]
    }
    const { accuracy, groups, worst } = validationOutcome([at(6), at(5), at(9), at(5)], set, [20, 20])
    expect(accuracy.meanMm).toBeCloseTo((2 + 0 + 8) / 3, 12)
    expect(groups.map(g => [g.name, g.accuracy.meanMm])).toEqual([
      ['a', 2],
      ['b', 4]
    ])
    expect(worst.map(w => [w.index, w.meanMm])).toEqual([
      [2, 8],
      [0, 2],
      [1, 0]
    ])
  })
})

describe('the log of a run', () => {
  it('leaves out what a kill or a return lost, and lines cut short', () => {
    const step = (n: number) => JSON.stringify({ step: n, loss: n })
    const validation = (n: number) => JSON.stringify({ step: n, validation: { meanMm: n } })
    const text = [
      step(1),
      step(2),
      validation(2),
      step(3),
      '{"step":4,"lo',
      JSON.stringify({ resumed: 2 }),
      step(3),
      step(4),
      validation(4),
      JSON.stringify({ rolledBack: { from: 4, to: 3, rate: 0.3 } }),
      step(4),
      ''
    ].join('\n')
    const log = parseTrainingLog(text)
    expect(log.steps.map(s => s.step)).toEqual([1, 2, 3, 4])
    expect(log.validations.map(v => v.step)).toEqual([2])
    expect(log.events).toHaveLength(2)
  })
})

describe('a population of several parts', () => {
  let root: string
  const names = PELVIS_LANDMARKS.landmarks.map(l => `${l.name} ${l.side}`)
  const folder = async (name: string, count: number, rename = (n: string) => n) => {
    const f = await mkdtemp(join(root, `${name}-`))
    const p = createPhantom({ seed: 1, spacing: 6, size: [40, 32, 36] })
    for (let i = 0; i < count; i++) {
      await writeFile(join(f, `p${i}.nrrd`), writeNrrd(p.ct))
      const landmarks = p.landmarks.map((point, k) => ({ name: rename(names[k]), point }))
      await writeFile(join(f, `p${i}.landmarks.json`), JSON.stringify({ landmarks }))
    }
    return f
  }
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'raypose-engine-'))
  })
  afterAll(() => rm(root, { recursive: true, force: true }))

  it('keeps the last of each folder for validation and mixes the rest', async () => {
    const warped = await folder('warped', 3)
    const population = await openPopulation([{ patients: 40 }, { patients: warped, weight: 2 }])
    const [, part] = population.parts
    expect('members' in part && [part.members.map(m => m.name), part.held.map(m => m.name)]).toEqual([
      ['p0', 'p1'],
      ['p2']
    ])
    const source = mixedSource(population, 1, PAPER_DETECTOR)
    expect(source.kind === 'mixture' && source.parts.map(p => [p.source.kind, p.weight])).toEqual([
      ['phantoms', 1],
      ['population', 2]
    ])
    expect(mixedSource(await openPopulation(40), 1, PAPER_DETECTOR).kind).toBe('phantoms')
  })

  it('of the paper’s recipe are all patients but the last', async () => {
    const { patients } = gridPopulation(await openPopulation(13), 1, PAPER_DETECTOR)
    expect(patients).toHaveLength(12)
  })

  it('is refused where landmarks differ, a weight is none, or the recipe has no use for it', async () => {
    const other = await folder('other', 2, n => n.toUpperCase())
    await expect(openPopulation([{ patients: 4 }, { patients: other }])).rejects.toThrow(
      /landmarks of other-\w+ are not those of phantoms/
    )
    await expect(openPopulation([])).rejects.toThrow(ArgumentError)
    await expect(openPopulation([{ patients: 4, weight: Number.NaN }])).rejects.toThrow(ArgumentError)
    await expect(openPopulation(0)).rejects.toThrow(ArgumentError)
    const weighted = await openPopulation([{ patients: 4, weight: 2 }])
    expect(() => gridPopulation(weighted, 1, PAPER_DETECTOR)).toThrow(/knows no weights/)
    const one = await openPopulation(1)
    expect(() => gridPopulation(one, 1, PAPER_DETECTOR)).toThrow(/at least two patients/)
  })

  it('of another run, and a checkpoint cut short, are refused by type', async () => {
    const out = join(root, 'run')
    const spec = compactSpec(2, { imageWidth: 32, imageHeight: 32 })
    await openRunFolder(out, spec, { seed: 1 })
    await expect(openRunFolder(out, spec, { seed: 2 })).rejects.toThrow(ModelError)
    const folder = join(root, 'named')
    const first = {
      seed: 1,
      population: [{ phantoms: 4 }],
      spec: { channels: [8, 16] },
      long: 'x'.repeat(99)
    }
    await openRunFolder(folder, spec, first)
    // The order of settings does not count.
    await openRunFolder(folder, spec, Object.fromEntries(Object.entries(first).reverse()))
    const other = { population: [{ phantoms: 5 }], spec: { channels: [8, 24] }, steps: 3, seed: 1 }
    await expect(openRunFolder(folder, spec, other)).rejects.toThrow(
      `other settings: population.0.phantoms 4 there, 5 here; spec.channels.1 16 there, 24 here; long "${'x'.repeat(38)}… there, not set here; steps not set there, 3 here`
    )
    await expect(openRunFolder(folder, spec, { ...other, batch: 8 })).rejects.toThrow(/and 1 more$/)
    await writeFile(join(out, 'checkpoint.bin'), 'RPCHKPT1 and no more')
    await expect(openRunFolder(out, spec, { seed: 1 })).rejects.toThrow(/checkpoint\.bin: The checkpoint/)
    await writeFile(join(out, 'config.json'), '{"seed":')
    await expect(openRunFolder(out, spec, { seed: 1 })).rejects.toMatchObject({ code: 'file-format' })
  })
})
