import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import {
  ArgumentError,
  BackendError,
  binnedDetector,
  type Camera,
  CancelledError,
  createWasmRenderer,
  GeometryError,
  type Image,
  PAPER_DETECTOR,
  poseFromView,
  prepareWasmVolume,
  type Volume
} from '@raypose/core'
import { afterEach, describe, expect, test, vi } from 'vitest'
// From dist: the worker is a file of its own there.
import { createRenderPool, type RenderPool } from '../dist/workers/render-pool.js'

const size = [50, 40, 45] as const
const data = Int16Array.from({ length: 50 * 40 * 45 }, (_, n) => ((n * 7919) % 1700) - 900)
const volume: Volume = {
  size,
  spacing: [5, 5, 5],
  direction: [1, 0, 0, 0, 1, 0, 0, 0, 1],
  origin: [-122, -97, -110],
  data
}
const DETECTOR = binnedDetector(PAPER_DETECTOR, 4)
const cameras = (count: number): Camera[] =>
  Array.from({ length: count }, (_, n) => ({
    detector: DETECTOR,
    cameraFromLps: poseFromView(
      { alpha: 0.01 * n, beta: 0, gamma: 0.05 * n, translation: [n, 0, 0] },
      [0, 0, 0]
    )
  }))

const pools: RenderPool[] = []
const openPool = (workers: number, slots = workers) => {
  const pool = createRenderPool(prepareWasmVolume(volume, { shared: true, slots }), { workers })
  pools.push(pool)
  return pool
}
afterEach(async () => {
  await Promise.all(pools.splice(0).map(p => p.dispose()))
})

describe('render pool', () => {
  test('renders what one renderer renders, in order', async () => {
    const list = cameras(24)
    const progress: number[] = []
    const images = await openPool(3).renderAll(list, { onProgress: done => progress.push(done) })
    const single = createWasmRenderer(volume)
    expect(images).toEqual(list.map(camera => single.render(camera)))
    expect(progress).toEqual(Array.from({ length: 24 }, (_, n) => n + 1))
  })

  test('two calls at a time do not mix', async () => {
    const pool = openPool(2)
    const list = cameras(16)
    const [all, reversed] = await Promise.all([pool.renderAll(list), pool.renderAll([...list].reverse())])
    expect(reversed.reverse()).toEqual(all)
  })

  test('waits for a slow reader', async () => {
    let inHand = 0
    let most = 0
    let handed = 0
    const began: number[] = []
    await openPool(2).renderEach(cameras(12), async index => {
      began.push(index)
      most = Math.max(most, ++inHand)
      await sleep(20)
      inHand--
      // Cameras are handed out in order: what is in flight is at most two a worker.
      expect(Math.max(...began) - handed).toBeLessThanOrEqual(4)
      handed++
    })
    expect(handed).toBe(12)
    expect(most).toBeLessThanOrEqual(2)
  })

  test('stops when it is told to, and can be used again', async () => {
    const pool = openPool(2)
    const controller = new AbortController()
    let count = 0
    const run = pool.renderEach(
      cameras(200),
      () => {
        if (++count === 5) controller.abort()
      },
      { signal: controller.signal }
    )
    await expect(run).rejects.toThrow(CancelledError)
    expect(count).toBeLessThan(20)
    await expect(pool.renderAll(cameras(4), { signal: AbortSignal.abort() })).rejects.toThrow(CancelledError)
    expect(await pool.renderAll(cameras(4))).toHaveLength(4)
  })

  test('an error of the reader ends the call and is passed on', async () => {
    const pool = openPool(2)
    const run = pool.renderEach(cameras(50), index => {
      if (index === 7) throw new RangeError('full')
    })
    await expect(run).rejects.toThrow(RangeError)
    expect(await pool.renderAll(cameras(2))).toHaveLength(2)
  })

  test('a worker that dies is a BackendError, and is replaced', async () => {
    const pool = openPool(2)
    const post = vi.spyOn(Worker.prototype, 'postMessage')
    const before: Image[] = await pool.renderAll(cameras(6))
    post.mockImplementationOnce(function (this: Worker) {
      void this.terminate()
    })
    await expect(pool.renderAll(cameras(40))).rejects.toThrow(BackendError)
    post.mockRestore()
    expect(await pool.renderAll(cameras(6))).toEqual(before)
  })

  test('refuses what it cannot do before it starts', async () => {
    expect(() => createRenderPool(prepareWasmVolume(volume), { workers: 1 })).toThrow(ArgumentError)
    expect(() => openPool(0, 1)).toThrow(ArgumentError)
    expect(() => openPool(3, 2)).toThrow(ArgumentError)
    const pool = openPool(1)
    const bad = {
      detector: { ...DETECTOR, sdd: Number.NaN },
      cameraFromLps: cameras(1)[0].cameraFromLps
    }
    let handled = 0
    await expect(pool.renderEach([...cameras(3), bad], () => void handled++)).rejects.toThrow(GeometryError)
    expect(handled).toBe(0)
    await pool.dispose()
    await expect(pool.renderAll(cameras(1))).rejects.toThrow(BackendError)
  })

  test('gives its slots back', async () => {
    const prepared = prepareWasmVolume(volume, { shared: true, slots: 2 })
    for (let n = 0; n < 3; n++) {
      const pool = createRenderPool(prepared, { workers: 2 })
      expect(await pool.renderAll(cameras(3))).toHaveLength(3)
      await pool.dispose()
    }
    // A pool that finds too few leaves those it found.
    expect(() => createRenderPool(prepared, { workers: 3 })).toThrow(ArgumentError)
    await createRenderPool(prepared, { workers: 2 }).dispose()
  })
})
