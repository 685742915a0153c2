import {
  ArgumentError,
  CancelledError,
  composeRigid,
  DEGREE,
  IDENTITY4,
  type Image,
  invertRigid,
  type Mat4,
  poseErrors,
  RayposeError,
  rigid
} from '@raypose/core'
import type { Network } from '@raypose/network'
import { type Patient, withoutExtras } from '../patient/bundle.js'
import { asInt16 } from '../prepare/int16.js'
import type { Assessment } from '../register/assessment/assess.js'
import { prepareRefinement, type RefinementVolume } from '../register/refinement-volume.js'
import { createRegistrar, type Registrar } from '../register/registrar.js'
import { solveDefault } from '../register/solve.js'
import type { Registration } from '../types.js'
import { registerByIntensity } from './intensity.js'
import { type Judgement, type ProtocolRow, UNJUDGED } from './rows.js'
import type { Method, MethodRegistration, Protocol } from './schema.js'
import { randomFor } from './seeds.js'
import type { Stage } from './stage.js'
import { givenStart } from './starts.js'

/** Everything that the methods of a protocol need for one patient. */
export interface Workbench {
  /** Runs the named methods on a view, each from its own start; the X-ray is made once. */
  run(view: number, methods: readonly string[]): Promise<ProtocolRow[]>
  dispose(): Promise<void>
}

export interface WorkbenchOptions {
  /** Threads of the network. Each worker has one: views are what goes in parallel. */
  readonly threads?: number
  /** N, where a method asks for it. */
  readonly general?: Network | null
}

/** Sets the methods of a protocol up for a patient. @throws ArgumentError where a method needs a preparation and there is none */
export async function createWorkbench(
  stage: Stage,
  protocol: Protocol,
  options: WorkbenchOptions = {}
): Promise<Workbench> {
  const registrars = new Map<string, Promise<Registrar>>()
  const registrar = (m: Method, skipRefinement: boolean): Promise<Registrar> => {
    const key = JSON.stringify([m.system, skipRefinement])
    const open =
      registrars.get(key) ??
      createRegistrar(systemOf(stage, m, options.general), {
        threads: options.threads ?? 1,
        skipRefinement,
        ...(m.system.drrRounds === undefined ? {} : { drrRounds: m.system.drrRounds })
      })
    registrars.set(key, open)
    return open
  }
  // Every method refines on the same volume, so that only what is compared differs.
  let refinement: RefinementVolume | null = null
  const refinementVolume = () =>
    (refinement ??= prepareRefinement(asInt16(stage.patient?.volume ?? stage.volume), stage.patient?.bones))
  const centre = stage.patient?.isocenter ?? stage.isocenter

  // A preparation may have found that the CT's file is wrong about its axes; poses are measured in those of the file.
  const turn =
    stage.patient && stage.source.ct !== null ? rigid(stage.patient.lpsFromCt, [0, 0, 0]) : IDENTITY4
  const toCt = (pose: Mat4) => composeRigid(pose, turn)
  const fromCt = (pose: Mat4) => composeRigid(pose, invertRigid(turn))

  const landmarks = stage.patient?.landmarks ?? stage.targets
  const refine = (
    image: Image,
    start: Mat4,
    r: Exclude<MethodRegistration, { kind: 'none' }>
  ): { pose: Mat4; judgement: Judgement } => {
    const { detector } = stage
    const ct = refinementVolume()
    if (r.kind === 'intensity')
      return { pose: registerByIntensity(ct, { image, detector, start, centre }, r), judgement: UNJUDGED }
    const xray = { image, detector, hypotheses: [start], landmarks: [] }
    const { cameras, assessment } = solveDefault({ ct, landmarks, centre }, [xray], {}, {})
    return { pose: cameras[0], judgement: judgementOf(assessment) }
  }

  const runMethod = async (m: Method, view: number, image: Image): Promise<MethodOutcome> => {
    const { detector } = stage
    const started = performance.now()
    const since = (mark: number) => (performance.now() - mark) / 1000
    const whole = m.registration.kind === 'default'
    if (m.start.kind === 'network') {
      const r = await (await registrar(m, !whole)).register(image, detector)
      const initial = { initialPose: toCt(r.initialPose), initialProbability: r.initial.confidence.value }
      if (m.registration.kind !== 'intensity')
        return {
          ...initial,
          finalPose: toCt(r.finalPose),
          ...judgementOf(r.assessment),
          seconds: { ...secondsOf(r), total: since(started) }
        }
      const mark = performance.now()
      const { pose, judgement } = refine(image, r.initialPose, m.registration)
      return {
        ...initial,
        finalPose: toCt(pose),
        ...judgement,
        seconds: { ...secondsOf(r), refine: since(mark), total: since(started) }
      }
    }
    const start = givenStart(m.start, {
      detector,
      truth: stage.camera(view).cameraFromLps,
      isocenter: stage.isocenter,
      sourceToIsocenter: stage.sourceToIsocenter,
      targets: stage.targets,
      random: randomFor(stage.seed, JSON.stringify(m.start), stage.name, view)
    })
    const mark = performance.now()
    const { pose, judgement } =
      m.registration.kind === 'none'
        ? { pose: fromCt(start), judgement: UNJUDGED }
        : refine(image, fromCt(start), m.registration)
    return {
      initialPose: start,
      finalPose: m.registration.kind === 'none' ? start : toCt(pose),
      initialProbability: null,
      ...judgement,
      seconds: { refine: since(mark), total: since(started) }
    }
  }

  return {
    async run(view, methods) {
      const image = await stage.xray(view)
      const rows: ProtocolRow[] = []
      for (const name of methods) {
        const outcome = await runMethod(protocol.methods[name], view, image).catch(failed)
        rows.push(rowOf(stage, name, view, outcome))
      }
      return rows
    },
    async dispose() {
      refinement?.dispose()
      for (const r of await Promise.allSettled(registrars.values()))
        if (r.status === 'fulfilled') await r.value.dispose()
    }
  }
}

interface MethodOutcome extends Judgement {
  readonly initialPose: Mat4 | null
  readonly finalPose: Mat4 | null
  readonly initialProbability: number | null
  readonly seconds: Readonly<Record<string, number>>
  readonly failure?: string
}

/** A view that gives no pose is a result; anything unforeseen is not. */
function failed(error: unknown): MethodOutcome {
  if (!(error instanceof RayposeError) || error instanceof CancelledError) throw error
  return {
    initialPose: null,
    finalPose: null,
    initialProbability: null,
    ...UNJUDGED,
    seconds: {},
    failure: error.message
  }
}

/** A row from the poses of any system. */
export function rowOf(stage: Stage, method: string, view: number, outcome: MethodOutcome): ProtocolRow {
  const { alpha, beta, gamma, translation } = stage.views[view]
  const truth = stage.camera(view).cameraFromLps
  const errors = (pose: Mat4 | null) => pose && poseErrors(stage.detector, pose, truth, stage.targets)
  return {
    patient: stage.name,
    method,
    view,
    alphaDeg: degrees(alpha),
    betaDeg: degrees(beta),
    gammaDeg: degrees(gamma),
    offsetMm: [translation[0], translation[1], translation[2]],
    visible: stage.visibleTargets(view),
    truth,
    initialPose: outcome.initialPose,
    finalPose: outcome.finalPose,
    initial: errors(outcome.initialPose),
    final: errors(outcome.finalPose),
    initialProbability: outcome.initialProbability,
    status: outcome.status,
    probability: outcome.probability,
    probabilityTreAbove2mm: outcome.probabilityTreAbove2mm,
    probabilityTreAbove10mm: outcome.probabilityTreAbove10mm,
    seconds: outcome.seconds,
    ...(outcome.failure === undefined ? {} : { failure: outcome.failure })
  }
}

/** Round where it was round in the protocol. */
const degrees = (radians: number) => Number((radians / DEGREE).toFixed(9))

/** The prepared patient with the parts that a method takes from elsewhere. */
function systemOf(stage: Stage, { system }: Method, general?: Network | null): Patient {
  const { source } = stage
  if (!stage.patient)
    throw new ArgumentError(
      `The patient ${stage.name} is not prepared, and the method starts from a network`,
      'Prepare it, or choose methods with a given start.'
    )
  const reference = source.landmarks
  if (system.landmarks === 'reference' && (!reference || reference.some(p => p === null)))
    throw new ArgumentError(
      `Not every reference landmark of ${stage.name} is known, so M cannot stand in for M′`,
      'Leave this method or ablation out for patients without M.'
    )
  if (system.network === 'general' && !general)
    throw new ArgumentError('A method asks for the general network, and none was given', 'Give --model.')
  const ofN = system.network === 'general' && general ? general : null
  const patient = ofN ? withoutExtras(stage.patient) : stage.patient
  return {
    ...patient,
    network: ofN ?? patient.network,
    // Extra points have no reference: they stay where they are.
    landmarks: patient.landmarks.map((p, i) => (system.landmarks === 'reference' && reference?.[i]) || p),
    ...(system.weights === 'equal'
      ? // One without weight is not to be used at all.
        { weights: patient.weights.map(w => (w > 0 ? 1 : 0)), viewWeights: null }
      : {})
  }
}

/** Seconds of a registration's parts, whichever they are. */
const secondsOf = (r: Registration): Record<string, number> =>
  Object.fromEntries(Object.entries(r.timings).filter(([, s]) => typeof s === 'number'))

/** What a registration says of its final pose. */
const judgementOf = (a: Assessment): Judgement => ({
  status: a.status,
  probability: a.probability,
  probabilityTreAbove2mm: a.probabilityTreAbove2mm,
  probabilityTreAbove10mm: a.probabilityTreAbove10mm
})
