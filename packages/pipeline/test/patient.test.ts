import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BundleError, createPhantom, type HipJoint, type RayposeError } from '@raypose/core'
import { compactSpec, randomParameters } from '@raypose/network'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeFileAtomic } from '../src/files/atomic.js'
import { openPatient, type PatientBones, writePatient } from '../src/patient/bundle.js'
import { manifestIntegrity } from '../src/patient/manifest.js'

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'raypose-patient-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

const phantom = createPhantom({ seed: 4, spacing: 6, size: [55, 41, 48] })
const spec = compactSpec(23)

async function patient(name: string, bones?: PatientBones): Promise<string> {
  const folder = join(root, name)
  await writePatient(folder, {
    isocenter: [...phantom.isocenter],
    detector: { sdd: 1200, pixel: [1.6, 1.6], size: [240, 188], principalPoint: [119.5, 93.5] },
    landmarks: phantom.landmarks.map((p, i) => ({
      name: `landmark ${i}`,
      point: [...p],
      source: 'rays',
      inside: true,
      rays: 10,
      pairs: 20,
      support: 0.9,
      spreadMm: 1,
      surfaceDistanceMm: 2,
      priorResidualMm: 3,
      validationMm: null,
      weight: 1
    })),
    provenance: {},
    validation: {},
    curve: [[10, 5.5]],
    network: {
      spec,
      parameters: randomParameters(spec, 1),
      landmarkNames: phantom.landmarks.map((_, i) => `${i}`),
      pixelMm: [1.6, 1.6],
      provenance: {}
    },
    volume: phantom.ct,
    bones
  })
  return folder
}

/** Opening fails with a BundleError that names the thing and says what to do. */
async function refuses(folder: string, what: RegExp): Promise<void> {
  const error = (await openPatient(folder).then(
    () => null,
    e => e
  )) as RayposeError | null
  expect(error).toBeInstanceOf(BundleError)
  expect(error!.message).toMatch(what)
  expect(error!.hint).not.toBe('')
}

describe('patient folder', () => {
  it('reads back what was written', async () => {
    const p = await openPatient(await patient('whole'))
    expect(p.volume.data).toEqual(phantom.ct.data)
    expect(p.volume.spacing[0]).toBeCloseTo(6, 9)
    p.volume.origin.forEach((x, i) => expect(x).toBeCloseTo(phantom.ct.origin[i], 6))
    expect(p.landmarks).toEqual(phantom.landmarks)
    expect(p.network.spec).toEqual(spec)
    expect(p.sha256).toMatch(/^[0-9a-f]{64}$/)
  })

  it('keeps its bones told apart', async () => {
    const labels = {
      origin: [1, 2, 3],
      size: [3, 2, 2],
      spacing: 3,
      data: Uint8Array.from([0, 1, 2, 3, 0, 0, 1, 1, 2, 2, 3, 3])
    } as const
    const joints: HipJoint[] = [{ side: 'left', centre: [80, -20, -50], radius: 23.5, neck: [0.8, 0, -0.6] }]
    const { bones } = await openPatient(await patient('bones', { labels, joints }))
    expect(bones?.joints).toEqual(joints)
    expect(bones?.labels).toEqual(labels)
  })

  it('opens as before where it was prepared before bones were told apart', async () => {
    const folder = await patient('old')
    const file = join(folder, 'manifest.json')
    const { hips, integrity, ...old } = JSON.parse(await readFile(file, 'utf8'))
    expect(hips).toEqual([])
    expect(old.files).not.toHaveProperty('bones')
    await writeFile(file, JSON.stringify({ ...old, integrity: manifestIntegrity(old) }))
    const p = await openPatient(folder)
    expect([p.bones, p.manifest.hips]).toEqual([null, []])
  })

  it('is refused with a byte changed, in either file', async () => {
    for (const name of ['network.rpw', 'ct.nrrd']) {
      const folder = await patient(`changed-${name}`)
      const bytes = await readFile(join(folder, name))
      bytes[bytes.length - 100] ^= 1
      await writeFile(join(folder, name), bytes)
      await refuses(folder, new RegExp(`${name.replace('.', '\\.')} was changed`))
    }
  })

  it('is refused when a file is cut short or missing', async () => {
    const short = await patient('short')
    const bytes = await readFile(join(short, 'ct.nrrd'))
    await writeFile(join(short, 'ct.nrrd'), bytes.subarray(0, 5000))
    await refuses(short, /ct\.nrrd has 5000 bytes/)
    const missing = await patient('missing')
    await rm(join(missing, 'network.rpw'))
    await refuses(missing, /network\.rpw is missing/)
  })

  it('is refused when of another version, not JSON, or not a patient at all', async () => {
    const folder = await patient('future')
    const file = join(folder, 'manifest.json')
    const text = await readFile(file, 'utf8')
    await writeFile(file, text.replace('"formatVersion": 1', '"formatVersion": 99'))
    await refuses(folder, /format 99/)
    await writeFile(file, text.slice(0, 200))
    await refuses(folder, /not JSON/)
    await writeFile(file, text.replace('"isocenter"', '"center"'))
    await refuses(folder, /isocenter/)
    await refuses(join(root, 'nowhere'), /not a prepared patient/)
  })

  it('is refused with a figure of its manifest edited', async () => {
    const folder = await patient('edited')
    const file = join(folder, 'manifest.json')
    const manifest = JSON.parse(await readFile(file, 'utf8'))
    manifest.landmarks[3].point[0] += 0.5
    await writeFile(file, JSON.stringify(manifest, null, 2))
    await refuses(folder, /manifest\.json was changed/)
    delete manifest.integrity
    await writeFile(file, JSON.stringify(manifest, null, 2))
    await refuses(folder, /integrity/)
  })
})

describe('atomic files', () => {
  it('leave the old file and nothing else when writing fails', async () => {
    const folder = await mkdtemp(join(root, 'atomic-'))
    const file = join(folder, 'a.txt')
    await writeFileAtomic(file, 'old')
    // A folder where the file should go: the rename fails after everything was written.
    const blocked = join(folder, 'blocked')
    await writeFileAtomic(join(blocked, 'inside.txt'), 'x')
    await expect(writeFileAtomic(blocked, 'new')).rejects.toThrow()
    expect(await readFile(file, 'utf8')).toBe('old')
    expect((await readdir(folder)).sort()).toEqual(['a.txt', 'blocked'])
  })
})
