import { FileFormatError, type Vec3, VolumeError } from '@raypose/core'
import type { NrrdHeader } from './header.js'

/** Where the voxels of a NRRD file lie: LPS, mm. */
export interface NrrdGrid {
  readonly size: Vec3
  readonly steps: [Vec3, Vec3, Vec3]
  readonly origin: Vec3
}

const MILLIMETRES: Readonly<Record<string, number>> = {
  // Left empty: not known, which writers mean as mm.
  '': 1,
  mm: 1,
  millimeter: 1,
  millimeters: 1,
  millimetre: 1,
  millimetres: 1,
  cm: 10,
  centimeter: 10,
  centimeters: 10,
  centimetre: 10,
  centimetres: 10,
  m: 1000,
  meter: 1000,
  meters: 1000,
  metre: 1000,
  metres: 1000,
  um: 0.001,
  µm: 0.001,
  // The header is Latin-1, the sign often UTF-8.
  âµm: 0.001,
  micrometer: 0.001,
  micrometers: 0.001,
  micrometre: 0.001,
  micrometres: 0.001,
  micron: 0.001,
  microns: 0.001
}

/**
 * The grid of a volume. Of more than three axes, those of length 1 are dropped.
 * @throws FileFormatError for another number of axes; VolumeError where the size of voxels is not given, or in a unit unknown
 */
export function nrrdGrid(header: NrrdHeader, name: string): NrrdGrid {
  const axes = spatialAxes(header, name)
  const [x, y, z] = header.lpsSigns
  const lps = ([a, b, c]: Vec3): Vec3 => [x * a, y * b, z * c]
  const { steps, origin } = header.directions ? bySpace(header, axes, name) : byAxis(header, axes, name)
  return {
    size: axes.map(a => header.sizes[a]) as unknown as Vec3,
    steps: [lps(steps[0]), lps(steps[1]), lps(steps[2])],
    origin: lps(origin)
  }
}

type Placed = Pick<NrrdGrid, 'steps' | 'origin'>

/** Which three of the axes are the volume's: one without a direction goes before one with, the last before the first. */
function spatialAxes({ sizes, directions }: NrrdHeader, name: string): number[] {
  let axes = sizes.map((_, a) => a)
  const drop = (which: (a: number) => boolean) => {
    const found = axes.length > 3 ? axes.filter(a => sizes[a] === 1 && which(a)).pop() : undefined
    if (found === undefined) return false
    axes = axes.filter(a => a !== found)
    return true
  }
  while (drop(a => directions !== null && !directions[a]) || drop(() => true));
  if (axes.length !== 3)
    throw new FileFormatError(
      `${name} has ${sizes.length} dimensions (${sizes.join(' × ')}), not 3`,
      'Give a CT volume of one number per voxel.'
    )
  return axes
}

/** By vectors in a space; `space units` are those of its coordinates, `units` too where all axes have the same. */
function bySpace(header: NrrdHeader, axes: readonly number[], name: string): Placed {
  const vectors = axes.map(a => header.directions?.[a] ?? [])
  const origin = header.origin ?? [0, 0, 0]
  if (![...vectors, origin].every(v => v.length === 3))
    throw new FileFormatError(
      `${name}: "space directions" or "space origin" is not in three dimensions`,
      'The header is damaged: export the file again.'
    )
  const ofAxes = new Set(axes.map(a => header.axisUnits?.[a] ?? ''))
  const otherwise = ofAxes.size === 1 ? [...ofAxes][0] : ''
  const mm = [0, 1, 2].map(k => millimetres(header.spaceUnits?.[k] ?? otherwise, name))
  const scaled = (v: readonly number[]): Vec3 => [mm[0] * v[0], mm[1] * v[1], mm[2] * v[2]]
  return { steps: [scaled(vectors[0]), scaled(vectors[1]), scaled(vectors[2])], origin: scaled(origin) }
}

/** By the spacing of each axis; `units` are those of the axes. */
function byAxis(header: NrrdHeader, axes: readonly number[], name: string): Placed {
  const { spacings, axisMins, axisUnits, cellCentred, origin } = header
  const given = axes.map(a => spacings?.[a] ?? Number.NaN)
  if (!given.every(s => Number.isFinite(s) && s !== 0))
    throw new VolumeError(
      `${name} does not say how large its voxels are: it has neither "space directions" nor "spacings"`,
      'Write it again with them: lengths cannot be guessed.'
    )
  if (origin && origin.length !== 3)
    throw new FileFormatError(
      `${name}: "space origin" is not in three dimensions`,
      'The header is damaged: export the file again.'
    )
  const mm = axes.map(a => millimetres(axisUnits?.[a], name))
  const least = axes.map((a, n) => {
    const min = axisMins?.[a] ?? Number.NaN
    // The least of a cell is its edge, not its middle.
    return Number.isFinite(min) ? min + (cellCentred[a] ? given[n] / 2 : 0) : 0
  })
  const along = (n: number): Vec3 => [0, 1, 2].map(k => (k === n ? mm[n] * given[n] : 0)) as unknown as Vec3
  return {
    steps: [along(0), along(1), along(2)],
    origin: (origin
      ? origin.map((o, k) => o * millimetres(header.spaceUnits?.[k], name))
      : least.map((m, n) => mm[n] * m)) as unknown as Vec3
  }
}

function millimetres(unit: string | undefined, name: string): number {
  const mm = MILLIMETRES[(unit ?? '').toLowerCase()]
  if (mm === undefined)
    throw new VolumeError(`${name} is in the unit of length "${unit}"`, 'Write it again in millimetres.')
  return mm
}
