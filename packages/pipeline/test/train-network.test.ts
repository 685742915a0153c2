import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPhantom, ModelError, TRAINING_GRID, type ViewGrid, VolumeError } from '@raypose/core'
import { writeNrrd } from '@raypose/formats'
import { compactSpec } from '@raypose/network'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
// From dist: training runs in worker files of its own there.
import { trainNetwork } from '../dist/training/train-network.js'
import type { PopulationMember } from '../src/training/population.js'
import type { TrainOptions } from '../src/training/train-options.js'

const detector = {
  sdd: 1200,
  pixel: [8, 8] as const,
  size: [48, 32] as const,
  principalPoint: [23.5, 15.5] as const
}
const spec = compactSpec(23, { imageWidth: 48, imageHeight: 32, channels: [8, 8, 8, 8], decoder: [8, 8] })
const few = Object.fromEntries(
  Object.entries(TRAINING_GRID).map(([k, axis]) => [k, { ...axis, count: k === 'gamma' ? 4 : 1 }])
) as unknown as ViewGrid

let root: string
let members: PopulationMember[]
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'raypose-train-'))
  members = await Promise.all(
    [1, 2].map(async seed => {
      const { ct: volume, landmarks, isocenter } = createPhantom({ seed, spacing: 6, size: [54, 41, 48] })
      const ct = join(root, `p${seed}.nrrd`)
      await writeFile(ct, writeNrrd(volume))
      return { name: `p${seed}`, ct, landmarkNames: landmarks.map((_, i) => `${i}`), landmarks, isocenter }
    })
  )
})
afterAll(() => rm(root, { recursive: true, force: true }))

/** The paper's way, small: a batch of 2 out of 8 views an epoch. */
const grid = (start = 0): TrainOptions => ({
  spec,
  source: {
    kind: 'grid',
    seed: 3,
    detector,
    grid: few,
    patients: members.map(member => ({ member })),
    start
  },
  batch: { batchSize: 2, sigmaPixels: 1.5, seed: 4, poolSize: 0, firstViews: 0, freshViews: 0, augment: 0 },
  steps: 6,
  threads: 1,
  optimiser: 'muon',
  learningRate: 1e-3,
  warmUp: 2,
  seed: 9
})
/** Randomised views out of a pool, of a mixture. */
const mixed = (): TrainOptions => {
  const range = TRAINING_GRID
  const source = (seed: number, of: PopulationMember[]) =>
    ({ kind: 'population', seed, detector, range, members: of, viewsPerPatient: 3 }) as const
  return {
    ...grid(),
    source: {
      kind: 'mixture',
      seed: 3,
      parts: [
        { weight: 1, source: source(1, members.slice(0, 1)) },
        { weight: 2, source: source(2, members.slice(1)) }
      ]
    },
    batch: {
      batchSize: 2,
      sigmaPixels: 1.5,
      seed: 4,
      poolSize: 10,
      firstViews: 4,
      freshViews: 1,
      augment: 1
    },
    steps: 3
  }
}

describe('training', () => {
  it('gives the same weights again, out of a pool of mixed views too', async () => {
    const [a, b] = [await trainNetwork(mixed()), await trainNetwork(mixed())]
    expect(a.step).toBe(3)
    expect(b.parameters).toEqual(a.parameters)
    expect((await trainNetwork({ ...mixed(), batch: { ...mixed().batch, seed: 5 } })).parameters).not.toEqual(
      a.parameters
    )
  })

  it('over a grid goes on after a stop as if there had been none', async () => {
    const kept: { step: number; bytes: Uint8Array }[] = []
    const whole = await trainNetwork({
      ...grid(),
      checkpointEvery: 2,
      onCheckpoint: (step, bytes) => void kept.push({ step, bytes })
    })
    const [first] = kept
    expect(first.step).toBe(2)
    const rest = await trainNetwork({ ...grid(2 * 2), checkpoint: first.bytes })
    expect(rest.step).toBe(6)
    expect(rest.parameters).toEqual(whole.parameters)
    expect(rest.loss).toBe(whole.loss)
    // The time of the first part counts: a limit that it has used up leaves nothing to do.
    const none = await trainNetwork({ ...grid(2 * 2), checkpoint: first.bytes, maxSeconds: 1e-9 })
    expect(none.step).toBe(2)
  })

  it('that diverges goes back twice at lower rates, and then says so', async () => {
    const back: number[][] = []
    const run = trainNetwork({
      ...grid(),
      steps: 40,
      learningRate: 1e30,
      warmUp: 0,
      onRollBack: (from, to, rate) => void back.push([from, to, rate])
    })
    await expect(run).rejects.toThrow(ModelError)
    expect(back.map(b => b[1])).toEqual([0, 0])
    expect(back.map(b => b[2])).toEqual([0.3, 0.09].map(r => expect.closeTo(r, 9)))
  })

  it('that gets no better ends when patience does', async () => {
    const seen: number[] = []
    const result = await trainNetwork({
      ...grid(),
      steps: 40,
      learningRate: 0,
      schedule: 'constant',
      validation: {
        images: [Float32Array.from({ length: 48 * 32 }, (_, i) => i % 48)],
        points: [new Float32Array(46).fill(10)],
        mmPerPixel: 1
      },
      validateEvery: 1,
      patience: 2,
      onValidation: step => void seen.push(step)
    })
    expect([result.stoppedEarly, result.step, result.best?.step]).toEqual([true, 3, 1])
    expect(seen).toEqual([1, 2, 3])
  })

  it('tells what a thread failed with', async () => {
    const far = { ...members[0], landmarks: members[0].landmarks.map(() => [900, 0, 0] as const) }
    const options = grid()
    const source = { ...options.source, patients: [{ member: far }] } as TrainOptions['source']
    await expect(trainNetwork({ ...options, source })).rejects.toThrow(VolumeError)
    const checkpoint = new TextEncoder().encode('RPCHKPT1 and no more')
    await expect(trainNetwork({ ...grid(), checkpoint })).rejects.toThrow(ModelError)
  })
})
