import { cross, dot, normalize, type Vec3 } from '@raypose/core'
import type { DicomFile } from './header.js'
import { isLocalizer, listed, planesOf } from './slices.js'
import { judgeSpacing } from './spacing.js'

/** Slices of one series that belong together, and what tells them from its others; '' where there are no others. */
export interface Reconstruction {
  readonly files: readonly DicomFile[]
  readonly what: string
}

/** Slices of one kind or acquisition, and where they stand along their normal, mm, sorted. */
interface Run {
  readonly value: string
  readonly files: readonly DicomFile[]
  readonly places: readonly number[]
}

/** Overlap that is rounding, mm. */
const ROUNDING = 0.01

/**
 * Takes apart what some scanners and exports file under one series UID: reconstructions of two kernels or tube voltages,
 * or acquisitions (phases), that cover the same range. Interleaved they would make one volume that nobody scanned.
 * Ranges that adjoin, as when the table moves on, stay together.
 */
export function reconstructionsOf(files: readonly DicomFile[]): Reconstruction[] {
  const placed = files.filter(isPlaced)
  const parts = apart(placed, kernelAndVoltage).flatMap(part => apart(part, acquisition))
  if (parts.length < 2) return [{ files, what: '' }]
  const others = files.filter(f => !isPlaced(f))
  return parts.map((part, k) => ({
    // Scouts and pages are left out later on; until then they have to be somewhere.
    files: k === 0 ? [...part, ...others] : part,
    what: described(part)
  }))
}

const kernel = ({ dataset }: DicomFile) => dataset.texts('00181210').join(' ').trim()

const voltage = ({ dataset }: DicomFile) => String(dataset.number('00180060') ?? '')

const kernelAndVoltage = (file: DicomFile) => `${kernel(file)}, ${voltage(file)}`

const acquisition = ({ dataset }: DicomFile) => dataset.text('00200012')

function isPlaced(file: DicomFile): boolean {
  const { header } = file
  return (
    header.modality === 'CT' &&
    header.frames === 1 &&
    header.orientation !== null &&
    header.position !== null &&
    !planesOf(file).some(isLocalizer)
  )
}

/** Splits files by a property where those of one value overlap those of another. */
function apart(
  files: readonly DicomFile[],
  property: (f: DicomFile) => string
): readonly (readonly DicomFile[])[] {
  const byValue = new Map<string, DicomFile[]>()
  for (const file of files) {
    const value = property(file)
    const run = byValue.get(value)
    if (run) run.push(file)
    else byValue.set(value, [file])
  }
  if (byValue.size < 2) return [files]
  const { row, column } = files[0].header.orientation!
  const normal = normalize(cross(row, column))
  // Numbered alike whatever the order of the files.
  const runs = [...byValue]
    .map(([value, run]): Run => ({ value, files: run, places: placesOf(run, normal) }))
    .sort((a, b) => a.places[0] - b.places[0] || a.value.localeCompare(b.value, 'en', { numeric: true }))
  // Each run goes to the first volume that it adjoins and does not overlap.
  const volumes: Run[][] = []
  for (const run of runs) {
    const open = volumes.find(v => v.every(other => run.places[0] >= other.places.at(-1)! - ROUNDING))
    if (open) open.push(run)
    else volumes.push([run])
  }
  const parts = volumes.map(v => v.flatMap(run => run.files))
  // A property that changes at random among the slices of one regular stack tells nothing apart.
  const isOne = isRegular(placesOf(files, normal)) && !parts.every(p => isRegular(placesOf(p, normal)))
  return isOne ? [files] : parts
}

const placesOf = (files: readonly DicomFile[], normal: Vec3): number[] =>
  files.map(f => dot(f.header.position!, normal)).sort((a, b) => a - b)

function isRegular(places: readonly number[]): boolean {
  if (places.length < 3 || places.some((s, i) => i > 0 && s - places[i - 1] < ROUNDING)) return false
  const { missing, uneven, astray } = judgeSpacing(places)
  return missing.length + uneven.length + astray.length === 0
}

function described(files: readonly DicomFile[]): string {
  const all = (name: string, property: (f: DicomFile) => string) => {
    const values = [...new Set(files.map(property))].filter(Boolean)
    return values.length > 0 ? `${name} ${listed(values)}` : ''
  }
  return [all('acquisition', acquisition), all('kernel', kernel), all('kV', voltage)]
    .filter(Boolean)
    .join(', ')
}
