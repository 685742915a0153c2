import { spawn } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { geometryFromJson, PAPER_DETECTOR, poseFromView, type Volume } from '@raypose/core'
import { readNrrdImage, readPng, writeDicomCtSlices, writeNrrd } from '@raypose/formats'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const MAIN = resolve(import.meta.dirname, '../dist/main.js')
let folder = ''

interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs the command line as a user does: a process of its own, from the folder of the test. */
function raypose(...args: string[]): Promise<Outcome> {
  return new Promise(done => {
    const child = spawn(process.execPath, [MAIN, ...args], { cwd: folder })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', d => (stdout += d))
    child.stderr.on('data', d => (stderr += d))
    child.on('close', code => done({ code, stdout, stderr }))
  })
}

/** A cube of bone in air, 40 mm wide, in the middle of 80 mm. */
const cube = (): Volume<Int16Array> => {
  const n = 41
  const data = new Int16Array(n ** 3).fill(-1000)
  for (let k = 10; k <= 30; k++)
    for (let j = 10; j <= 30; j++) for (let i = 10; i <= 30; i++) data[(k * n + j) * n + i] = 1000
  return {
    size: [n, n, n],
    spacing: [2, 2, 2],
    origin: [-40, -40, -40],
    direction: [1, 0, 0, 0, 1, 0, 0, 0, 1],
    data
  }
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'raypose-cli-'))
  writeFileSync(join(folder, 'cube.nrrd'), writeNrrd(cube()))
  mkdirSync(join(folder, 'papers'))
  writeFileSync(join(folder, 'papers', 'letter.txt'), 'Dear colleague')
  mkdirSync(join(folder, 'empty'))
  writeFileSync(join(folder, 'cut.nrrd'), writeNrrd(cube(), { gzip: false }).subarray(0, 5000))
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('raypose drr', () => {
  it('writes a picture and its geometry', async () => {
    const r = await raypose(
      'drr',
      '--ct',
      'cube.nrrd',
      '--view',
      '0,0,-30',
      '--translate',
      '-5,0,5',
      '--out',
      'a.png'
    )
    expect([r.code, r.stderr.includes('Rendering')]).toEqual([0, true])
    expect(r.stdout).toContain('a.png')
    const { image, bits } = readPng(readFileSync(join(folder, 'a.png')))
    expect([image.width, image.height, bits]).toEqual([240, 188, 16])
    const { detector, cameraFromLps } = geometryFromJson(
      JSON.parse(readFileSync(join(folder, 'a.json'), 'utf8'))
    )
    expect(detector).toEqual(PAPER_DETECTOR)
    const expected = poseFromView(
      { alpha: 0, beta: 0, gamma: -Math.PI / 6, translation: [-5, 0, 5] },
      [0, 0, 0]
    )
    expect(cameraFromLps).toHaveLength(16)
    for (const [i, x] of cameraFromLps?.entries() ?? []) expect(x).toBeCloseTo(expected[i], 9)
  })

  it.each(['wasm', 'reference'])('gives the line integral through the cube, backend %s', async backend => {
    const r = await raypose(
      'drr',
      '--ct',
      'cube.nrrd',
      '--backend',
      backend,
      '--size',
      '21x15',
      '--pixel',
      '2,2',
      '--out',
      `${backend}.nrrd`,
      '--json'
    )
    expect(r.code).toBe(0)
    const json = JSON.parse(r.stdout)
    expect(json.geometry.size).toEqual([21, 15])
    const { image, pixel } = readNrrdImage(readFileSync(join(folder, `${backend}.nrrd`)))
    expect(pixel).toEqual([2, 2])
    // Water times two over 40 mm, and on either side half of the 2 mm over which the trilinear cube falls to air.
    expect(image.data[7 * 21 + 10]).toBeCloseTo(0.0195 * 2 * (40 + 2), 2)
    expect(json.range.max).toBeCloseTo(Math.max(...image.data), 6)
  })

  it('gives the cube as boxes with the nearest voxel, of the reference renderer only', async () => {
    const view = [
      'drr',
      '--ct',
      'cube.nrrd',
      '--size',
      '21x15',
      '--pixel',
      '2,2',
      '--interpolation',
      'nearest'
    ]
    const r = await raypose(...view, '--backend', 'reference', '--out', 'boxes.nrrd')
    expect(r.code).toBe(0)
    const { image } = readNrrdImage(readFileSync(join(folder, 'boxes.nrrd')))
    // 21 voxels of 2 mm.
    expect(image.data[7 * 21 + 10]).toBeCloseTo(0.0195 * 2 * 42, 5)
    const refused = await raypose(...view, '--out', 'fast.nrrd')
    expect(refused.code).not.toBe(0)
    expect(refused.stderr).toMatch(/--interpolation nearest needs the reference renderer/)
    expect(refused.stderr).toMatch(/--backend reference/)
  })

  it('prints nothing but one JSON object on standard output with --json, nothing else with --quiet', async () => {
    const r = await raypose('drr', '--ct', 'cube.nrrd', '--out', 'q.png', '--json', '--quiet')
    expect(JSON.parse(r.stdout)).toMatchObject({
      out: 'q.png',
      geometryFile: 'q.json',
      backend: 'wasm',
      ct: { format: 'nrrd', size: [41, 41, 41] }
    })
    expect(r.stdout.trimEnd().startsWith('{') && r.stdout.trimEnd().endsWith('}')).toBe(true)
    expect(r.stderr).toBe('')
  })

  it('reads a folder of DICOM, and one of several series by its UID', async () => {
    const write = (name: string, seriesUid: string) => {
      mkdirSync(join(folder, name), { recursive: true })
      for (const slice of writeDicomCtSlices(cube(), { seriesUid, studyUid: '1.2.3' }))
        writeFileSync(join(folder, name, slice.name), slice.bytes)
    }
    write('ct', '1.2.3.4')
    const one = await raypose('drr', '--ct', 'ct', '--out', 'dicom.png', '--json')
    expect(JSON.parse(one.stdout).ct).toMatchObject({
      format: 'dicom',
      size: [41, 41, 41],
      series: { seriesUid: '1.2.3.4' }
    })
    write('ct/more', '1.2.3.77')
    const which = await raypose('drr', '--ct', 'ct', '--out', 'dicom2.png')
    expect(which.code).toBe(2)
    expect(which.stderr).toContain('1.2.3.4')
    expect(which.stderr).toContain('1.2.3.77')
    const two = await raypose('drr', '--ct', 'ct', '--series', '77', '--out', 'dicom2.png', '--json')
    expect(JSON.parse(two.stdout).ct.series.seriesUid).toBe('1.2.3.77')
    rmSync(join(folder, 'ct/more'), { recursive: true })
    rmSync(join(folder, 'ct', 'slice-20.dcm'))
    const gap = await raypose('drr', '--ct', 'ct', '--out', 'gap.png', '--json')
    expect([gap.code, JSON.parse(gap.stdout).error.code]).toEqual([2, 'series'])
  })
})

describe('bad input', () => {
  it.each([
    ['a folder that does not exist', ['--ct', 'nowhere'], 'file-not-found', /nowhere does not exist/],
    [
      'a folder without DICOM',
      ['--ct', 'papers'],
      'file-not-found',
      /papers holds no DICOM image \(1 file of another kind\)/
    ],
    ['an empty folder', ['--ct', 'empty'], 'file-not-found', /empty is an empty folder/],
    ['a file of another kind', ['--ct', 'papers/letter.txt'], 'file-format', /letter\.txt/],
    ['a truncated volume', ['--ct', 'cut.nrrd'], 'file-format', /cut\.nrrd/],
    [
      'a view that is none',
      ['--ct', 'cube.nrrd', '--view', '10,0'],
      'argument',
      /--view wants three angles in degrees/
    ],
    ['a C-arm that looks past the CT', ['--ct', 'cube.nrrd', '--isocenter', '900,0,0'], 'volume', /No ray/],
    ['an unknown option', ['--ct', 'cube.nrrd', '--angle', '3'], 'argument', /unknown option '--angle'/i]
  ])('%s: exit code 2, and what to do', async (_, args, code, message) => {
    const r = await raypose('drr', ...args, '--out', 'bad.png', '--json')
    expect(r.code).toBe(2)
    const { error } = JSON.parse(r.stdout)
    expect(error.code).toBe(code)
    expect(error.message).toMatch(message)
    expect(error.hint.length).toBeGreaterThan(10)
    expect(r.stderr).toContain(error.message)
    expect(r.stderr).toContain(error.hint)
    expect(r.stderr).not.toContain('    at ')
    expect(existsSync(join(folder, 'bad.png'))).toBe(false)
  })

  it('refuses an output of an unknown kind before it reads anything', async () => {
    const r = await raypose('drr', '--ct', 'nowhere', '--out', 'x.jpg')
    expect([r.code, r.stdout]).toEqual([2, ''])
    expect(r.stderr).toMatch(/x\.jpg is neither/)
  })

  it('says what is missing', async () => {
    const r = await raypose('drr', '--ct', 'cube.nrrd')
    expect(r.code).toBe(2)
    expect(r.stderr).toMatch(/'--out <file>' not specified/)
    expect(r.stderr).toContain('raypose drr --help')
  })

  it('refuses an option that would be ignored', async () => {
    const mixed = await raypose(
      'evaluate',
      '--protocol',
      'paper',
      '--patients',
      'p',
      '--out',
      'e',
      '--threads',
      '2'
    )
    expect([mixed.code, mixed.stderr]).toEqual([
      2,
      expect.stringContaining('--threads does not go with --protocol')
    ])
    const alone = await raypose('evaluate', '--patient', 'p', '--views', '3', '--out', 'e', '--capture-range')
    expect([alone.code, alone.stderr]).toEqual([
      2,
      expect.stringContaining('--capture-range goes with --protocol')
    ])
  })

  it('leaves no temporary file behind', () => {
    expect(readdirSync(folder).filter(f => f.includes('.part'))).toEqual([])
  })

  it('refuses a patient folder, a population and an X-ray that are none', async () => {
    copyFileSync(join(folder, 'cube.nrrd'), join(folder, 'papers', 'cube.nrrd'))
    const evaluate = await raypose('evaluate', '--patient', 'papers', '--views', '3', '--out', 'e', '--json')
    expect([evaluate.code, JSON.parse(evaluate.stdout).error.code]).toEqual([2, 'bundle'])
    const pretrain = await raypose('pretrain', '--population', 'atlas', '--out', 'm', '--json')
    expect([pretrain.code, JSON.parse(pretrain.stdout).error.code]).toEqual([2, 'file-not-found'])
    await raypose('drr', '--ct', 'cube.nrrd', '--out', 'x.png')
    const register = await raypose(
      'register',
      '--patient',
      'papers',
      '--xray',
      'x.png',
      '--out',
      'r',
      '--json'
    )
    expect([register.code, JSON.parse(register.stdout).error.code]).toEqual([2, 'xray'])
    expect(JSON.parse(register.stdout).error.hint).toContain('--geometry')
    expect(existsSync(join(folder, 'r'))).toBe(false)
  })
})

describe('help', () => {
  it('is there for every command, with examples', async () => {
    const top = await raypose('--help')
    expect(top.code).toBe(0)
    for (const name of ['drr', 'pretrain', 'prepare', 'register', 'evaluate', 'demo']) {
      expect(top.stdout).toContain(`  ${name} `)
      const { code, stdout } = await raypose(name, '--help')
      expect(code).toBe(0)
      expect(stdout).toContain(`$ raypose ${name} `)
      for (const option of ['--json', '--quiet', '--help']) expect(stdout).toContain(option)
    }
  })

  it('goes to standard error where it was not asked for', async () => {
    const none = await raypose()
    expect([none.code, none.stdout]).toEqual([2, ''])
    expect(none.stderr).toContain('Usage: raypose')
    const unknown = await raypose('frobnicate')
    expect([unknown.code, unknown.stdout]).toEqual([2, ''])
    expect(unknown.stderr).toMatch(/unknown command 'frobnicate'/i)
  })

  it('gives the version', async () => {
    const { version } = JSON.parse(readFileSync(resolve(import.meta.dirname, '../package.json'), 'utf8'))
    expect(await raypose('--version')).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
  })
})
