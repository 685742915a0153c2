import type { Detector } from '../geometry/camera.js'
import { detectorSignal, type TubeOptions, tungstenSpectrum } from './spectrum.js'

export interface HeelOptions extends TubeOptions {
  readonly csiMm: number
  /** 0: none (as after a flat-field correction), 1: all of it, in between and above by exponent. */
  readonly heel: number
  /** Where the cathode is, degrees in the image: 0 at growing columns, 90 at growing rows. */
  readonly heelDirectionDegrees: number
}

/** Samples of the profile across the detector, between which it is interpolated. */
const SAMPLES = 17
/** No ray leaves the anode flatter than this, degrees. */
const FLATTEST = 1

/**
 * Heel effect: towards the anode rays leave it flatter, so that more of them are absorbed in it. From the same tube model as
 * the spectrum, by the angle of each ray.
 * @returns factor a pixel, 1 on the principal ray; null where the effect is off
 */
export function heelField(detector: Detector, options: HeelOptions): Float32Array | null {
  const { heel, csiMm, anodeDegrees, heelDirectionDegrees } = options
  if (heel === 0) return null
  const { size, pixel, principalPoint, sdd } = detector
  const [width, height] = size
  const turn = (heelDirectionDegrees * Math.PI) / 180
  const [cx, cy] = [Math.cos(turn) * pixel[0], Math.sin(turn) * pixel[1]]
  // Position along the anode-cathode axis, mm on the detector.
  const along = (u: number, v: number) => (u - principalPoint[0]) * cx + (v - principalPoint[1]) * cy
  const corners = [along(0, 0), along(width - 1, 0), along(0, height - 1), along(width - 1, height - 1)]
  const reach = Math.max(1e-6, ...corners.map(Math.abs))
  const signalAt = (degrees: number) =>
    detectorSignal(
      tungstenSpectrum({ ...options, anodeDegrees: Math.min(45, Math.max(FLATTEST, degrees)) }),
      csiMm
    ).reduce((a, b) => a + b, 0)
  const centre = signalAt(anodeDegrees)
  const profile = Array.from({ length: SAMPLES }, (_, i) => {
    const mm = ((2 * i) / (SAMPLES - 1) - 1) * reach
    return (signalAt(anodeDegrees + (Math.atan2(mm, sdd) * 180) / Math.PI) / centre) ** heel
  })
  const out = new Float32Array(width * height)
  for (let v = 0; v < height; v++)
    for (let u = 0; u < width; u++) {
      const p = ((along(u, v) / reach + 1) / 2) * (SAMPLES - 1)
      const i = Math.min(SAMPLES - 2, Math.max(0, Math.floor(p)))
      out[v * width + u] = profile[i] + (p - i) * (profile[i + 1] - profile[i])
    }
  return out
}
