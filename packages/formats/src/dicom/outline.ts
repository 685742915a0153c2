import { cross, dot, normalize, RayposeError, type Vec3 } from '@raypose/core'
import type { DicomFile } from './header.js'
import { isLocalizer, isSecondaryCapture, type Plane, planesOf } from './slices.js'

/** What a CT series is as its headers tell, without a pixel read. */
export interface Outline {
  /** Why it can be no volume; null where it can. */
  readonly obstacle: string | null
  /** Orientation, spacing, extent and kernel, to tell it from others. */
  readonly text: string
}

/** Fewest planes of a CT that is worth a registration. */
export const FEWEST_PLANES = 8

export function outlineOf(files: readonly DicomFile[]): Outline {
  const without = (obstacle: string): Outline => ({ obstacle, text: '' })
  if (files.every(f => f.header.samplesPerPixel !== 1)) return without('colour images')
  if (files.every(isSecondaryCapture)) return without('secondary capture')
  const planes = allPlanes(files)
  if (planes.length > 0 && planes.every(isLocalizer)) return without('localizer')
  const stack = largestStack(planes.filter(p => !isLocalizer(p)))
  if (!stack) return without('no place in the patient')
  const n = stack.heights.length
  if (n < FEWEST_PLANES)
    return without(n === 1 ? 'all in one plane' : `${n} planes, fewer than ${FEWEST_PLANES}`)
  const { header, dataset } = files[0]
  const gaps = stack.heights.slice(1).map((s, i) => s - stack.heights[i])
  const gap = gaps.sort((a, b) => a - b)[Math.floor(gaps.length / 2)]
  const [du, dv] = stack.spacing ?? [Number.NaN, Number.NaN]
  const extent = [header.columns * du, header.rows * dv, stack.heights[n - 1] - stack.heights[0] + gap]
  const kernel = dataset.texts('00181210').join(' ').trim()
  return {
    obstacle: null,
    text: `${directionName(stack.normal)}, slices ${Number(gap.toFixed(3))} mm apart, ${extent.map(mm => (Number.isFinite(mm) ? mm.toFixed(0) : '?')).join(' × ')} mm, ${kernel ? `kernel ${kernel}` : 'kernel not said'}`
  }
}

function allPlanes(files: readonly DicomFile[]): Plane[] {
  return files.flatMap(file => {
    try {
      return planesOf(file)
    } catch (error) {
      // Frames without a place; whoever asks for this series is told.
      if (error instanceof RayposeError) return []
      throw error
    }
  })
}

interface OutlinedStack {
  readonly normal: Vec3
  /** Along the normal, each once, sorted, mm. */
  readonly heights: readonly number[]
  readonly spacing: Plane['spacing']
}

/** The planes of one orientation that stand at most different places: projections turn, bolus timing stays. */
function largestStack(planes: readonly Plane[]): OutlinedStack | null {
  const stacks = new Map<string, { normal: Vec3; heights: Map<number, number>; spacing: Plane['spacing'] }>()
  for (const { orientation, position, spacing } of planes) {
    if (!orientation || !position) continue
    const normal = normalize(cross(orientation.row, orientation.column))
    const key = normal.map(x => x.toFixed(2)).join()
    const stack = stacks.get(key) ?? { normal, heights: new Map(), spacing }
    // All heights of a stack along the same normal, whatever the last digits of the others are.
    const height = dot(position, stack.normal)
    stack.heights.set(Math.round(height * 100), height)
    stacks.set(key, stack)
  }
  const [largest] = [...stacks.values()].sort((a, b) => b.heights.size - a.heights.size)
  return largest ? { ...largest, heights: [...largest.heights.values()].sort((a, b) => a - b) } : null
}

/** Within about 10° of an axis; else the nearest, called oblique. */
function directionName(normal: Vec3): string {
  const sizes = normal.map(Math.abs)
  const most = Math.max(...sizes)
  const name = ['sagittal', 'coronal', 'axial'][sizes.indexOf(most)]
  return most > 0.985 ? name : `oblique ${name}`
}
