import {
  type Camera,
  drawFemurTurns,
  type FemurTurns,
  type Image,
  type MovableFemurs,
  movableFemurs,
  type Random,
  type Vec3,
  type Volume
} from '@raypose/core'
import { createDrrStore, type DrrStore } from '../protocol/drr-store.js'

/** Positions of the femurs that the views of a patient are shared out over: a CT moved for each view would cost more than all else. */
export const FEMUR_POSITIONS = 3

/** Line integrals of a patient's views, with the femurs as the conditions want them. */
export interface PatientDrrs {
  drr(view: number, camera: Camera): Promise<Image>
  /** How the femurs lie in a view; null: as in the CT. */
  turns(view: number): FemurTurns | null
  dispose(): void
}

export interface PatientDrrOptions {
  readonly volume: Volume
  /** Landmarks that say where the hips are, in the order of `PELVIS_LANDMARKS`, LPS mm; null where unknown. */
  readonly points: readonly (Vec3 | null)[]
  /** Number of views. */
  readonly views: number
  /** Each angle of each femur is drawn from ± this; 0: the CT as it is. */
  readonly femursDeg: number
  readonly random: Random
  /** See `createDrrStore`. */
  readonly folder?: string | null
  readonly ctSha256?: string
}

/**
 * X-rays of a patient by the reference renderer. Where femurs move, the first third of the views shows them in one position, the next
 * third in another; one moved CT is held at a time. Hips that the CT does not show whole stay as they are.
 */
export function createPatientDrrs(options: PatientDrrOptions): PatientDrrs {
  const { volume, points, views, femursDeg, random, folder = null, ctSha256 = '' } = options
  const turns =
    femursDeg > 0 ? Array.from({ length: FEMUR_POSITIONS }, () => drawFemurTurns(random, femursDeg)) : [null]
  const positionOf = (view: number) =>
    Math.min(turns.length - 1, Math.floor((view * turns.length) / Math.max(1, views)))
  let movable: MovableFemurs | null = null
  let open: { readonly position: number; readonly store: DrrStore } | null = null
  const storeOf = (position: number): DrrStore => {
    if (open?.position === position) return open.store
    open?.store.dispose()
    const turn = turns[position]
    const moved = () => (turn ? (movable ??= movableFemurs(volume, points)).move(turn) : volume)
    const key = turn ? `${ctSha256} ${JSON.stringify([turn, points])}` : ctSha256
    open = { position, store: createDrrStore(moved, folder, key) }
    return open.store
  }
  return {
    drr: (view, camera) => storeOf(positionOf(view)).drr(camera),
    turns: view => turns[positionOf(view)],
    dispose() {
      open?.store.dispose()
      open = null
    }
  }
}
