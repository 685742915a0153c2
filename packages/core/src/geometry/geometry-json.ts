import { GeometryError } from '../errors.js'
import { assertDetector, centredDetector, type Detector } from './camera.js'
import type { Mat4 } from './linear.js'
import { assertRigid } from './rigid.js'

/** How pose and geometry travel in files. `cameraFromLps` is absent where the pose is unknown (an X-ray to register). */
export interface GeometryJson {
  sddMm: number
  pixelMm: [number, number]
  size: [number, number]
  /** Default: the image centre. */
  principalPoint?: [number, number]
  /** 4×4, row-major, `p_camera = cameraFromLps · p_lps`. */
  cameraFromLps?: number[]
}

export const geometryToJson = (d: Detector, cameraFromLps?: Mat4): GeometryJson => ({
  sddMm: d.sdd,
  pixelMm: [d.pixel[0], d.pixel[1]],
  size: [d.size[0], d.size[1]],
  principalPoint: [d.principalPoint[0], d.principalPoint[1]],
  ...(cameraFromLps ? { cameraFromLps: Array.from(cameraFromLps) } : {})
})

const KEYS = ['sddMm', 'pixelMm', 'size', 'principalPoint', 'cameraFromLps'] as const

const HINT =
  'A geometry file has "sddMm", "pixelMm": [du, dv], "size": [W, H], "principalPoint": [cu, cv] and, where the pose is known, "cameraFromLps": [16 numbers].'

/** What of a camera a geometry JSON says; all else has to come from elsewhere. */
export type GeometryParts = Partial<Detector> & { readonly cameraFromLps?: Mat4 }

/**
 * Reads a parsed geometry JSON object that may leave out keys, as one that completes what an X-ray's own file says.
 * @throws GeometryError naming the key that is unknown or wrong.
 */
export function geometryPartsFromJson(json: unknown): GeometryParts {
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new GeometryError('The geometry is not a JSON object', HINT)
  const g = json as Record<string, unknown>
  refuseUnknownKeys(g)
  const number = (key: string): number => {
    const v = g[key]
    if (typeof v !== 'number' || !Number.isFinite(v))
      throw new GeometryError(`The geometry's "${key}" is not a finite number`, HINT)
    return v
  }
  const pair = (key: string): [number, number] => {
    const v = g[key]
    if (!Array.isArray(v) || v.length !== 2 || !v.every(x => typeof x === 'number' && Number.isFinite(x)))
      throw new GeometryError(`The geometry's "${key}" is not a pair of finite numbers`, HINT)
    return [v[0], v[1]]
  }
  if (g.cameraFromLps !== undefined && !Array.isArray(g.cameraFromLps))
    throw new GeometryError('The geometry\'s "cameraFromLps" is not an array of 16 numbers', HINT)
  return {
    ...(g.sddMm !== undefined && { sdd: number('sddMm') }),
    ...(g.pixelMm !== undefined && { pixel: pair('pixelMm') }),
    ...(g.size !== undefined && { size: pair('size') }),
    ...(g.principalPoint !== undefined && { principalPoint: pair('principalPoint') }),
    ...(g.cameraFromLps !== undefined && {
      cameraFromLps: assertRigid(g.cameraFromLps as number[], 'cameraFromLps')
    })
  }
}

/**
 * Reads a parsed geometry JSON object.
 * @throws GeometryError naming the key that is missing, unknown or wrong.
 */
export function geometryFromJson(json: unknown): { detector: Detector; cameraFromLps?: Mat4 } {
  const { sdd, pixel, size, principalPoint, cameraFromLps } = geometryPartsFromJson(json)
  if (!size) throw new GeometryError('The geometry\'s "size" is not a pair of finite numbers', HINT)
  if (sdd === undefined) throw new GeometryError('The geometry\'s "sddMm" is not a finite number', HINT)
  if (!pixel) throw new GeometryError('The geometry\'s "pixelMm" is not a pair of finite numbers', HINT)
  const detector = { ...centredDetector(sdd, pixel, size), ...(principalPoint && { principalPoint }) }
  assertDetector(detector)
  return { detector, ...(cameraFromLps && { cameraFromLps }) }
}

/** A misspelt key would leave a default in its place, and the pose off by as much. */
function refuseUnknownKeys(g: Record<string, unknown>): void {
  const unknown = Object.keys(g).find(key => !KEYS.some(k => k === key))
  if (unknown === undefined) return
  const meant = likelyKey(unknown)
  throw new GeometryError(
    `The geometry has an unknown key ${unknown}${meant ? `; do you mean ${meant}?` : ''}`,
    `Its keys are ${KEYS.join(', ')}.`
  )
}

/** Other words for a key: a name without units, of another program, or as in {@link Detector}. */
const OTHER_WORDS: Readonly<Record<string, (typeof KEYS)[number]>> = {
  sid: 'sddMm',
  sourcetodetector: 'sddMm',
  sourcetodetectordistance: 'sddMm',
  pixelsize: 'pixelMm',
  pixelspacing: 'pixelMm',
  spacing: 'pixelMm',
  imagesize: 'size',
  principal: 'principalPoint',
  pose: 'cameraFromLps'
}

function likelyKey(key: string): (typeof KEYS)[number] | null {
  const bare = (k: string) =>
    k
      .toLowerCase()
      .replace(/[^a-z]/g, '')
      .replace(/mm$/, '')
  const word = bare(key)
  const other = OTHER_WORDS[word]
  if (other) return other
  const near = KEYS.map(k => ({ k, d: editDistance(word, bare(k)) })).sort((a, b) => a.d - b.d)[0]
  return near.d <= Math.max(1, Math.floor(bare(near.k).length / 4)) ? near.k : null
}

/** Letters to put in, take out or change (Levenshtein). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1))
    row = next
  }
  return row[b.length]
}
