import { basename, join } from 'node:path'
import {
  ArgumentError,
  boneSurface,
  createWasmRenderer,
  OPEN_BONE_WINDOW,
  resampleVolume,
  type Vec3,
  type Volume,
  VolumeError
} from '@raypose/core'
import {
  type ArmResult,
  ablationArms,
  armResult,
  type CapturePoint,
  type Comparison,
  captureMethodName,
  captureRangeProtocol,
  compareRuns,
  criteriaOf,
  drrFolder,
  ensureWritableFolder,
  exportViews,
  findPatients,
  type ImportedPoses,
  isSuccess,
  measureImported,
  openStage,
  type PatientSource,
  type Protocol,
  type ProtocolResults,
  type ProtocolRow,
  type ProtocolRun,
  posesOf,
  protocolResults,
  type RunOptions,
  readPoses,
  readProtocol,
  readResults,
  resultsCsv,
  resultsText,
  runProtocol,
  viewsOf,
  writeFileAtomic,
  writeJsonAtomic
} from '@raypose/pipeline'
import { drawOverlay } from '../report/overlay.js'
import { protocolFigures } from '../report/protocol-figures.js'
import { standaloneSvg } from '../report/protocol-plots.js'
import type { PoseScene } from '../report/protocol-poses.js'
import { protocolReport } from '../report/protocol-report.js'
import { svgToPng } from '../report/raster.js'
import { projectAll } from './registration-overlay.js'

export interface ProtocolWork extends Omit<RunOptions, 'out'> {
  readonly protocol: string
  readonly patients: string
  readonly out: string
  /** Only so many views of each patient. */
  readonly views?: number
  /** Only these methods. */
  readonly methods?: readonly string[]
  readonly preset?: Protocol['xray']['preset']
  readonly seed?: number
  /** Ablations to run too. */
  readonly ablate?: readonly string[] | 'all'
  readonly captureRange?: boolean
  /** Poses of other systems, to be measured in the same tables. */
  readonly imports?: readonly string[]
  /** An earlier `evaluation.json`. */
  readonly compare?: string
}

export interface ProtocolOutcome {
  readonly results: ProtocolResults
  readonly comparison: Comparison | null
  readonly report: string
}

/** The protocol as the options change it. @throws ArgumentError for a method that it does not have */
export function chosenProtocol(
  protocol: Protocol,
  o: Pick<ProtocolWork, 'views' | 'methods' | 'preset' | 'seed'>
): Protocol {
  const unknown = o.methods?.find(m => !Object.hasOwn(protocol.methods, m))
  if (unknown !== undefined)
    throw new ArgumentError(
      `The protocol ${protocol.name} has no method "${unknown}"`,
      `It has: ${Object.keys(protocol.methods).join(', ')}.`
    )
  const kept = (name: string) => !o.methods || o.methods.includes(name)
  const capture = protocol.captureRange?.methods.filter(kept) ?? []
  return {
    ...protocol,
    seed: o.seed ?? protocol.seed,
    views: { ...protocol.views, sample: o.views ?? protocol.views.sample },
    xray: { ...protocol.xray, preset: o.preset ?? protocol.xray.preset },
    methods: Object.fromEntries(Object.entries(protocol.methods).filter(([name]) => kept(name))),
    figures: protocol.figures.filter(f => kept(f.method)),
    captureRange:
      protocol.captureRange && capture.length > 0 ? { ...protocol.captureRange, methods: capture } : undefined
  }
}

/** Runs a protocol with its sub-runs and writes `evaluation.json`, `views.csv`, `poses-*.json`, `report.html` and its figures. */
export async function protocolToFolder(w: ProtocolWork): Promise<ProtocolOutcome> {
  const protocol = chosenProtocol(await readProtocol(w.protocol), w)
  // What can be wrong is read before anything takes hours.
  const earlier = w.compare === undefined ? null : await readResults(w.compare)
  const imported = await Promise.all((w.imports ?? []).map(readPoses))
  const arms = w.ablate ? ablationArms(protocol, w.ablate) : []
  const sources = await findPatients(w.patients)
  await ensureWritableFolder(w.out)

  const own = await runProtocol(protocol, sources, w)
  const theirs: ProtocolRow[] = []
  for (const poses of named(imported, Object.keys(protocol.methods)))
    theirs.push(...(await measureImported(protocol, sources, poses)))
  const run: ProtocolRun = { ...own, rows: [...own.rows, ...theirs] }

  const capture = w.captureRange ? captureRangeProtocol(protocol) : null
  // With their preparations: for a CT without landmarks nothing else says where the anatomy is.
  const prepared = own.patients.map(p => p.source)
  const captureRange = capture
    ? capturePoints(protocol, await runProtocol(capture, prepared, staged(w, 'capture range')))
    : []
  const ablations: ArmResult[] = []
  for (const arm of arms) {
    const name = `${arm.ablation}, ${arm.arm}`
    ablations.push(armResult(arm, await runProtocol(arm.protocol, sources, staged(w, name))))
  }

  const results = protocolResults(run, { captureRange, ablations })
  const comparison = earlier
    ? compareRuns(earlier.views, viewsOf(results.columns, results.rows), criteriaOf(protocol)[0])
    : null
  const report = join(w.out, 'report.html')
  const scene = await poseScene(run)
  const gallery = await worstViews(run, w)
  for (const method of new Set(run.rows.map(r => r.method)))
    await writeJsonAtomic(join(w.out, `poses-${safeName(method)}.json`), posesOf(run.rows, method))
  for (const { name, figure } of protocolFigures({ results, run, scene })) {
    const svg = standaloneSvg(figure)
    const path = join(w.out, 'figures', name)
    await writeFileAtomic(`${path}.svg`, svg)
    await writeFileAtomic(`${path}.png`, await svgToPng(svg))
  }
  await writeFileAtomic(join(w.out, 'views.csv'), resultsCsv(run.rows))
  await writeFileAtomic(report, protocolReport({ results, run, comparison, scene, gallery }))
  await writeFileAtomic(join(w.out, 'evaluation.json'), resultsText(results))
  return { results, comparison, report }
}

/** Writes the views of a protocol for other systems. */
export async function exportToFolder(
  w: Pick<
    ProtocolWork,
    'protocol' | 'patients' | 'out' | 'views' | 'preset' | 'seed' | 'signal' | 'onProgress'
  >
): Promise<{ patients: number; views: number }> {
  const protocol = chosenProtocol(await readProtocol(w.protocol), w)
  const sources = await findPatients(w.patients)
  await ensureWritableFolder(w.out)
  return exportViews(protocol, sources, w.out, w)
}

/** Imported poses under names of their own: those of a method of the protocol must not count as that method's. */
export function named(imported: readonly ImportedPoses[], taken: readonly string[]): ImportedPoses[] {
  const names = new Set(taken)
  return imported.map(poses => {
    let name = poses.name
    for (let n = 1; names.has(name); n++) name = `${poses.name} (imported${n > 1 ? ` ${n}` : ''})`
    names.add(name)
    return { ...poses, name }
  })
}

const safeName = (name: string) => basename(name).replace(/[^\w.+-]/g, '_')

const staged = (w: ProtocolWork, what: string): RunOptions => ({
  ...w,
  onProgress: p => w.onProgress?.({ ...p, stage: `${what}: ${p.stage}` })
})

function capturePoints(protocol: Protocol, run: ProtocolRun): CapturePoint[] {
  const { methods, treMm } = protocol.captureRange ?? { methods: [], treMm: [] }
  return methods.flatMap(method =>
    treMm.map(tre => {
      const rows = run.rows.filter(r => r.method === captureMethodName(method, tre))
      return {
        method,
        treMm: tre,
        successes: rows.filter(r => isSuccess(protocol, r)).length,
        of: rows.length
      }
    })
  )
}

/** The views of the first patient in 3D, with the initial poses of the first method. */
async function poseScene(run: ProtocolRun): Promise<PoseScene> {
  const [patient] = run.patients
  const stage = await openStage(patient.source, run.protocol)
  const { targets, isocenter, volume } = stage
  stage.dispose()
  const [method] = Object.keys(run.protocol.methods)
  const rows = run.rows.filter(r => r.patient === patient.name && r.method === method)
  return {
    targets,
    isocenter,
    surface: surfaceAbout(volume, targets),
    views: rows.map(r => ({ truth: r.truth, estimate: r.initialPose, title: `View ${r.view}` }))
  }
}

/** Voxels that the surface is found on, mm, and how far around the targets it is drawn. */
const SURFACE = { voxelMm: 3, marginMm: 25, points: 3000 }

/** Points of the bone around the targets; none where the CT shows no bone. */
function surfaceAbout(volume: Volume, targets: readonly Vec3[]): Vec3[] {
  const { voxelMm, marginMm, points } = SURFACE
  const ends = [0, 1, 2].map(k => targets.map(p => p[k]))
  const near = (p: Vec3) =>
    p.every((x, k) => x > Math.min(...ends[k]) - marginMm && x < Math.max(...ends[k]) + marginMm)
  try {
    const xyz = boneSurface(resampleVolume(volume, { spacing: [voxelMm, voxelMm, voxelMm] }), {
      window: OPEN_BONE_WINDOW,
      minBorderPixels: 6
    })
    const all = Array.from(
      { length: xyz.length / 3 },
      (_, i): Vec3 => [xyz[3 * i], xyz[3 * i + 1], xyz[3 * i + 2]]
    ).filter(near)
    const step = Math.max(1, all.length / points)
    return Array.from({ length: Math.floor(all.length / step) }, (_, i) => all[Math.floor(i * step)])
  } catch (error) {
    if (error instanceof VolumeError) return []
    throw error
  }
}

export interface WorstView {
  readonly row: ProtocolRow
  readonly png: Uint8Array
}

const WORST = 10
const PICTURE_WIDTH = 480

/** The worst views of the first method, with the edges of the DRR at the pose found. */
async function worstViews(
  run: ProtocolRun,
  w: Pick<ProtocolWork, 'out' | 'onProgress'>
): Promise<WorstView[]> {
  const [method] = Object.keys(run.protocol.methods)
  const badness = (r: ProtocolRow) => r.final?.projectionDistance ?? Number.POSITIVE_INFINITY
  const worst = run.rows
    .filter(r => r.method === method)
    .sort((a, b) => (badness(a) === badness(b) ? 0 : badness(b) - badness(a)))
    .slice(0, WORST)
  const pictures = new Map<ProtocolRow, Uint8Array>()
  let done = 0
  for (const { name, source } of run.patients) {
    const mine = worst.filter(r => r.patient === name)
    if (mine.length === 0) continue
    const stage = await openStage(sourceWithCt(source), run.protocol, { drrs: drrFolder(w.out) })
    const renderer = createWasmRenderer(stage.volume)
    for (const r of mine) {
      w.onProgress?.({ stage: 'Drawing the worst views', fraction: done++ / worst.length })
      const pose = r.finalPose ?? r.initialPose
      const camera = pose && { detector: stage.detector, cameraFromLps: pose }
      pictures.set(
        r,
        drawOverlay({
          xray: await stage.xray(r.view),
          ...(camera ? { drr: renderer.render(camera) } : {}),
          landmarks: {
            detected: projectAll(stage.camera(r.view), stage.targets),
            projected: camera ? projectAll(camera, stage.targets) : [],
            crosses: 'targets'
          },
          width: PICTURE_WIDTH
        })
      )
    }
    renderer.dispose()
    stage.dispose()
  }
  return worst.flatMap(row => {
    const png = pictures.get(row)
    return png ? [{ row, png }] : []
  })
}

/** Pictures need no more than what the views were made from. */
const sourceWithCt = (source: PatientSource): PatientSource =>
  source.ct === null || source.landmarks === null ? source : { ...source, bundle: null }
