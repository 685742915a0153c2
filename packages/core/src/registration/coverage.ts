import { rayFrame } from '../drr/ray-frame.js'
import type { Camera } from '../geometry/camera.js'
import type { Image } from '../image/image.js'
import type { Volume } from '../volume/volume.js'

export interface CoverageOptions {
  /** A voxel above this is the patient's, HU; default −300. */
  readonly tissue?: number
  /**
   * How far from a ray that does not count others do not either, mm on the detector, at least one pixel unless 0; default 0. An end of the scan is a step as
   * high as the body; renderers that interpolate between rays, and the X-ray's own blur, spread some of it to rays that pass by.
   */
  readonly margin?: number
}

/**
 * Where a CT says what an X-ray shows: 0 for rays that pass its upper or lower end where the patient goes on (or that miss it), else 1.
 * There the X-ray has bones that the DRR has not, and the end of the scan is an edge of the DRR alone. Fat that the scan's sides cut
 * off is no matter: it varies slowly, which similarities of patches do not see.
 * @param volume HU
 * @returns weights for similarities, one for each pixel
 * @throws GeometryError for a degenerate camera
 */
export function coverage(
  volume: Volume,
  camera: Camera,
  { tissue = -300, margin = 0 }: CoverageOptions = {}
): Image {
  const { source, first, perColumn, perRow } = rayFrame(volume, camera)
  const [width, height] = camera.detector.size
  const [ni, nj, nk] = volume.size
  const last = [ni - 1, nj - 1, nk - 1]
  const data = new Float32Array(width * height)
  const d = [0, 0, 0]
  const up = [0, 1, 2].reduce((best, a) =>
    Math.abs(volume.direction[6 + a]) > Math.abs(volume.direction[6 + best]) ? a : best
  )
  const patientAt = (t: number) => {
    const i = Math.max(0, Math.min(last[0], Math.round(source[0] + t * d[0])))
    const j = Math.max(0, Math.min(last[1], Math.round(source[1] + t * d[1])))
    const k = Math.max(0, Math.min(last[2], Math.round(source[2] + t * d[2])))
    return volume.data[(k * nj + j) * ni + i] > tissue
  }
  for (let v = 0, p = 0; v < height; v++)
    for (let u = 0; u < width; u++, p++) {
      let enter = 0
      let leave = Number.POSITIVE_INFINITY
      // Where the ray passes the planes of the ends.
      let end0 = Number.NaN
      let end1 = Number.NaN
      for (let a = 0; a < 3; a++) {
        d[a] = first[a] + u * perColumn[a] + v * perRow[a]
        if (d[a] === 0) {
          if (source[a] < 0 || source[a] > last[a]) leave = -1
          continue
        }
        const t0 = -source[a] / d[a]
        const t1 = (last[a] - source[a]) / d[a]
        if (a === up) {
          end0 = t0
          end1 = t1
        }
        enter = Math.max(enter, Math.min(t0, t1))
        leave = Math.min(leave, Math.max(t0, t1))
      }
      const cut =
        ((end0 === enter || end0 === leave) && patientAt(end0)) ||
        ((end1 === enter || end1 === leave) && patientAt(end1))
      if (leave > enter && !cut) data[p] = 1
    }
  const [across, down] = camera.detector.pixel.map(pixel => Math.ceil(margin / pixel))
  return { width, height, data: leastNear(leastNear(data, width, 1, across), width, width, down) }
}

/** The least value within `radius` pixels along rows (step 1) or columns (step: the width); what is outside the image does not count. */
function leastNear(data: Float32Array, width: number, step: number, radius: number): Float32Array {
  if (radius === 0) return data
  const along = step === 1 ? width : data.length / width
  return data.map((_, i) => {
    const at = step === 1 ? i % width : Math.floor(i / width)
    let least = Number.POSITIVE_INFINITY
    for (let k = Math.max(-radius, -at); k <= Math.min(radius, along - 1 - at); k++)
      least = Math.min(least, data[i + k * step])
    return least
  })
}
