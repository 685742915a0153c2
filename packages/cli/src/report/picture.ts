import type { Image } from '@raypose/core'
import { GLYPH_ADVANCE, GLYPH_COLUMNS, glyph } from './glyphs.js'

/** An 8-bit colour picture: width·height·3 bytes, row-major. */
export interface Picture {
  readonly width: number
  readonly height: number
  readonly rgb: Uint8ClampedArray
}

export type Colour = readonly [red: number, green: number, blue: number]

export const createPicture = (width: number, height: number, [r, g, b]: Colour = [0, 0, 0]): Picture => ({
  width,
  height,
  rgb: Uint8ClampedArray.from({ length: width * height * 3 }, (_, i) => [r, g, b][i % 3])
})

/** Lays a colour over a pixel; `alpha` from 0 to 1. Outside the picture nothing happens. */
export function paint(p: Picture, x: number, y: number, colour: Colour, alpha = 1): void {
  if (x < 0 || y < 0 || x >= p.width || y >= p.height || !(alpha > 0)) return
  const at = (y * p.width + x) * 3
  for (let c = 0; c < 3; c++) p.rgb[at + c] += Math.min(1, alpha) * (colour[c] - p.rgb[at + c])
}

/**
 * What contrast is stretched to: the percentiles q and 1 − q, but no further than half again as far from the quartiles
 * as these are apart (Tukey's fences). A strip of air or a metal plate would otherwise take all the contrast.
 */
export function contrastWindow(image: Image, q: number): { min: number; max: number } {
  const sorted = Float32Array.from(image.data).sort()
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))]
  const [lower, upper] = [at(0.25), at(0.75)]
  // More than half of the picture on one level: its quartiles say nothing about the rest.
  const fence = upper > lower ? 1.5 * (upper - lower) : Number.POSITIVE_INFINITY
  return { min: Math.max(at(q), lower - fence), max: Math.min(at(1 - q), upper + fence) }
}

/** Draws an image in grey at (x, y), `min` black and `max` white. */
export function drawGrey(
  p: Picture,
  image: Image,
  { min, max }: { readonly min: number; readonly max: number },
  left = 0,
  top = 0
): void {
  const s = max > min ? 255 / (max - min) : 0
  for (let y = 0; y < image.height; y++)
    for (let x = 0; x < image.width; x++) {
      const grey = (image.data[y * image.width + x] - min) * s
      const at = ((top + y) * p.width + left + x) * 3
      for (let c = 0; c < 3; c++) p.rgb[at + c] = grey
    }
}

/**
 * Draws the pixels within `reach` of the zero set of a distance function, smoothed over one pixel.
 * @param distance from a pixel to the shape, in pixels
 */
function stroke(
  p: Picture,
  [x0, y0, x1, y1]: readonly [number, number, number, number],
  distance: (x: number, y: number) => number,
  reach: number,
  colour: Colour,
  alpha = 1
): void {
  for (let y = Math.floor(y0); y <= Math.ceil(y1); y++)
    for (let x = Math.floor(x0); x <= Math.ceil(x1); x++)
      paint(p, x, y, colour, alpha * Math.max(0, Math.min(1, reach + 0.5 - distance(x, y))))
}

const HALO: Colour = [0, 0, 0]

/** A mark in a colour on a dark rim, which shows on bright and dark ground alike. */
function mark(
  p: Picture,
  x: number,
  y: number,
  size: number,
  distance: (x: number, y: number) => number,
  colour: Colour
): void {
  const box = [x - size - 3, y - size - 3, x + size + 3, y + size + 3] as const
  stroke(p, box, distance, 1.7, HALO, 0.65)
  stroke(p, box, distance, 0.7, colour)
}

/** A diagonal cross about (x, y), arms of `size` pixels. */
export function drawCross(p: Picture, x: number, y: number, size: number, colour: Colour): void {
  const arm = size * Math.SQRT2
  const toArm = (along: number, across: number) => Math.hypot(Math.max(0, Math.abs(along) - arm), across)
  const distance = (px: number, py: number) => {
    const a = (px - x + (py - y)) / Math.SQRT2
    const b = (px - x - (py - y)) / Math.SQRT2
    return Math.min(toArm(a, b), toArm(b, a))
  }
  mark(p, x, y, size, distance, colour)
}

/** A circle about (x, y). */
export function drawCircle(p: Picture, x: number, y: number, radius: number, colour: Colour): void {
  mark(p, x, y, radius, (px, py) => Math.abs(Math.hypot(px - x, py - y) - radius), colour)
}

/** A straight line. */
export function drawLine(
  p: Picture,
  from: readonly [number, number],
  to: readonly [number, number],
  reach: number,
  colour: Colour
): void {
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]]
  const length2 = dx * dx + dy * dy || 1
  const distance = (x: number, y: number) => {
    const t = Math.max(0, Math.min(1, ((x - from[0]) * dx + (y - from[1]) * dy) / length2))
    return Math.hypot(x - from[0] - t * dx, y - from[1] - t * dy)
  }
  const margin = reach + 1
  const box = [
    Math.min(from[0], to[0]) - margin,
    Math.min(from[1], to[1]) - margin,
    Math.max(from[0], to[0]) + margin,
    Math.max(from[1], to[1]) + margin
  ] as const
  stroke(p, box, distance, reach, colour)
}

/** Writes text with its upper left corner at (x, y); each dot of a letter takes `size` pixels. */
export function drawText(p: Picture, x: number, y: number, text: string, size: number, colour: Colour): void {
  ;[...text].forEach((letter, i) => {
    glyph(letter).forEach((row, gy) => {
      for (let gx = 0; gx < GLYPH_COLUMNS; gx++)
        if (row & (1 << (GLYPH_COLUMNS - 1 - gx)))
          for (let dy = 0; dy < size; dy++)
            for (let dx = 0; dx < size; dx++)
              paint(p, x + (i * GLYPH_ADVANCE + gx) * size + dx, y + gy * size + dy, colour)
    })
  })
}

/** Width of {@link drawText}'s result, pixels. */
export const textWidth = (text: string, size: number): number => [...text].length * GLYPH_ADVANCE * size
