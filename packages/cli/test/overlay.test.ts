import { decode } from 'fast-png'
import { describe, expect, it } from 'vitest'
import { GLYPH_ADVANCE, glyph } from '../src/report/glyphs.js'
import { drawOverlay, drawThumbnail, OVERLAY_COLOURS } from '../src/report/overlay.js'
import { createPicture, drawText } from '../src/report/picture.js'
import { resizeForScreen, upscale } from '../src/report/resize.js'
import { disc } from './fixtures.js'

const colourAt = (png: ReturnType<typeof decode>, x: number, y: number) => [
  ...png.data.slice((y * png.width + x) * 3, (y * png.width + x) * 3 + 3)
]

const distanceTo = (a: readonly number[], b: readonly number[]) => Math.hypot(...a.map((v, i) => v - b[i]))

/** Pixels of about a colour, legend left out. */
function pixelsOf(png: ReturnType<typeof decode>, colour: readonly number[], height: number) {
  const found: [number, number][] = []
  for (let y = 0; y < height; y++)
    for (let x = 0; x < png.width; x++) if (distanceTo(colourAt(png, x, y), colour) < 60) found.push([x, y])
  return found
}

const WIDTH = 80
const HEIGHT = 60
const xray = disc(WIDTH, HEIGHT, 30, 30, 15)

describe('drawOverlay', () => {
  it('shows the X-ray three times as large, stretched from black to white, and grey', () => {
    const png = decode(drawOverlay({ xray }))
    expect([png.width, png.height, png.channels, png.depth]).toEqual([240, 180, 3, 8])
    expect(colourAt(png, 3 * 30 + 1, 3 * 30 + 1)).toEqual([255, 255, 255])
    expect(colourAt(png, 3 * 70 + 1, 3 * 30 + 1)).toEqual([0, 0, 0])
    for (let i = 0; i < png.data.length; i += 3)
      expect(png.data[i] === png.data[i + 1] && png.data[i] === png.data[i + 2]).toBe(true)
  })

  it('keeps its contrast when a few pixels are far out', () => {
    const spoilt = { ...xray, data: Float32Array.from(xray.data) }
    spoilt.data[5] = 1e6
    spoilt.data[6] = -1e6
    const png = decode(drawOverlay({ xray: spoilt }))
    expect(colourAt(png, 3 * 30 + 1, 3 * 30 + 1)).toEqual([255, 255, 255])
    expect(colourAt(png, 3 * 70 + 1, 3 * 50 + 1)).toEqual([0, 0, 0])
  })

  it('does not spend its contrast on a strip of air', () => {
    // Tissue from 5 to 6 from left to right, and air below.
    const data = Float32Array.from({ length: WIDTH * HEIGHT }, (_, i) =>
      i < WIDTH * 50 ? 5 + (i % WIDTH) / WIDTH : 0
    )
    const png = decode(drawOverlay({ xray: { width: WIDTH, height: HEIGHT, data } }))
    const [left, right] = [colourAt(png, 20, 60)[0], colourAt(png, 220, 60)[0]]
    expect(right - left).toBeGreaterThan(100)
    expect(colourAt(png, 100, 170)).toEqual([0, 0, 0])
  })

  it('draws the edges of the DRR, not of the X-ray, where they are', () => {
    const png = decode(drawOverlay({ xray, drr: disc(WIDTH, HEIGHT, 50, 28, 12) }))
    const lines = pixelsOf(png, OVERLAY_COLOURS.edges, 180)
    // The centre of pixel u lies at 3·u + 1 in the picture.
    const radius = ([x, y]: [number, number]) => Math.hypot(x - (3 * 50 + 1), y - (3 * 28 + 1))
    for (const p of lines) expect(Math.abs(radius(p) - 36)).toBeLessThan(2)
    for (let a = 0; a < 360; a += 3) {
      const [x, y] = [151 + 36 * Math.cos((a * Math.PI) / 180), 85 + 36 * Math.sin((a * Math.PI) / 180)]
      expect(Math.min(...lines.map(p => Math.hypot(p[0] - x, p[1] - y)))).toBeLessThan(2.5)
    }
  })

  it('puts crosses on detected and circles around projected landmarks', () => {
    const png = decode(
      drawOverlay({
        xray,
        landmarks: {
          detected: [{ u: 20.5, v: 40 }],
          projected: [
            { u: 60, v: 12 },
            { u: -20, v: 5 },
            { u: 500, v: 1 }
          ]
        }
      })
    )
    const mean = (pixels: [number, number][]) =>
      [0, 1].map(k => pixels.reduce((s, p) => s + p[k], 0) / pixels.length)
    const cross = pixelsOf(png, OVERLAY_COLOURS.detected, 180)
    const circle = pixelsOf(png, OVERLAY_COLOURS.projected, 180)
    expect(distanceTo(mean(cross), [20.5 * 3 + 1, 40 * 3 + 1])).toBeLessThan(0.6)
    expect(distanceTo(mean(circle), [60 * 3 + 1, 12 * 3 + 1])).toBeLessThan(0.6)
    const nearest = (pixels: [number, number][], x: number, y: number) =>
      Math.min(...pixels.map(p => Math.hypot(p[0] - x, p[1] - y)))
    expect(nearest(cross, 62.5, 121)).toBeLessThan(1)
    expect(nearest(circle, 181, 37)).toBeGreaterThan(2)
  })

  it('explains what it draws in a strip below, and only that', () => {
    const both = decode(drawOverlay({ xray, drr: xray, landmarks: { detected: [{ u: 3, v: 3 }] } }))
    const strip = (colour: readonly number[]) => {
      let count = 0
      for (let y = 180; y < both.height; y++)
        for (let x = 0; x < both.width; x++) if (distanceTo(colourAt(both, x, y), colour) < 60) count++
      return count
    }
    expect(both.height).toBeGreaterThan(180)
    expect(strip(OVERLAY_COLOURS.edges)).toBeGreaterThan(3)
    expect(strip(OVERLAY_COLOURS.detected)).toBeGreaterThan(3)
    expect(strip(OVERLAY_COLOURS.projected)).toBe(0)
    expect(decode(drawOverlay({ xray })).height).toBe(180)
  })

  it('refuses a DRR of another size', () => {
    expect(() => drawOverlay({ xray, drr: disc(WIDTH + 1, HEIGHT, 5, 5, 3) })).toThrow(/81 × 60 .* 80 × 60/)
  })

  it('survives an even X-ray', () => {
    const flat = { width: 20, height: 10, data: new Float32Array(200).fill(3) }
    expect(decode(drawOverlay({ xray: flat, drr: flat })).width).toBe(60)
  })
})

describe('drawThumbnail', () => {
  it('draws points without a legend', () => {
    const png = decode(drawThumbnail(xray, [{ u: 60, v: 12 }]))
    expect(png.height % HEIGHT).toBe(0)
    expect(pixelsOf(png, OVERLAY_COLOURS.projected, png.height).length).toBeGreaterThan(5)
  })
})

describe('upscale', () => {
  it('reproduces a plane exactly away from the rim, with pixel centres in their place', () => {
    const plane = {
      width: 12,
      height: 9,
      data: Float32Array.from({ length: 108 }, (_, i) => 2 * (i % 12) - 3 * Math.floor(i / 12) + 1)
    }
    const big = upscale(plane, 3)
    expect([big.width, big.height]).toEqual([36, 27])
    for (let y = 6; y < 21; y++)
      for (let x = 6; x < 30; x++)
        expect(big.data[y * 36 + x]).toBeCloseTo(2 * ((x + 0.5) / 3 - 0.5) - 3 * ((y + 0.5) / 3 - 0.5) + 1, 4)
  })

  it('keeps the size of screens in mind', () => {
    const sized = (width: number) => {
      const { image, scale } = resizeForScreen({ width, height: 10, data: new Float32Array(width * 10) })
      return [image.width, scale]
    }
    expect(sized(240)).toEqual([720, 3])
    expect(sized(450)).toEqual([450, 1])
    expect(sized(1024)).toEqual([1024, 1])
    expect(sized(2880)).toEqual([960, 1 / 3])
  })
})

describe('drawText', () => {
  it('has every letter of the legend', () => {
    for (const letter of 'DRRedgesdetectedprojected') expect(glyph(letter).some(row => row > 0)).toBe(true)
    expect(glyph(' ').every(row => row === 0)).toBe(true)
    const picture = createPicture(40, 12)
    drawText(picture, 0, 0, 'D', 1, [255, 255, 255])
    const lit = (x: number, y: number) => picture.rgb[(y * 40 + x) * 3] === 255
    // The stem of a D is at its left.
    expect([0, 1, 2, 3, 4, 5, 6].every(y => lit(0, y))).toBe(true)
    expect(lit(2, 3)).toBe(false)
    expect(lit(GLYPH_ADVANCE - 1, 3)).toBe(false)
  })
})
