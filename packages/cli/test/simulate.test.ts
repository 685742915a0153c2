import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import {
  type Camera,
  centredDetector,
  geometryFromJson,
  gridCentre,
  poseFromView,
  renderMaterials,
  simulateXray,
  type Volume,
  XRAY_PRESETS,
  type XrayPreset
} from '@raypose/core'
import { readPng, readXrayBytes, writeDicomXray, writeNrrd, writePng8, writePng16 } from '@raypose/formats'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const MAIN = resolve(import.meta.dirname, '../dist/main.js')
let folder = ''

function raypose(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise(done => {
    const child = spawn(process.execPath, [MAIN, ...args], { cwd: folder })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', d => (stdout += d))
    child.stderr.on('data', d => (stderr += d))
    child.on('close', code => done({ code, stdout, stderr }))
  })
}

/** A ball of soft tissue with a slanted bone in it, in air. */
const patient = (): Volume<Int16Array> => {
  const n = 41
  const data = new Int16Array(n ** 3)
  for (let k = 0, at = 0; k < n; k++)
    for (let j = 0; j < n; j++)
      for (let i = 0; i < n; i++) {
        const ball = Math.hypot(i - 20, j - 20, k - 20) < 18
        const bone = Math.hypot(i - 20 - (k - 20) / 3, j - 20) < 4
        data[at++] = ball ? (bone ? 900 : 40) : -1000
      }
  return {
    size: [n, n, n],
    spacing: [5, 5, 5],
    origin: [-100, -100, -100],
    direction: [1, 0, 0, 0, 1, 0, 0, 0, 1],
    data
  }
}

const camera: Camera = {
  detector: centredDetector(1200, [2.5, 2.5], [120, 100]),
  cameraFromLps: poseFromView(
    { alpha: 0, beta: 0, gamma: 0.5, translation: [0, 0, 0] },
    gridCentre(patient())
  )
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'raypose-simulate-'))
  writeFileSync(join(folder, 'ct.nrrd'), writeNrrd(patient()))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('a simulated X-ray', () => {
  it.each(Object.keys(XRAY_PRESETS) as XrayPreset[])(
    'as %s comes back from PNG and DICOM pixel by pixel',
    async preset => {
      const [materials] = renderMaterials(patient(), [camera])
      const { image, bits, intensity, bright } = simulateXray(materials, camera, XRAY_PRESETS[preset], {
        seed: 2
      })
      const top = 2 ** bits - 1
      const png = readPng(
        bits === 8 ? writePng8(image, { min: 0, max: 255 }) : writePng16(image, { min: 0, max: top })
      )
      const unit = bits === 8 ? 1 : 65535 / top
      expect(Array.from(png.image.data, x => Math.round(x / unit))).toEqual(Array.from(image.data))

      const dicom = writeDicomXray(image, { ...camera, sourceToPatient: 700, intensity, bright })
      const back = await readXrayBytes('xray.dcm', dicom)
      expect(Array.from(back.image.data, Math.round)).toEqual(Array.from(image.data))
      expect(back).toMatchObject({
        intensity,
        bright,
        guessed: [],
        mirrored: false,
        sourceToPatient: 700,
        modality: 'XA'
      })
      expect(back.detector).toEqual(camera.detector)
    }
  )
})

describe('raypose simulate', () => {
  const common = [
    'simulate',
    '--ct',
    'ct.nrrd',
    '--size',
    '120x100',
    '--pixel',
    '2.5',
    '--view',
    `0,0,${(0.5 * 180) / Math.PI}`
  ]

  it('writes a DICOM X-ray, its geometry and what was done, the same for the same seed', async () => {
    const r = await raypose(...common, '--preset', 'worst', '--seed', '5', '--out', 'a.dcm', '--json')
    expect([r.code, r.stderr]).toEqual([0, expect.stringContaining('Simulating')])
    const said = JSON.parse(r.stdout)
    expect(said).toMatchObject({ out: 'a.dcm', geometryFile: 'a.json', appliedFile: 'a.applied.json' })
    const applied = JSON.parse(readFileSync(join(folder, 'a.applied.json'), 'utf8'))
    expect(applied).toEqual(said.applied)
    expect(applied).toMatchObject({ preset: 'worst', seed: 5, intensity: 'log', bright: 'exposure' })
    const geometry = geometryFromJson(JSON.parse(readFileSync(join(folder, 'a.json'), 'utf8')))
    expect(geometry.detector).toEqual(camera.detector)
    geometry.cameraFromLps?.forEach((x, i) => expect(x).toBeCloseTo(camera.cameraFromLps[i], 9))
    const [materials] = renderMaterials(patient(), [camera])
    const expected = simulateXray(materials, camera, XRAY_PRESETS.worst, { seed: 5 })
    const { image } = await readXrayBytes('a.dcm', readFileSync(join(folder, 'a.dcm')))
    expect(Array.from(image.data, Math.round)).toEqual(Array.from(expected.image.data))
  })

  it('leaves the femurs of a preset where they are, and says so, but refuses to be asked for what it cannot do', async () => {
    const worst = await raypose(...common, '--preset', 'worst', '--out', 'still.png', '--json')
    expect(JSON.parse(worst.stdout)).toMatchObject({
      applied: { femursDeg: null },
      notes: [expect.stringContaining('--landmarks')]
    })
    const asked = await raypose(...common, '--femurs', '15', '--out', 'moved.png')
    expect([asked.code, asked.stderr]).toEqual([2, expect.stringContaining('hips')])
    const landmarks = {
      landmarks: Array.from({ length: 23 }, (_, i) => ({ point: [i, 2 * (i % 5), i % 7] }))
    }
    writeFileSync(join(folder, 'none.landmarks.json'), JSON.stringify(landmarks))
    const none = await raypose(
      ...common,
      '--femurs',
      '15',
      '--landmarks',
      'none.landmarks.json',
      '--out',
      'm.png'
    )
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('femoral head')])
  })

  it('changes settings, places instruments, and says so', async () => {
    const instruments = [{ kind: 'screw', from: [-20, 0, 0], to: [20, 0, 0], diameterMm: 7 }]
    writeFileSync(join(folder, 'screws.json'), JSON.stringify(instruments))
    const r = await raypose(
      ...common,
      '--preset',
      'ideal',
      '--set',
      'bits=10',
      'bright=exposure',
      '--instruments',
      'screws.json',
      '--out',
      'b.png'
    )
    expect([r.code, r.stdout]).toEqual([0, expect.stringContaining('screw')])
    expect(r.stdout).toContain('0 to 1023')
    const applied = JSON.parse(readFileSync(join(folder, 'b.applied.json'), 'utf8'))
    expect(applied.settings).toMatchObject({ bits: 10, bright: 'exposure', photons: null })
    expect(applied.instruments).toEqual([{ ...instruments[0], frame: 'lps', metal: 'titanium' }])
    expect(readPng(readFileSync(join(folder, 'b.png'))).bits).toBe(16)
  })

  it('refuses what it cannot do, in words, and writes nothing', async () => {
    const cases: [string[], string][] = [
      [['--out', 'x.jpg'], '.dcm'],
      [['--out', 'x.png', '--set', 'photons=-3'], 'photons'],
      [['--out', 'x.png', '--set', 'phantoms=3'], 'phantoms'],
      [['--out', 'x.png', '--preset', 'best'], 'ideal'],
      [['--out', 'x.png', '--isocenter', '5000,0,0'], 'No ray']
    ]
    for (const [args, words] of cases) {
      const r = await raypose(...common, ...args)
      expect([r.code, r.stderr], args.join(' ')).toEqual([2, expect.stringContaining(words)])
    }
    const help = await raypose('simulate', '--help')
    expect([help.code, help.stdout]).toEqual([0, expect.stringContaining('collimatorLeak')])
  })
})
