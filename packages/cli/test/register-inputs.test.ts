import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  ArgumentError,
  geometryToJson,
  type Image,
  PAPER_DETECTOR,
  poseFromView,
  StorageError
} from '@raypose/core'
import { writeDicomXray, writePng16 } from '@raypose/formats'
import { relativeGeometry } from '@raypose/pipeline'
import { Command } from 'commander'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { edited } from '../../formats/test/dicom-edit.js'
import { addRegisterCommand } from '../src/commands/register.js'
import { addTrackCommand } from '../src/commands/track.js'
import { readXrays } from '../src/work/read-xrays.js'
import { registerToFolder } from '../src/work/register.js'
import { trackToFolder } from '../src/work/track.js'

let folder: string
const at = (...parts: string[]) => join(folder, ...parts)
const [width, height] = PAPER_DETECTOR.size
const picture = (seed: number): Image => ({
  width,
  height,
  data: Float32Array.from({ length: width * height }, (_, i) => 1000 + ((i * seed) % 997))
})
const pose = (gamma: number) => poseFromView({ alpha: 0, beta: 0, gamma, translation: [0, 0, 0] }, [0, 0, 0])

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'raypose-inputs-'))
  for (const [name, seed] of [
    ['a.png', 1],
    ['b.png', 3],
    ['copy.png', 1]
  ] as const)
    await writeFile(at(name), writePng16(picture(seed), { min: 0, max: 2000 }))
  await writeFile(at('posed.json'), JSON.stringify(geometryToJson(PAPER_DETECTOR, pose(0))))
  await writeFile(at('other.json'), JSON.stringify(geometryToJson(PAPER_DETECTOR, pose(0.5))))
  const xa = { name: 'xa.dcm', bytes: writeDicomXray(picture(1), { detector: PAPER_DETECTOR }) }
  await writeFile(at('nosdd.dcm'), edited(xa, { '00181110': null }).bytes)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('several X-rays', () => {
  it('with one geometry: its pose is that of none, and they are not a tracked pair', async () => {
    for (const geometry of [[at('posed.json')], [at('posed.json'), at('.', 'posed.json')]]) {
      const read = await readXrays({ xrays: [at('a.png'), at('b.png')], geometry, reading: {} })
      expect(read.map(r => r.xray.cameraFromLps)).toEqual([null, null])
      expect(read.every(r => /serves several X-rays/.test(r.xray.notes.join()))).toBe(true)
      expect(relativeGeometry(read.map(r => r.xray)).source).toBe('unknown')
    }
  })

  it('with a geometry each are one', async () => {
    const geometry = [at('posed.json'), at('other.json')]
    const read = await readXrays({ xrays: [at('a.png'), at('b.png')], geometry, reading: {} })
    expect(read.flatMap(r => r.xray.notes)).toEqual([])
    expect(relativeGeometry(read.map(r => r.xray)).source).toBe('tracked')
  })

  it('a single X-ray keeps the pose of its geometry', async () => {
    const [read] = await readXrays({ xrays: [at('a.png')], geometry: [at('posed.json')], reading: {} })
    expect(read.xray.cameraFromLps).toEqual(pose(0).map(x => x + 0))
  })

  it('of which two are the same picture are refused', async () => {
    const geometry = [at('posed.json')]
    for (const [second, message] of [
      ['a.png', /a\.png is given twice/],
      ['copy.png', /a\.png and .*copy\.png hold the same picture/]
    ] as const) {
      const reading = readXrays({ xrays: [at('a.png'), at(second)], geometry, reading: {} })
      await expect(reading).rejects.toBeInstanceOf(ArgumentError)
      await expect(reading).rejects.toThrow(message)
    }
  })
})

describe('a folder that cannot be written', () => {
  it('is told before a patient is opened', async () => {
    const out = at('a.png', 'results')
    const geometry = at('posed.json')
    // The patient is not there: that would be the next thing to fail.
    const common = { patient: at('nobody'), reading: {}, out }
    // One after the other: a promise that fails before it is waited for is a failure of its own.
    for (const work of [
      () => registerToFolder({ ...common, xrays: [at('a.png')], geometry: [geometry] }),
      () => trackToFolder({ ...common, xray: at('a.png'), geometry })
    ])
      await expect(work()).rejects.toBeInstanceOf(StorageError)
  })
})

describe('--sdd', () => {
  it.each([
    ['register', addRegisterCommand],
    ['track', addTrackCommand]
  ])('of %s is a positive number', (name, add) => {
    const program = new Command().exitOverride()
    add(program)
    const [command] = program.commands
    const option = command.options.find(o => o.long === '--sdd')
    expect(command.name()).toBe(name)
    expect(option?.parseArg?.('1100', undefined)).toBe(1100)
    expect(() => option?.parseArg?.('near', undefined)).toThrow(ArgumentError)
  })

  it('completes a DICOM file without a distance', async () => {
    const [read] = await readXrays({ xrays: [at('nosdd.dcm')], reading: { sdd: 1150 } })
    expect(read.xray.detector).toEqual({ ...PAPER_DETECTOR, sdd: 1150 })
    await expect(readXrays({ xrays: [at('nosdd.dcm')], reading: {} })).rejects.toMatchObject({
      hint: expect.stringMatching(/--sdd/)
    })
  })
})
