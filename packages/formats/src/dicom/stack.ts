import {
  cross,
  distance,
  dot,
  norm,
  normalize,
  SeriesError,
  scale,
  sub,
  type Vec3,
  VolumeError
} from '@raypose/core'
import { SHEAR_TOLERANCE } from '../volume.js'
import { listed, type Slice } from './slices.js'
import { judgeSpacing } from './spacing.js'

/** Slices in order along their normal, checked to be one regular stack. */
export interface Stack {
  readonly slices: readonly Slice[]
  /** LPS step from one slice to the next, mm; along +row × column. */
  readonly step: Vec3
}

/**
 * Sorts slices along their normal and checks that they are one volume.
 *
 * Positions alone count: instance numbers, file names and the scanner's own slice location run either way.
 * @throws SeriesError for mixed orientation, size or spacing, a doubled or missing slice, uneven gaps, gantry tilt;
 * positions and files are named.
 */
export function sortStack(slices: readonly Slice[]): Stack {
  checkAlike(slices)
  const { row, column, position: first } = slices[0]
  const normal = normalize(cross(row, column))
  const placed = slices
    .map(slice => ({ slice, s: dot(sub(slice.position, first), normal) }))
    .sort((a, b) => a.s - b.s)
  checkDoubled(placed)
  checkGaps(placed)
  const last = placed.length - 1
  const step = scale(sub(placed[last].slice.position, placed[0].slice.position), 1 / last)
  checkTilt(placed, step, normal)
  return { slices: placed.map(p => p.slice), step }
}

interface Placed {
  readonly slice: Slice
  /** Distance along the normal from the first slice given, mm. */
  readonly s: number
}

const where = ({ slice }: Placed) =>
  `${slice.label} at (${slice.position.map(x => Number(x.toFixed(2))).join(', ')})`

function checkAlike(slices: readonly Slice[]): void {
  const reference = slices[0]
  const differ = (what: string, text: (s: Slice) => string, same: (s: Slice) => boolean) => {
    const others = slices.filter(s => !same(s))
    if (others.length > 0)
      throw new SeriesError(
        `The series mixes ${what}: ${reference.label} has ${text(reference)}, ${listed(others.map(s => s.label))} ${others.length === 1 ? 'has' : 'have'} ${text(others[0])}`,
        'Keep the slices of one acquisition together and move the others to another folder.'
      )
  }
  const { header } = reference.file
  differ(
    'image sizes',
    s => `${s.file.header.columns} × ${s.file.header.rows}`,
    s => s.file.header.columns === header.columns && s.file.header.rows === header.rows
  )
  differ(
    'orientations',
    s => [...s.row, ...s.column].map(x => Number(x.toFixed(4))).join('\\'),
    s => distance(s.row, reference.row) < 1e-3 && distance(s.column, reference.column) < 1e-3
  )
  differ(
    'pixel spacings',
    s => `${s.spacing.join(' × ')} mm`,
    s => s.spacing.every((x, a) => Math.abs(x - reference.spacing[a]) < 1e-3 * reference.spacing[a])
  )
  const { row, column } = reference
  if (
    !(
      Math.abs(norm(row) - 1) < 1e-2 &&
      Math.abs(norm(column) - 1) < 1e-2 &&
      Math.abs(dot(row, column)) < 1e-2
    )
  )
    throw new VolumeError(
      `${reference.label} has an Image Orientation that is no pair of unit vectors at a right angle: ${[...row, ...column].join('\\')}`,
      'Its header is damaged: export the series again.'
    )
}

function checkDoubled(placed: readonly Placed[]): void {
  // Two slices closer than this cannot be neighbours in any CT.
  const same = 0.01
  const pairs: string[] = []
  for (let i = 1; i < placed.length; i++)
    if (placed[i].s - placed[i - 1].s < same)
      pairs.push(`${placed[i - 1].slice.label} and ${where(placed[i])}`)
  if (pairs.length > 0)
    throw new SeriesError(
      `${pairs.length} position(s) of the series hold more than one slice: ${listed(pairs)}`,
      'Remove copies of files; where the series holds several acquisitions (phases, kernels), keep the files of one.'
    )
}

function checkGaps(placed: readonly Placed[]): void {
  const { usual, missing, uneven, astray } = judgeSpacing(placed.map(p => p.s))
  const between = (i: number) =>
    `${(placed[i + 1].s - placed[i].s).toFixed(3)} mm between ${where(placed[i])} and ${where(placed[i + 1])}`
  const hint = 'Export the complete series again, or resample it to one slice spacing.'
  if (uneven.length > 0)
    throw new SeriesError(
      `The slices are unevenly spaced: ${usual.toFixed(3)} mm apart elsewhere, but ${listed(uneven.map(between))}`,
      hint
    )
  if (missing.length > 0)
    throw new SeriesError(
      `Slices are missing where they are ${usual.toFixed(3)} mm apart elsewhere; ${listed(missing.map(m => `${m.count} missing: ${between(m.behind)}`))}`,
      hint
    )
  const gaps = placed.slice(1).map((p, i) => p.s - placed[i].s)
  if (astray.length > 0)
    throw new SeriesError(
      `The slices are unevenly spaced: the gaps drift between ${Math.min(...gaps).toFixed(3)} and ${Math.max(...gaps).toFixed(3)} mm, so that ${listed(astray.map(i => where(placed[i])))} stand(s) off a regular grid`,
      hint
    )
}

function checkTilt(placed: readonly Placed[], step: Vec3, normal: Vec3): void {
  const along = normalize(step)
  const angle = Math.acos(Math.min(1, dot(along, normal)))
  const hint =
    'Resample the series to orthogonal axes, or export it from the scanner with the tilt corrected.'
  if (angle > SHEAR_TOLERANCE)
    throw new SeriesError(
      `The series is sheared: its slices are stacked ${((angle * 180) / Math.PI).toFixed(2)}° off their normal (gantry tilt), from ${where(placed[0])} to ${where(placed[placed.length - 1])}`,
      hint
    )
  const first = placed[0].slice.position
  for (const p of placed) {
    const from = sub(p.slice.position, first)
    const aside = norm(sub(from, scale(along, dot(from, along))))
    if (aside > 0.5)
      throw new SeriesError(
        `${where(p)} is ${aside.toFixed(2)} mm aside of the line of the other slices`,
        'The table moved sideways or the header is damaged: export the series again, or leave the slice range out.'
      )
  }
}
