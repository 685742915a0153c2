import { ArgumentError, createRandom } from '@raypose/core'
import { expect, it } from 'vitest'
import { binsPerLandmark, compactSpec, mapSize } from '../src/architectures/spec.js'
import { decode } from '../src/inference/decode.js'
import type { Detector } from '../src/inference/detector.js'
import { mirrorDetector } from '../src/inference/mirror-detector.js'
import { normaliseInput } from '../src/inference/normalise.js'

// An image of 40 pixels in an input of 48: two columns of cells lie in the padding.
const spec = compactSpec(3, { imageWidth: 40, imageHeight: 16, inputWidth: 48, inputHeight: 16 })
const MIRROR = [1, 0, 2]
const { width, height } = mapSize(spec)

/** Scores that know left from right: the brightness of each cell times a slope along the image, another for each landmark. */
const lopsided: Detector = {
  spec,
  async scores(inputs) {
    const bins = binsPerLandmark(spec)
    const pixels = spec.inputWidth * spec.inputHeight
    const out = new Float32Array((inputs.length / pixels) * spec.landmarks * bins)
    for (let n = 0; n < inputs.length / pixels; n++)
      for (let k = 0; k < spec.landmarks; k++)
        for (let y = 0; y < height; y++)
          for (let x = 0; x < width; x++) {
            let sum = 0
            for (let j = 0; j < 16; j++)
              sum += inputs[n * pixels + (4 * y + (j >> 2)) * spec.inputWidth + 4 * x + (j & 3)]
            out[(n * spec.landmarks + k) * bins + y * width + x] =
              x < 10 ? sum * (1 + 0.1 * k + 0.05 * x) : -99
          }
    return out
  },
  async detect(images) {
    const found = []
    for (const image of images) found.push(decode(spec, await this.scores(normaliseInput(spec, image))))
    return found
  },
  release: async () => {}
}

const random = createRandom(4)
const image = Float32Array.from({ length: 640 }, () => random.next())
const flipped = image.map((_, i) => image[i - (i % 40) + 39 - (i % 40)])

it('finds the mirror image of what it finds in the image', async () => {
  const both = mirrorDetector(lopsided, MIRROR)
  const [a, b] = await both.detect([image, flipped])
  a.forEach((d, k) => {
    const e = b[MIRROR[k]]
    expect(e.u).toBeCloseTo(39 - d.u, 4)
    expect(e.v).toBeCloseTo(d.v, 4)
    expect(e.confidence).toBeCloseTo(d.confidence, 5)
  })
  const [alone, alsoAlone] = await lopsided.detect([image, flipped])
  expect(alone.some((d, k) => Math.abs(alsoAlone[MIRROR[k]].u - (39 - d.u)) > 0.1)).toBe(true)
})

it('refuses partners that are no pairs of the landmarks, and images that maps do not divide', () => {
  expect(() => mirrorDetector(lopsided, [1, 2, 0])).toThrow(ArgumentError)
  expect(() => mirrorDetector(lopsided, [0, 1])).toThrow(ArgumentError)
  const odd = { ...lopsided, spec: { ...spec, imageWidth: 38 } }
  expect(() => mirrorDetector(odd, MIRROR)).toThrow(ArgumentError)
})
