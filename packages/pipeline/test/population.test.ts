import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ArgumentError, createPhantom, PELVIS_LANDMARKS, type Phantom, VolumeError } from '@raypose/core'
import { writeNrrd } from '@raypose/formats'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
// From dist: training runs in worker files of its own there.
import { pretrain, readModel } from '../dist/index.js'
import { loadMember, readPopulation } from '../src/training/population.js'

let root: string
const phantoms = [1, 2, 3].map(seed => createPhantom({ seed, spacing: 4, size: [82, 62, 72] }))
const annotated = (p: Phantom, change: (l: object[]) => object[] = l => l) =>
  JSON.stringify({
    landmarks: change(
      p.landmarks.map((point, i) => ({ name: `${i} ${PELVIS_LANDMARKS.landmarks[i].name}`, point }))
    )
  })

async function folder(): Promise<string> {
  const f = await mkdtemp(join(root, 'population-'))
  for (const [i, p] of phantoms.entries()) {
    await writeFile(join(f, `patient${i}.nrrd`), writeNrrd(p.ct))
    await writeFile(join(f, `patient${i}.landmarks.json`), annotated(p))
  }
  return f
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'raypose-population-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

describe('a population of annotated CTs', () => {
  it('is read, landmarks and isocentre as they are', async () => {
    const members = await readPopulation(await folder())
    expect(members.map(m => m.name)).toEqual(['patient0', 'patient1', 'patient2'])
    expect(members[1].landmarks).toEqual(phantoms[1].landmarks)
    members[1].isocenter.forEach((x, k) => {
      expect(x).toBeCloseTo(phantoms[1].isocenter[k], 9)
    })
  })

  it('trains a network, whose weights can be used and whose run goes on', async () => {
    const population = await folder()
    const out = join(root, 'run')
    const steps: number[] = []
    const run = (n: number) =>
      pretrain({
        out,
        population,
        seed: 3,
        steps: n,
        batchSize: 2,
        threads: 1,
        checkpointEvery: 2,
        onStep: s => steps.push(s.step)
      })
    const stop = new AbortController()
    await expect(
      pretrain({
        out,
        population,
        seed: 3,
        steps: 6,
        batchSize: 2,
        threads: 1,
        signal: stop.signal,
        onStep: s => s.step === 3 && stop.abort()
      })
    ).rejects.toMatchObject({ code: 'cancelled' })
    const result = await run(6)
    // It went on where it was stopped, and not from the start.
    expect(steps[0]).toBeGreaterThan(3)
    expect(result.step).toBe(6)
    const network = await readModel(result.weights)
    expect(network.landmarkNames[22]).toBe('22 sacral promontory')
    const lines = (await readFile(join(out, 'log.ndjson'), 'utf8')).trim().split('\n')
    expect(JSON.parse(lines[lines.length - 1]).validation.visible).toBeGreaterThan(100)
    await expect(run(7)).rejects.toMatchObject({ code: 'model' })
  })

  it('is refused when a CT is missing, names differ, or it is empty', async () => {
    const lacking = await folder()
    await rm(join(lacking, 'patient1.nrrd'))
    await expect(readPopulation(lacking)).rejects.toThrow(/patient1\.landmarks\.json has no CT/)
    const other = await folder()
    await writeFile(
      join(other, 'patient2.landmarks.json'),
      annotated(phantoms[2], l => l.slice(1))
    )
    await expect(readPopulation(other)).rejects.toThrow(/patient2 are not those of patient0/)
    await expect(readPopulation(root)).rejects.toThrow(ArgumentError)
    await expect(readPopulation(join(root, 'nowhere'))).rejects.toMatchObject({ code: 'file-not-found' })
  })

  it('is refused when a landmark lies outside its CT', async () => {
    const f = await folder()
    await writeFile(
      join(f, 'patient0.landmarks.json'),
      annotated(phantoms[0], l => [{ ...l[0], point: [900, 0, 0] }, ...l.slice(1)])
    )
    const [first] = await readPopulation(f)
    await expect(loadMember(first)).rejects.toThrow(VolumeError)
  })
})
