import { ArgumentError, edgeMap, type Image } from '@raypose/core'
import { writePng8Rgb } from '@raypose/formats'
import { GLYPH_ROWS } from './glyphs.js'
import {
  type Colour,
  contrastWindow,
  createPicture,
  drawCircle,
  drawCross,
  drawGrey,
  drawLine,
  drawText,
  type Picture,
  paint,
  textWidth
} from './picture.js'
import { type ResizedImage, resizeForScreen } from './resize.js'

/** A place on the X-ray, pixels (fractional). */
export interface ImagePoint {
  readonly u: number
  readonly v: number
}

export interface OverlayInput {
  /** Line integrals, bone bright. */
  readonly xray: Image
  /** The DRR under the pose to be shown: as large as the X-ray. Its edges are drawn. */
  readonly drr?: Image
  readonly landmarks?: {
    /** Where the network sees them: crosses. */
    readonly detected?: readonly ImagePoint[]
    /** Where the pose has them: circles. */
    readonly projected?: readonly ImagePoint[]
    /** What the legend calls the crosses; default "detected". */
    readonly crosses?: string
  }
  /** Width to come near to, pixels; default 800. */
  readonly width?: number
}

/** Three colours that differ for every kind of colour vision, on grey. */
export const OVERLAY_COLOURS = {
  edges: [255, 176, 0],
  detected: [86, 205, 255],
  projected: [255, 96, 190]
} as const satisfies Record<string, Colour>

const LEGEND_GROUND: Colour = [20, 23, 27]
const LEGEND_INK: Colour = [225, 228, 232]
/** Share of the darkest and of the brightest pixels that the contrast is not stretched for. */
const CLIPPED = 0.01
/** Smoothing before edges are looked for, in pixels of the picture per upscaling factor: one pixel of the X-ray. */
const EDGE_SIGMA = 1

/**
 * The X-ray in grey with the edges of the DRR over it: where the two agree, bone borders carry lines. Landmarks as crosses
 * (detected) and circles (projected), and a legend below.
 * @returns an 8-bit RGB PNG, up to three times as large as the X-ray
 * @throws ArgumentError for a DRR of another size.
 */
export function drawOverlay({ xray, drr, landmarks = {}, width: wanted }: OverlayInput): Uint8Array {
  if (drr && (drr.width !== xray.width || drr.height !== xray.height))
    throw new ArgumentError(
      `A DRR of ${drr.width} × ${drr.height} pixels cannot lie over an X-ray of ${xray.width} × ${xray.height}`,
      'Render it with the detector of the X-ray.'
    )
  const ground = resizeForScreen(xray, wanted)
  const { width, height } = ground.image
  const { detected = [], projected = [], crosses = 'detected' } = landmarks
  const entries: LegendEntry[] = [
    ...(drr ? [{ kind: 'edges', text: 'DRR edges' } as const] : []),
    ...(detected.length > 0 ? [{ kind: 'detected', text: crosses } as const] : []),
    ...(projected.length > 0 ? [{ kind: 'projected', text: 'projected' } as const] : [])
  ]
  const dot = width >= 480 ? 2 : 1
  const strip = entries.length > 0 ? (GLYPH_ROWS + 7) * dot : 0
  const picture = createPicture(width, height + strip, LEGEND_GROUND)
  drawGrey(picture, ground.image, contrastWindow(xray, CLIPPED))
  if (drr) drawEdges(picture, resizeForScreen(drr, wanted))
  const size = Math.max(3, width / 120)
  const place = ({ u, v }: ImagePoint) =>
    [(u + 0.5) * ground.scale - 0.5, (v + 0.5) * ground.scale - 0.5] as const
  const inside = ([x, y]: readonly [number, number]) => x >= 0 && y >= 0 && x < width && y < height
  for (const [x, y] of projected.map(place).filter(inside))
    drawCircle(picture, x, y, size * 1.15, OVERLAY_COLOURS.projected)
  for (const [x, y] of detected.map(place).filter(inside))
    drawCross(picture, x, y, size * 0.7, OVERLAY_COLOURS.detected)
  drawLegend(picture, height, strip, dot, entries)
  return writePng8Rgb(picture.width, picture.height, picture.rgb)
}

function drawEdges(p: Picture, { image, scale }: ResizedImage): void {
  const edges = edgeMap(image, { sigma: Math.max(1, EDGE_SIGMA * scale) })
  for (let y = 0; y < image.height; y++)
    for (let x = 0; x < image.width; x++)
      if (edges[y * image.width + x]) {
        paint(p, x, y, OVERLAY_COLOURS.edges, 0.9)
        // A faint neighbourhood joins the steps of a slanting line.
        for (const [dx, dy] of [
          [1, 0],
          [-1, 0],
          [0, 1],
          [0, -1]
        ]) {
          const n = (y + dy) * image.width + x + dx
          if (!edges[n]) paint(p, x + dx, y + dy, OVERLAY_COLOURS.edges, 0.12)
        }
      }
}

interface LegendEntry {
  readonly kind: keyof typeof OVERLAY_COLOURS
  readonly text: string
}

function drawLegend(
  p: Picture,
  top: number,
  strip: number,
  dot: number,
  entries: readonly LegendEntry[]
): void {
  const middle = top + Math.floor(strip / 2)
  let x = 6 * dot
  for (const { kind, text } of entries) {
    const colour = OVERLAY_COLOURS[kind]
    const size = 3 * dot
    if (kind === 'edges') drawLine(p, [x, middle], [x + 2 * size, middle], 0.5 * dot, colour)
    else if (kind === 'detected') drawCross(p, x + size, middle, size * 0.8, colour)
    else drawCircle(p, x + size, middle, size, colour)
    x += 2 * size + 4 * dot
    drawText(p, x, Math.round(middle - 3.5 * dot), text, dot, LEGEND_INK)
    x += textWidth(text, dot) + 8 * dot
  }
}

/** A smaller picture of an image for a gallery: grey, with landmarks where given, without a legend. */
export function drawThumbnail(image: Image, points: readonly ImagePoint[] = []): Uint8Array {
  const ground = resizeForScreen(image, 480)
  const { width, height } = ground.image
  const picture = createPicture(width, height)
  drawGrey(picture, ground.image, contrastWindow(image, CLIPPED))
  for (const { u, v } of points)
    drawCircle(
      picture,
      (u + 0.5) * ground.scale - 0.5,
      (v + 0.5) * ground.scale - 0.5,
      Math.max(2, width / 110),
      OVERLAY_COLOURS.projected
    )
  return writePng8Rgb(width, height, picture.rgb)
}
