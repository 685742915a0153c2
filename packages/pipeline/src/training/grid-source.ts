import {
  ArgumentError,
  createRandom,
  type Detector,
  gridViews,
  poseFromView,
  type ViewGrid
} from '@raypose/core'
import { loadMember, type PopulationMember, TRAINING_VOXEL_MM } from './population.js'
import {
  type LayeredPatient,
  phantomPatient,
  plainPhantom,
  renderTrainingView,
  type ViewSource
} from './view-source.js'

/** A patient of a grid source: a procedural one by its seed, or an annotated CT. */
export type GridPatient = { readonly phantom: number } | { readonly member: PopulationMember }

export interface GridSourceOptions {
  readonly seed: number
  readonly detector: Detector
  readonly grid: ViewGrid
  readonly patients: readonly GridPatient[]
  /** Views that an earlier part of the training has had: the source goes on after them. */
  readonly start: number
  /** Patients held in memory at a time, about 100 MB each. */
  readonly resident?: number
}

/** All of the paper's 12 + 1 patients fit. */
const RESIDENT = 16

/**
 * Every view of a grid of every patient once an epoch (paper section 2: 3,456 a CT), in an order that is shuffled anew each
 * epoch and depends on the seed and the epoch alone, so that a resumed training sees what the uninterrupted one would have.
 * With more patients than fit in memory, they are shuffled into groups and the views within each group.
 */
export function gridSource(options: GridSourceOptions): ViewSource {
  const { detector, patients, resident = RESIDENT } = options
  const views = gridViews(options.grid)
  const perEpoch = patients.length * views.length
  if (perEpoch === 0)
    throw new ArgumentError('There is no patient to train on', 'Give a population of at least two patients.')
  const open = new Map<number, LayeredPatient>()
  const patientAt = async (index: number): Promise<LayeredPatient> => {
    const there = open.get(index)
    if (there) return there
    for (const [key, patient] of open) {
      if (open.size < resident) break
      patient.bone.dispose()
      patient.soft.dispose()
      open.delete(key)
    }
    const patient = await openPatient(patients[index])
    open.set(index, patient)
    return patient
  }
  let epoch = -1
  let order: Uint32Array = new Uint32Array()
  let next = options.start
  return async () => {
    const wanted = Math.floor(next / perEpoch)
    if (wanted !== epoch) {
      epoch = wanted
      order = epochOrder(options.seed, epoch, patients.length, views.length, resident)
    }
    const at = order[next++ % perEpoch]
    const patient = await patientAt(Math.floor(at / views.length))
    const view = views[at % views.length]
    return renderTrainingView(patient, { detector, cameraFromLps: poseFromView(view, patient.isocenter) })
  }
}

/** patient · views + view for every view of an epoch, in its order. */
export function epochOrder(
  seed: number,
  epoch: number,
  patients: number,
  views: number,
  resident: number
): Uint32Array {
  const random = createRandom((seed ^ 0x9e1d) + 7919 * epoch)
  const shuffled = random.shuffle(Array.from({ length: patients }, (_, i) => i))
  const order = new Uint32Array(patients * views)
  let at = 0
  for (let from = 0; from < patients; from += resident) {
    const group = shuffled
      .slice(from, from + resident)
      .flatMap(p => Array.from({ length: views }, (_, v) => p * views + v))
    order.set(random.shuffle(group), at)
    at += group.length
  }
  return order
}

const openPatient = (p: GridPatient): Promise<LayeredPatient> | LayeredPatient =>
  'phantom' in p
    ? phantomPatient(plainPhantom(p.phantom, TRAINING_VOXEL_MM))
    : loadMember(p.member, { voxelMm: TRAINING_VOXEL_MM })
