import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createPhantom, geometryToJson, type Image, PAPER_DETECTOR } from '@raypose/core'
import { type NamedBytes, writeDicomCtSlices, writeDicomXray, writeNrrd, writePng16 } from '@raypose/formats'
import { compactSpec, randomParameters } from '@raypose/network'
import { writePatient } from '@raypose/pipeline'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { preparedLandmarks } from './fixtures.js'

/**
 * Every kind of bad input that users can be expected to bring, as they bring it: each gets a typed error that names the thing and
 * what to do, and exit code 2.
 */
const MAIN = resolve(import.meta.dirname, '../dist/main.js')
let folder: string
const at = (...parts: string[]) => join(folder, ...parts)

function raypose(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise(done => {
    const child = spawn(process.execPath, [MAIN, ...args])
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', d => (stdout += d))
    child.stderr.on('data', d => (stderr += d))
    child.on('close', code => done({ code, stdout, stderr }))
  })
}

/** The command leaves with 2 and one JSON object that says the kind of error, what is wrong, and what to do. */
async function refuses(code: string, message: RegExp, ...args: string[]): Promise<void> {
  const r = await raypose(...args, '--json', '--quiet')
  expect(r.code, r.stderr).toBe(2)
  const { error } = JSON.parse(r.stdout)
  expect(error.code).toBe(code)
  expect(error.message).toMatch(message)
  expect(error.hint.length).toBeGreaterThan(10)
  expect(r.stderr).not.toMatch(/\n\s+at /)
}

const phantom = createPhantom({ seed: 4, spacing: 6, size: [55, 41, 48] })

async function ctFolder(name: string, change: (slices: NamedBytes[]) => NamedBytes[]): Promise<string> {
  await mkdir(at(name))
  for (const { name: file, bytes } of change([...writeDicomCtSlices(phantom.ct)]))
    await writeFile(at(name, file), bytes)
  return at(name)
}

const prepare = (ct: string) => ['prepare', '--ct', ct, '--out', at('out'), '--steps', '1']
const register = (xray: string, ...more: string[]) => [
  'register',
  '--patient',
  at('patient'),
  '--xray',
  xray,
  '--out',
  at('out'),
  ...more
]

const [w, h] = PAPER_DETECTOR.size
const picture: Image = {
  width: w,
  height: h,
  data: Float32Array.from({ length: w * h }, (_, i) => 1000 + (i % 997))
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'raypose-bad-'))
  const spec = compactSpec(23)
  await writePatient(at('patient'), {
    isocenter: [...phantom.isocenter],
    detector: { sdd: 1200, pixel: [1.6, 1.6], size: [240, 188], principalPoint: [119.5, 93.5] },
    landmarks: preparedLandmarks(phantom.landmarks),
    provenance: {},
    validation: {},
    curve: [],
    network: {
      spec,
      parameters: randomParameters(spec, 1),
      landmarkNames: phantom.landmarks.map((_, i) => `${i}`),
      pixelMm: [1.6, 1.6],
      provenance: {}
    },
    volume: phantom.ct
  })
  await writeFile(at('xray.png'), writePng16(picture, { min: 0, max: 2000 }))
  await writeFile(at('xray.json'), JSON.stringify(geometryToJson(PAPER_DETECTOR)))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('a CT that is none', () => {
  it('a folder without DICOM', async () => {
    await mkdir(at('letters'))
    await writeFile(at('letters', 'letter.txt'), 'Dear colleague')
    await refuses('file-not-found', /letters/, ...prepare(at('letters')))
  })

  it('a truncated slice', async () => {
    const ct = await ctFolder('truncated', s =>
      s.map((f, i) => (i === 20 ? { ...f, bytes: f.bytes.subarray(0, 1800) } : f))
    )
    await refuses('file-format', /bytes|truncated/i, ...prepare(ct))
  })

  it('a missing slice, its place named', async () => {
    const ct = await ctFolder('missing', s => s.filter((_, i) => i !== 20))
    await refuses('series', /missing|gap/i, ...prepare(ct))
  })

  it('a series that is no CT', async () => {
    await mkdir(at('xa'))
    await writeFile(at('xa', 'a.dcm'), writeDicomXray(picture, { detector: PAPER_DETECTOR }))
    const r = await raypose(...prepare(at('xa')), '--json', '--quiet')
    expect(r.code).toBe(2)
    expect(JSON.parse(r.stdout).error.message).toMatch(/XA|CT/)
  })

  it('no bone in the window', async () => {
    await writeFile(
      at('soft.nrrd'),
      writeNrrd({ ...phantom.ct, data: phantom.ct.data.map(x => Math.min(x, 120)) })
    )
    await refuses('volume', /no bone/, ...prepare(at('soft.nrrd')))
  })

  it('a file cut short, and one that is not there', async () => {
    await writeFile(at('cut.nrrd'), writeNrrd(phantom.ct, { gzip: false }).subarray(0, 4000))
    await refuses('file-format', /cut\.nrrd/, ...prepare(at('cut.nrrd')))
    await refuses('file-not-found', /nowhere/, ...prepare(at('nowhere')))
  })
})

describe('an X-ray that is none', () => {
  it('has no geometry', () => refuses('xray', /geometry|sdd|source/i, ...register(at('xray.png'))))

  it('has another size than its geometry', async () => {
    await writeFile(at('other.json'), JSON.stringify({ ...geometryToJson(PAPER_DETECTOR), size: [200, 188] }))
    await refuses('xray', /240 × 188.*200 × 188/, ...register(at('xray.png'), '--geometry', at('other.json')))
  })

  it('has a pose with a value that is not a number, or that is not rigid', async () => {
    const pose = (m: (number | null)[]) =>
      JSON.stringify({ ...geometryToJson(PAPER_DETECTOR), cameraFromLps: m })
    await writeFile(at('nan.json'), pose([1, 0, 0, null, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]))
    await refuses('geometry', /cameraFromLps/, ...register(at('xray.png'), '--geometry', at('nan.json')))
    await writeFile(at('sheared.json'), pose([1, 0.2, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]))
    await refuses('geometry', /not rigid/, ...register(at('xray.png'), '--geometry', at('sheared.json')))
  })

  it('is empty', async () => {
    await writeFile(
      at('empty.png'),
      writePng16({ ...picture, data: new Float32Array(w * h).fill(500) }, { min: 0, max: 1000 })
    )
    await refuses(
      'xray',
      /empty|constant|same|500|even/i,
      ...register(at('empty.png'), '--geometry', at('xray.json'))
    )
  })
})

describe('a patient that is none', () => {
  it('was altered, is of another version, or is no patient', async () => {
    const manifest = await readFile(at('patient', 'manifest.json'), 'utf8')
    const ct = await readFile(at('patient', 'ct.nrrd'))
    const attempt = register(at('xray.png'), '--geometry', at('xray.json'))
    const altered = Buffer.from(ct)
    altered[altered.length - 5] ^= 8
    await writeFile(at('patient', 'ct.nrrd'), altered)
    // Another registration's results, which must not be taken for this one's.
    const ours = { format: 'raypose-registration' }
    const left = {
      'result.json': { format: 'raypose-registration-set', results: [{}, {}] },
      'report.html': {},
      '2/result.json': ours,
      '2/overlay-final.png': {},
      '2/notes.txt': {},
      '3/result.json': ours,
      '1/result.json': { format: 'of another program' }
    }
    for (const [name, content] of Object.entries(left)) {
      await mkdir(join(at('out'), name, '..'), { recursive: true })
      await writeFile(join(at('out'), name), JSON.stringify(content))
    }
    await refuses('bundle', /ct\.nrrd was changed/, ...attempt)
    const files = (await readdir(at('out'), { recursive: true })).filter(f => /^(\d.*|\w+)\.\w+$/.test(f))
    expect(files.sort()).toEqual(['1/result.json', '2/notes.txt', '3/result.json'])
    for (const name of files) await rm(join(at('out'), name))
    await writeFile(at('patient', 'ct.nrrd'), ct)
    await writeFile(
      at('patient', 'manifest.json'),
      manifest.replace('"formatVersion": 1', '"formatVersion": 7')
    )
    await refuses('bundle', /format 7/, ...attempt)
    await writeFile(at('patient', 'manifest.json'), manifest)
    await refuses(
      'bundle',
      /letters.*not a prepared patient/,
      'evaluate',
      '--patient',
      at('letters'),
      '--views',
      '3',
      '--out',
      at('out')
    )
  })
})

it('leaves nothing half-written behind', async () => {
  const left = await readdir(at('out'), { recursive: true }).catch(() => [])
  expect(
    left.filter(f => f.endsWith('.part') || f.endsWith('result.json') || f.endsWith('manifest.json'))
  ).toEqual([])
})
