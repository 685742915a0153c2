import { describe, expect, it } from 'vitest'
import { ArgumentError } from '../src/errors.js'
import { createRandom } from '../src/random/random.js'
import { augmentView } from '../src/xray/augment.js'

describe('augmentation', () => {
  const view = {
    width: 240,
    height: 188,
    bone: Float32Array.from({ length: 240 * 188 }, (_, i) =>
      Math.hypot((i % 240) - 130, Math.floor(i / 240) - 90) < 6 ? 3 : 0
    ),
    soft: new Float32Array(240 * 188).fill(1),
    points: Float32Array.from([130, 90])
  }

  it('of strength 0 is the image itself, from 0 to 1', () => {
    const { image, points } = augmentView(view, createRandom(1), { strength: 0 })
    expect(points).toEqual(view.points)
    image.data.forEach((x, i) => expect(Math.abs(x - (view.bone[i] > 0 ? 1 : 0))).toBeLessThan(1e-4))
  })

  it('takes the landmarks along with the image', () => {
    let checked = 0
    for (let seed = 0; seed < 30; seed++) {
      const { image, points } = augmentView(view, createRandom(seed), { strength: 0.3 })
      expect(image.data.every(Number.isFinite)).toBe(true)
      const [u, v] = points
      const near = image.data[Math.round(v) * 240 + Math.round(u)]
      const away = image.data[Math.round(v) * 240 + Math.round(u) + 20]
      if (near > away + 0.15) checked++
    }
    // Some are covered by a patch; nearly all show the bright disc at its landmark.
    expect(checked).toBeGreaterThan(22)
  })

  it('repeats itself with the seed', () => {
    expect(augmentView(view, createRandom(3))).toEqual(augmentView(view, createRandom(3)))
    expect(augmentView(view, createRandom(3)).image.data).not.toEqual(
      augmentView(view, createRandom(4)).image.data
    )
  })

  it('refuses a strength that is none', () => {
    for (const strength of [-1, Number.NaN])
      expect(() => augmentView(view, createRandom(1), { strength })).toThrow(ArgumentError)
  })
})
