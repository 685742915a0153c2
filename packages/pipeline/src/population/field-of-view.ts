import { lpsToIndex, type Random, resampleVolume, type Vec3, type Volume } from '@raypose/core'

const AIR_HU = -1000
/** A landmark this far outside the scan is not in it, mm. */
const OUTSIDE_MM = 3

/** What a scan leaves out or blurs. */
export interface ScanSettings {
  /** Share of the landmarks' height that is cut off at the lower and the upper end; 0 for none. */
  readonly cutLow: number
  readonly cutHigh: number
  /** Share of the landmarks' width cut off at the right and the left side. */
  readonly cutRight: number
  readonly cutLeft: number
  /** Radius of the round field of view, mm, and where its centre lies beside the landmarks', or null for none. */
  readonly circle: { readonly radius: number; readonly x: number; readonly y: number } | null
  readonly sliceMm: number
  readonly noiseHu: number
}

/** @param share of scans that are cut or lopsided */
export function drawScan(random: Random, share: number): ScanSettings {
  const cut = () => (random.chance(share / 2) ? random.uniform(0.02, 0.35) : 0)
  const [cutLow, cutHigh] = [cut(), cut()]
  const side = random.chance(share / 3) ? random.uniform(0.02, 0.3) : 0
  const right = random.chance(0.5)
  return {
    cutLow,
    cutHigh,
    cutRight: right ? side : 0,
    cutLeft: right ? 0 : side,
    circle: random.chance(share / 2)
      ? { radius: random.uniform(150, 230), x: random.uniform(-35, 35), y: random.uniform(-30, 30) }
      : null,
    sliceMm: random.chance(0.35) ? 0 : random.uniform(1, 5),
    noiseHu: random.chance(0.5) ? random.uniform(0, 30) : 0
  }
}

/**
 * A CT as a scan with these settings shows it: slices of some thickness (each the mean over it), noise, a field that ends early.
 * @param ct axes along LPS; overwritten
 * @param random of the noise
 */
export function scan(
  ct: Volume<Int16Array>,
  landmarks: readonly Vec3[],
  s: ScanSettings,
  random: Random
): { ct: Volume<Int16Array>; landmarks: (Vec3 | null)[] } {
  const low = [0, 1, 2].map(k => Math.min(...landmarks.map(p => p[k])))
  const high = [0, 1, 2].map(k => Math.max(...landmarks.map(p => p[k])))
  const middle = low.map((x, k) => (x + high[k]) / 2)
  const extent = low.map((x, k) => high[k] - x)
  const from = [
    s.cutRight > 0 ? low[0] + s.cutRight * extent[0] : Number.NEGATIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    s.cutLow > 0 ? low[2] + s.cutLow * extent[2] : Number.NEGATIVE_INFINITY
  ]
  const to = [
    s.cutLeft > 0 ? high[0] - s.cutLeft * extent[0] : Number.POSITIVE_INFINITY,
    Number.POSITIVE_INFINITY,
    s.cutHigh > 0 ? high[2] - s.cutHigh * extent[2] : Number.POSITIVE_INFINITY
  ]
  const thick =
    s.sliceMm > ct.spacing[2]
      ? resampleVolume(ct, { spacing: [ct.spacing[0], ct.spacing[1], s.sliceMm] })
      : ct
  const cropped = crop(thick, from, to)
  const [ni, nj, nk] = cropped.size
  const [ox, oy] = s.circle ? [middle[0] + s.circle.x, middle[1] + s.circle.y] : [0, 0]
  const radius2 = s.circle ? s.circle.radius ** 2 : Number.POSITIVE_INFINITY
  for (let k = 0, o = 0; k < nk; k++)
    for (let j = 0; j < nj; j++) {
      const y = cropped.origin[1] + j * cropped.spacing[1] - oy
      for (let i = 0; i < ni; i++, o++) {
        const x = cropped.origin[0] + i * cropped.spacing[0] - ox
        if (x * x + y * y > radius2) cropped.data[o] = AIR_HU
        else if (s.noiseHu > 0 && cropped.data[o] > -900)
          cropped.data[o] += Math.round(s.noiseHu * random.normal())
      }
    }
  return {
    ct: cropped,
    landmarks: landmarks.map(p => {
      const index = lpsToIndex(cropped, p)
      const outside = index.some(
        (x, k) => Math.max(-x, x - cropped.size[k] + 1) * cropped.spacing[k] > OUTSIDE_MM
      )
      const beyond = s.circle ? Math.hypot(p[0] - ox, p[1] - oy) - s.circle.radius > OUTSIDE_MM : false
      return outside || beyond ? null : p
    })
  }
}

/** Voxels between two corners, LPS; at least two along each axis. */
function crop(v: Volume<Int16Array>, from: readonly number[], to: readonly number[]): Volume<Int16Array> {
  const first = from.map((x, k) =>
    Math.min(v.size[k] - 2, Math.max(0, Math.ceil((x - v.origin[k]) / v.spacing[k])))
  )
  const last = to.map((x, k) =>
    Math.max(first[k] + 1, Math.min(v.size[k] - 1, Math.floor((x - v.origin[k]) / v.spacing[k])))
  )
  const size = first.map((x, k) => last[k] - x + 1) as unknown as Vec3
  if (size.every((n, k) => n === v.size[k])) return v
  const data = new Int16Array(size[0] * size[1] * size[2])
  for (let k = 0, o = 0; k < size[2]; k++)
    for (let j = 0; j < size[1]; j++, o += size[0]) {
      const row = ((k + first[2]) * v.size[1] + j + first[1]) * v.size[0] + first[0]
      data.set(v.data.subarray(row, row + size[0]), o)
    }
  return {
    ...v,
    size,
    data,
    origin: v.origin.map((x, k) => x + first[k] * v.spacing[k]) as unknown as Vec3
  }
}
