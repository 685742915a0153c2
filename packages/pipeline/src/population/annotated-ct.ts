import {
  ArgumentError,
  centroid,
  indexToLps,
  mirrorFromNames,
  type Random,
  type Vec3,
  type Volume
} from '@raypose/core'
import { readJson } from '../files/read-bytes.js'
import { readCt } from '../files/read-ct.js'
import { parseLandmarks } from '../training/population.js'
import type { OnProgress } from '../types.js'
import { landmarksFile, mirrorPoint, mirrorVolume } from './ct-source.js'
import { warpCt } from './ct-warp.js'
import { drawScan, type ScanSettings, scan } from './field-of-view.js'
import { fitWarp, warpPoints } from './warp-field.js'

/** A real CT with landmarks, to be bent at random where there is no atlas to bend it to. */
export interface AnnotatedCt {
  readonly path: string
  readonly mirrored: boolean
  readonly volume: Volume
  readonly anatomy?: string
  readonly landmarkNames: readonly string[]
  /** LPS mm. */
  readonly landmarks: readonly Vec3[]
}

/** How a CT was bent, and scanned. */
export interface BentRecord {
  readonly seed: number
  readonly kind: 'bent'
  readonly ct: { readonly path: string; readonly mirrored: boolean }
  /** Scale along x, y, z. */
  readonly scale: Vec3
  readonly warp: { readonly medianMm: number; readonly p95Mm: number; readonly leastVolume: number }
  /** Root mean square change of the distances between landmarks, mm. */
  readonly shapeChangeMm: number
  readonly scan: ScanSettings
}

/** An affine change and a smooth bend drawn at the nodes of a coarse grid: standard deviations. */
const SCALE = 0.06
const SHEAR = 0.03
const BEND_MM = 3
/** Distance of the nodes, and how far around the landmarks they reach, mm. */
const NODE_MM = 60
const REACH: Vec3 = [180, 150, 180]

/**
 * Reads an annotated CT, and its mirror image as a second one where the landmarks' names come in pairs (… L and … R).
 * @throws ArgumentError without landmarks beside it, or with one that is not known
 */
export async function openAnnotatedCt(path: string, onProgress?: OnProgress): Promise<AnnotatedCt[]> {
  const file = landmarksFile(path)
  const hint = `Without an atlas a population is made of annotated CTs: write ${file}, as "raypose landmarks" does, or give --atlas.`
  const json = await readJson(file).catch(cause => {
    throw new ArgumentError(`There are no landmarks beside ${path}`, hint, { cause })
  })
  const { landmarks, landmarkNames, anatomy } = parseLandmarks(file, json)
  const known = landmarks.filter(p => p !== null)
  if (known.length < landmarks.length || known.length < 4)
    throw new ArgumentError(
      `${file} holds ${known.length} of ${landmarks.length} landmarks; bending a CT takes all of them, and at least 4`,
      hint
    )
  const { volume } = await readCt(path, { onProgress })
  const own: AnnotatedCt = { path, mirrored: false, volume, anatomy, landmarkNames, landmarks: known }
  const partners = mirrorFromNames(landmarkNames)
  if (!partners) return [own]
  return [
    own,
    {
      ...own,
      mirrored: true,
      volume: mirrorVolume(volume),
      landmarks: partners.map(i => mirrorPoint(known[i]))
    }
  ]
}

/** The CT bent at random, with its landmarks, and scanned. @param cut chance of a scan that ends within the anatomy */
export function bendCt(
  source: AnnotatedCt,
  random: Random,
  seed: number,
  { spacing, cut }: { readonly spacing: number; readonly cut: number }
) {
  const centre = centroid(source.landmarks)
  const nodes = gridAbout(centre, source.volume)
  const scale = [0, 1, 2].map(() => 1 + SCALE * random.normal()) as unknown as Vec3
  const shear = Array.from({ length: 9 }, (_, i) => (i % 4 === 0 ? 0 : SHEAR * random.normal()))
  const moved = nodes.map(
    p =>
      [0, 1, 2].map(r => {
        let x = centre[r] + BEND_MM * random.normal()
        for (let c = 0; c < 3; c++) x += ((r === c ? scale[r] : 0) + shear[r * 3 + c]) * (p[c] - centre[c])
        return x
      }) as unknown as Vec3
  )
  const bend = fitWarp(Float64Array.from(nodes.flat()), Float64Array.from(moved.flat()))
  const points = Float64Array.from([...source.landmarks, ...nodes].flat())
  const bent = warpCt(
    { landmarks: source.landmarkNames.map((name, i) => ({ name, vertices: [i] })) },
    source.volume,
    points,
    warpPoints(bend, points.slice()),
    { spacing, controls: points.length / 3 }
  )
  const settings = drawScan(random, cut)
  return {
    ...scan(bent.ct, bent.landmarks, settings, random),
    isocenter: centroid(bent.landmarks),
    record: {
      seed,
      kind: 'bent',
      ct: { path: source.path, mirrored: source.mirrored },
      scale,
      warp: { ...bent.residual, leastVolume: bent.volumeChange.least },
      shapeChangeMm: shapeChange(source.landmarks, bent.landmarks),
      scan: settings
    } satisfies BentRecord
  }
}

/** Nodes about the landmarks, within the CT. */
function gridAbout(centre: Vec3, v: Volume): Vec3[] {
  const corners = [0, 1, 2, 3, 4, 5, 6, 7].map(c =>
    indexToLps(v, [0, 1, 2].map(a => ((c >> a) & 1 ? v.size[a] - 1 : 0)) as unknown as Vec3)
  )
  const axes = [0, 1, 2].map(k => {
    const from = Math.max(centre[k] - REACH[k], Math.min(...corners.map(p => p[k])))
    const to = Math.min(centre[k] + REACH[k], Math.max(...corners.map(p => p[k])))
    const count = Math.max(2, Math.round((to - from) / NODE_MM) + 1)
    return Array.from({ length: count }, (_, i) => from + ((to - from) * i) / (count - 1))
  })
  return axes[0].flatMap(x => axes[1].flatMap(y => axes[2].map((z): Vec3 => [x, y, z])))
}

function shapeChange(a: readonly Vec3[], b: readonly Vec3[]): number {
  const gap = (p: Vec3, q: Vec3) => Math.hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2])
  const changes = a.flatMap((p, i) => a.slice(0, i).map((q, j) => (gap(p, q) - gap(b[i], b[j])) ** 2))
  return Math.sqrt(changes.reduce((s, x) => s + x, 0) / changes.length)
}
