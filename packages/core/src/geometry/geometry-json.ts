import { GeometryError } from '../errors.js'
import { assertDetector, type Detector } from './camera.js'
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

/**
 * Reads a parsed geometry JSON object.
 * @throws GeometryError naming the key that is missing or wrong.
 */
export function geometryFromJson(json: unknown): { detector: Detector; cameraFromLps?: Mat4 } {
  const hint =
    'See "Files" in the documentation: {"sddMm", "pixelMm": [du, dv], "size": [W, H], "principalPoint": [cu, cv], "cameraFromLps": [16 numbers]}.'
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new GeometryError('The geometry is not a JSON object', hint)
  const g = json as Record<string, unknown>
  const number = (key: string): number => {
    const v = g[key]
    if (typeof v !== 'number' || !Number.isFinite(v))
      throw new GeometryError(`The geometry's "${key}" is not a finite number`, hint)
    return v
  }
  const pair = (key: string): [number, number] => {
    const v = g[key]
    if (!Array.isArray(v) || v.length !== 2 || !v.every(x => typeof x === 'number' && Number.isFinite(x)))
      throw new GeometryError(`The geometry's "${key}" is not a pair of finite numbers`, hint)
    return [v[0], v[1]]
  }
  const size = pair('size')
  const detector: Detector = {
    sdd: number('sddMm'),
    pixel: pair('pixelMm'),
    size,
    principalPoint:
      g.principalPoint === undefined ? [(size[0] - 1) / 2, (size[1] - 1) / 2] : pair('principalPoint')
  }
  assertDetector(detector)
  if (g.cameraFromLps === undefined) return { detector }
  if (!Array.isArray(g.cameraFromLps))
    throw new GeometryError('The geometry\'s "cameraFromLps" is not an array of 16 numbers', hint)
  return { detector, cameraFromLps: assertRigid(g.cameraFromLps as number[], 'cameraFromLps') }
}
