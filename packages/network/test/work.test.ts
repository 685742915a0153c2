import { describe, expect, test } from 'vitest'
import { compactSpec, cpmSpec, networkWork, nodeRuntime, productGraph } from '../src/index.js'

/** Multiply-adds of a convolution to w×h pixels. */
const convolution = (pixels: number, from: number, to: number, kernel: number) =>
  pixels * from * to * kernel * kernel

describe('work of a network, counted by hand', () => {
  test('convolutional pose machine, one stage', () => {
    const spec = cpmSpec(23, { imageWidth: 240, imageHeight: 184, stages: 1 })
    const pixels = 240 * 184
    const first = convolution(pixels, 1, 128, 9)
    const rest =
      convolution(pixels / 4, 128, 128, 9) +
      convolution(pixels / 16, 128, 128, 9) +
      convolution(pixels / 64, 128, 32, 5) +
      convolution(pixels / 64, 32, 512, 9) +
      convolution(pixels / 64, 512, 512, 1) +
      convolution(pixels / 64, 512, 23, 1)
    const work = networkWork(spec)
    expect(work.forwardFlop).toBe(2 * (first + rest))
    // Both gradients everywhere, but none of the image.
    expect(work.trainingFlop).toBe(2 * (2 * first + 3 * rest))
  })

  test('compact, maps of stride 4 and of stride 2', () => {
    const options = { imageWidth: 64, imageHeight: 32, channels: [4, 6, 8, 10] as const, dilations: [1] }
    const four = networkWork(compactSpec(3, { ...options, decoder: [12, 14] }))
    const two = networkWork(compactSpec(3, { ...options, decoder: [12, 14, 16] }))
    const [p2, p4, p8, p16] = [2, 4, 8, 16].map(s => (64 / s) * (32 / s))
    const encoder =
      convolution(p4, 4, 6, 3) +
      convolution(p4, 6, 6, 3) +
      convolution(p8, 6, 8, 3) +
      2 * convolution(p8, 8, 8, 3) +
      convolution(p16, 8, 10, 3) +
      convolution(p16, 10, 10, 3)
    const first = convolution(p2, 4, 4, 3)
    const decoder =
      convolution(p16, 10, 8, 1) +
      convolution(p8, 8, 12, 3) +
      convolution(p4, 6, 14, 1) +
      convolution(p8, 12, 14, 1) +
      convolution(p4, 14, 14, 3)
    const absent = 10 * 3
    const forward = first + encoder + decoder + absent + convolution(p4, 14, 3, 1)
    expect(four.forwardFlop).toBe(2 * forward)
    expect(four.trainingFlop).toBe(2 * (3 * forward - first))
    const finer = convolution(p2, 4, 16, 1) + convolution(p4, 14, 16, 1) + convolution(p2, 16, 16, 3)
    const maps = convolution(p2, 16, 3, 1) - convolution(p4, 14, 3, 1)
    expect(two.forwardFlop).toBe(2 * (forward + finer + maps))
    expect(two.parameters - four.parameters).toBe(
      (4 + 1) * 16 + (14 + 1) * 16 + (16 * 9 + 1) * 16 + 3 * (16 - 14)
    )
  })
})

test('the product that machines are measured by is one', async () => {
  const runtime = await nodeRuntime()
  const session = await runtime.createSession(productGraph(2))
  const square = (...values: number[]) => runtime.tensor(Float32Array.from(values), [2, 2])
  const { c } = await session.run({ a: square(1, 2, 3, 4), b: square(5, 6, 7, 8) })
  expect([...c.data]).toEqual([19, 22, 43, 50])
  await session.release()
})
