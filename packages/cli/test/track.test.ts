import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CancelledError, EmptyXrayError, FileFormatError, GeometryError, XrayError } from '@raypose/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { trackToFolder } from '../src/work/track.js'
import { blank, fluoroscopy, pattern, writeIgnorantPatient } from './fluoroscopy.js'

let folder: string
const at = (...parts: string[]) => join(folder, ...parts)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'raypose-track-'))
  await writeIgnorantPatient(at('patient'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function work(name: string, ...run: Parameters<typeof fluoroscopy>) {
  await writeFile(at(`${name}.dcm`), fluoroscopy(...run))
  return {
    patient: at('patient'),
    xray: at(`${name}.dcm`),
    out: at(name),
    // Upright, so that no turns are tried.
    orientation: { rotation: 0, mirrored: false },
    reading: {}
  }
}
const written = async (name: string) => JSON.parse(await readFile(at(name, 'track.json'), 'utf8'))

describe('frames that cannot be followed', () => {
  it('blank ones at the beginning are lost, and the run begins behind them', async () => {
    const w = await work('blank', [blank(), blank(), pattern(1)])
    const { frames, stopped } = await trackToFolder(w)
    expect(frames.map(f => [f.frame, f.how])).toEqual([0, 1, 2].map(k => [k, 'lost']))
    expect(frames.slice(0, 2).every(f => /is empty/.test(f.reasons[0]))).toBe(true)
    expect(frames[2].reasons[0]).not.toMatch(/empty/)
    expect(stopped).toBeNull()
    expect((await written('blank')).frames).toHaveLength(3)
  })

  it('a blank first frame that is not asked for is not looked at', async () => {
    const { frames } = await trackToFolder({ ...(await work('from', [blank(), pattern(1)])), from: 1 })
    expect(frames.map(f => f.frame)).toEqual([1])
  })

  it('a damaged one is lost, with the reason, and the others are not', async () => {
    const w = await work('damaged', [pattern(1), pattern(2), pattern(3)], [1])
    const { frames } = await trackToFolder(w)
    expect(frames).toHaveLength(3)
    expect(frames[1].reasons[0]).toMatch(/damaged\.dcm/)
    expect(frames[1].seconds).toBe(0)
    expect(frames[2].seconds).toBeGreaterThan(0)
  })

  it('where none can be read, the first says why', async () => {
    const nothing = await work('nothing', [blank(), blank()])
    await expect(trackToFolder(nothing)).rejects.toBeInstanceOf(EmptyXrayError)
    const broken = await work('broken', [pattern(1), pattern(2)], [0, 1])
    await expect(trackToFolder(broken)).rejects.toBeInstanceOf(FileFormatError)
    expect(existsSync(at('broken'))).toBe(false)
  })

  it('what is wrong with the whole file is said at once', async () => {
    const w = await work('run', [pattern(1), pattern(2)])
    await expect(trackToFolder({ ...w, from: 2 })).rejects.toThrow(/2 frame\(s\), not a frame 2/)
    await expect(trackToFolder({ ...w, from: 2 })).rejects.toBeInstanceOf(XrayError)
    await expect(trackToFolder({ ...w, reading: { sdd: 120 } })).rejects.toBeInstanceOf(GeometryError)
  })
})

describe('work that ends early', () => {
  it('by Ctrl-C leaves the frames until then', async () => {
    const controller = new AbortController()
    const w = await work('stopped', [pattern(1), pattern(2), pattern(3)])
    const running = trackToFolder({
      ...w,
      signal: controller.signal,
      onProgress: p => {
        if (p.detail === 'frame 2') controller.abort()
      }
    })
    await expect(running).rejects.toBeInstanceOf(CancelledError)
    const { frames, stopped } = await written('stopped')
    expect(frames.map((f: { frame: number }) => f.frame)).toEqual([0, 1])
    expect(stopped).toMatch(/cancelled/)
  })

  it('by any error too', async () => {
    const w = await work('failed', [pattern(1), pattern(2)])
    const running = trackToFolder({
      ...w,
      onProgress: p => {
        if (p.detail === 'frame 1') throw new Error('the lights went out')
      }
    })
    await expect(running).rejects.toThrow('the lights went out')
    expect(await written('failed')).toMatchObject({ stopped: 'the lights went out', frames: [{ frame: 0 }] })
  })
})
