import type { Vec2 } from '@raypose/core'
import type { XrayTags } from './xray-tags.js'

/** Parts of the panel's side: a picture that differs by less is all of it. */
const WHOLE = 0.1
const SLACK = 0.05

/** Of an image whose field may be a part of the panel. */
export interface FieldImage {
  /** Columns, rows. */
  readonly size: Vec2
  /** Size of an image pixel (du, dv), mm. */
  readonly pixel: Vec2
}

/**
 * The principal point of a picture that is a part of the panel, pixels; null where it is the image centre, as far as the tags tell.
 *
 * The ray at right angles meets the panel's centre. Where the field begins on the panel is Field of View Origin (0018,7030), in
 * detector elements; the panel's size is Detector Active Dimensions (0018,7026), mm. The image is the field turned clockwise by
 * (0018,7032), then flipped by (0018,7034). Source: DICOM PS3.3 C.8.11.4.
 */
export function principalPointOf(
  tags: XrayTags,
  image: FieldImage,
  name: string,
  notes: string[]
): Vec2 | null {
  const origin = tags.numbers('00187030', 2)
  const sides = panelSides(tags)
  const turn = quarters(tags.number('00187032'))
  const field = turned([image.size[0] * image.pixel[0], image.size[1] * image.pixel[1]], turn)
  const centreTaken = (why: string) => {
    notes.push(
      `${name} ${why}: the principal point is taken to be the image's centre (see "principalPoint" of --geometry).`
    )
    return null
  }
  if (!sides) {
    if (origin?.some(o => o !== 0))
      return centreTaken('begins off the corner of its detector (0018,7030), whose size it does not say')
    return null
  }
  const smaller = (panel: Vec2) => [0, 1].some(a => field[a] < (1 - WHOLE) * panel[a])
  if (!origin) {
    if (smaller(sides) && smaller([sides[1], sides[0]]))
      return centreTaken('shows a part of its detector and does not say which (0018,7030)')
    return null
  }
  const element = elementSize(tags, turned(image.pixel, turn))
  const start: Vec2 = [origin[1] * element[0], origin[0] * element[1]]
  const active = tags.numbers('00187028', 2) ?? [0, 0]
  const corner: Vec2 = [active[1] * element[0], active[0] * element[1]]
  const fits = (panel: Vec2) =>
    [0, 1].every(a => {
      const [from, slack] = [start[a] - corner[a], SLACK * panel[a]]
      return from >= -slack && from + field[a] <= panel[a] + slack
    })
  // Rows first, as all pairs of DICOM; some write the panel's width first.
  const panel = [sides, [sides[1], sides[0]] as const].find(fits)
  if (!panel)
    return centreTaken('says that it begins (0018,7030) where it would not fit its detector (0018,7026)')
  const onField: Vec2 = [corner[0] + panel[0] / 2 - start[0], corner[1] + panel[1] / 2 - start[1]]
  const flipped = tags.text('00187034') === 'YES'
  const [x, y] = onImage(onField, field, turn, flipped)
  const point: Vec2 = [x / image.pixel[0] - 0.5, y / image.pixel[1] - 0.5]
  const off = point.map((p, a) => Math.abs(p - (image.size[a] - 1) / 2))
  if (Math.max(...off) < 0.5) return null
  notes.push(
    `${name} shows a part of its detector: the principal point, the detector's centre, is at column ${point[0].toFixed(1)}, row ${point[1].toFixed(1)}.`
  )
  return point
}

/** Width and height of the panel, mm; a round one has a diameter. */
function panelSides(tags: XrayTags): Vec2 | null {
  const pair = tags.numbers('00187026', 2)
  const round = tags.numbers('00187026', 1)
  const [height, width] = pair ?? (round && [round[0], round[0]]) ?? [0, 0]
  return height > 0 && width > 0 ? [width, height] : null
}

/** Width and height of a detector element, mm. */
function elementSize(tags: XrayTags, pixelOnPanel: Vec2): Vec2 {
  const spacing = tags.numbers('00187022', 2)
  if (spacing && spacing[0] > 0 && spacing[1] > 0) return [spacing[1], spacing[0]]
  const binning = tags.numbers('0018701A', 2)
  if (binning && binning[0] > 0 && binning[1] > 0)
    return [pixelOnPanel[0] / binning[1], pixelOnPanel[1] / binning[0]]
  return pixelOnPanel
}

const quarters = (degrees: number | null): number => ((Math.round((degrees ?? 0) / 90) % 4) + 4) % 4

/** Width and height before or after a turn. */
const turned = (v: Vec2, turn: number): Vec2 => (turn % 2 === 1 ? [v[1], v[0]] : v)

/** A point of the field (mm from its corner) in the image: turned clockwise, then flipped. */
function onImage([x, y]: Vec2, [width, height]: Vec2, turn: number, flipped: boolean): Vec2 {
  const at: Vec2 = (
    [
      [x, y],
      [height - y, x],
      [width - x, height - y],
      [y, width - x]
    ] as const
  )[turn]
  const imageWidth = turn % 2 === 1 ? height : width
  return flipped ? [imageWidth - at[0], at[1]] : at
}
