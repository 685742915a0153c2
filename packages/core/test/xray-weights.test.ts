import { describe, expect, it } from 'vitest'
import type { Image } from '../src/image/image.js'
import { createRandom } from '../src/random/random.js'
import { xrayWeights } from '../src/registration/xray-weights.js'

describe('xrayWeights', () => {
  it('leaves an image that is not clipped as it is', () => {
    const random = createRandom(80)
    const image: Image = {
      width: 30,
      height: 20,
      data: Float32Array.from({ length: 600 }, () => random.normal())
    }
    expect(xrayWeights(image).data.every(w => w === 1)).toBe(true)
  })
  it('leaves out what is at either end of the grey scale', () => {
    const image: Image = {
      width: 60,
      height: 40,
      data: Float32Array.from({ length: 2400 }, (_, i) =>
        i % 60 < 15 ? 255 : i % 60 >= 45 ? 0 : 60 + (i % 7)
      )
    }
    const { data } = xrayWeights(image, { radius: 2 })
    expect([0, 14, 15, 45, 59].map(x => data[20 * 60 + x])).toEqual([0, 0, 0, 0, 0])
    expect([18, 30, 41].map(x => data[20 * 60 + x])).toEqual([1, 1, 1])
  })
})
