import { ArgumentError } from '../errors.js'
import type { Camera, Detector } from '../geometry/camera.js'
import { add, cross, dot, mulMat3Vec3, norm, normalize, scale, sub, type Vec3 } from '../geometry/linear.js'
import { applyRigid, rotationOf } from '../geometry/rigid.js'
import type { Random } from '../random/random.js'
import type { Metal } from './materials.js'
import { addChords, perpendicular, type Solid } from './solids.js'

export const INSTRUMENTS = ['wire', 'rod', 'screw', 'retractor'] as const

/**
 * A metal thing in the field: a straight wire or rod, a screw (`to` is its head), a retractor (a flat blade from `from` to
 * `to`, bent at its end).
 */
export interface Instrument {
  readonly kind: (typeof INSTRUMENTS)[number]
  /** Where its points are given: in the patient (LPS), or in camera coordinates, so that it stays on the image. */
  readonly frame: 'lps' | 'camera'
  /** mm */
  readonly from: Vec3
  readonly to: Vec3
  /** Diameter; of a retractor the width of the blade. mm */
  readonly diameterMm: number
  readonly metal: Metal
}

/** Pitch of a screw's thread, mm, and its depth as a share of the radius. */
const PITCH = 2.75
const THREAD = 0.3
/** Of a retractor's blade, mm. */
const BLADE = 2.5

/** The solids of an instrument, in its own frame. @throws ArgumentError for one of no length, or NaN. */
export function solidsOf(i: Instrument): Solid[] {
  const span = sub(i.to, i.from)
  const length = norm(span)
  if (!(length > 0 && Number.isFinite(length) && i.diameterMm > 0 && Number.isFinite(i.diameterMm)))
    throw new ArgumentError(
      `A ${i.kind} from ${i.from.join(', ')} to ${i.to.join(', ')} of ${i.diameterMm} mm is not one`,
      'Give two different points and a positive diameter, in mm.'
    )
  const axis = scale(span, 1 / length)
  const radius = i.diameterMm / 2
  const at = (mm: number): Vec3 => add(i.from, scale(axis, mm))
  const cylinder = (from: number, to: number, r: number): Solid => ({
    shape: 'cylinder',
    from: at(from),
    to: at(to),
    radius: r
  })
  switch (i.kind) {
    case 'wire':
    case 'rod':
      return [cylinder(0, length, radius)]
    case 'screw': {
      const turns = Math.max(1, Math.round(length / PITCH))
      const step = length / turns
      const thread = Array.from({ length: turns }, (_, n) => [
        cylinder(n * step, (n + 0.5) * step, radius),
        cylinder((n + 0.5) * step, (n + 1) * step, radius * (1 - THREAD))
      ])
      return [...thread.flat(), cylinder(length, length + 0.6 * i.diameterMm, radius * 1.4)]
    }
    case 'retractor': {
      // A flat blade seen mostly from its broad side, and a shorter piece bent off it by 35°.
      const [x, y] = flatFrame(axis)
      const bend = (35 * Math.PI) / 180
      const tip = add(scale(axis, -Math.cos(bend)), scale(y, Math.sin(bend)))
      const tipLength = 0.3 * length
      const blade = (centre: Vec3, along: Vec3, l: number, width: number): Solid => ({
        shape: 'box',
        centre,
        axes: [along, x, cross(along, x)],
        half: [l / 2, width / 2, BLADE / 2]
      })
      return [
        blade(at(length / 2), axis, length, i.diameterMm),
        blade(add(i.from, scale(tip, tipLength / 2)), tip, tipLength, i.diameterMm * 0.7)
      ]
    }
  }
}

/** Across the blade, as nearly in the plane of a frame's x and y as the axis allows; and off its face. */
function flatFrame(axis: Vec3): [Vec3, Vec3] {
  const across = cross([0, 0, 1], axis)
  const x = norm(across) > 1e-6 ? normalize(across) : perpendicular(axis)[0]
  return [x, cross(axis, x)]
}

/**
 * How much metal the rays pass.
 * @returns ∫ in mm a pixel for each metal that there is
 */
export function instrumentPaths(
  instruments: readonly Instrument[],
  camera: Camera
): { readonly [M in Metal]?: Float32Array } {
  const [width, height] = camera.detector.size
  const paths: { [M in Metal]?: Float32Array } = {}
  for (const instrument of instruments) {
    paths[instrument.metal] ??= new Float32Array(width * height)
    for (const solid of solidsOf(instrument))
      addChords(
        paths[instrument.metal] as Float32Array,
        camera.detector,
        instrument.frame === 'camera' ? solid : inCamera(solid, camera)
      )
  }
  return paths
}

function inCamera(s: Solid, { cameraFromLps }: Camera): Solid {
  const point = (p: Vec3) => applyRigid(cameraFromLps, p)
  if (s.shape === 'cylinder') return { ...s, from: point(s.from), to: point(s.to) }
  const turn = (v: Vec3) => mulMat3Vec3(rotationOf(cameraFromLps), v)
  return { ...s, centre: point(s.centre), axes: [turn(s.axes[0]), turn(s.axes[1]), turn(s.axes[2])] }
}

/** Where the patient is between source and detector, as a share of the way. */
const PATIENT = 0.58

/** Instruments somewhere in the field, at the patient's depth, in camera coordinates. */
export function randomInstruments(count: number, detector: Detector, random: Random): Instrument[] {
  return Array.from({ length: count }, (): Instrument => {
    const kind = INSTRUMENTS[random.integer(INSTRUMENTS.length)]
    const z = detector.sdd * (PATIENT + random.uniform(-0.06, 0.06))
    const halfWidth = (detector.size[0] * detector.pixel[0] * z) / detector.sdd / 2
    const halfHeight = (detector.size[1] * detector.pixel[1] * z) / detector.sdd / 2
    const middle: Vec3 = [random.uniform(-0.8, 0.8) * halfWidth, random.uniform(-0.8, 0.8) * halfHeight, z]
    const angle = random.uniform(0, 2 * Math.PI)
    const tilt = random.uniform(-0.7, 0.7)
    const axis: Vec3 = [Math.cos(angle) * Math.cos(tilt), Math.sin(angle) * Math.cos(tilt), Math.sin(tilt)]
    const size = {
      wire: { length: random.uniform(120, 280), diameterMm: random.uniform(1.6, 2.8), metal: 'iron' },
      rod: { length: random.uniform(40, 140), diameterMm: random.uniform(5, 6.5), metal: 'titanium' },
      screw: { length: random.uniform(30, 100), diameterMm: random.uniform(4.5, 8), metal: 'titanium' },
      retractor: { length: random.uniform(100, 180), diameterMm: random.uniform(15, 35), metal: 'iron' }
    }[kind] as { length: number; diameterMm: number; metal: Metal }
    // A retractor comes in from outside the field: its blade's end is at the drawn point.
    const outwards = dot(axis, middle) < dot(axis, [0, 0, z]) ? scale(axis, -1) : axis
    const from = kind === 'retractor' ? middle : sub(middle, scale(axis, size.length / 2))
    const to =
      kind === 'retractor'
        ? add(middle, scale(outwards, size.length))
        : add(middle, scale(axis, size.length / 2))
    return { kind, frame: 'camera', from, to, diameterMm: size.diameterMm, metal: size.metal }
  })
}

/**
 * Reads instruments from parsed JSON: `[{"kind": "screw", "frame": "lps", "from": [x, y, z], "to": [x, y, z], "diameterMm": 7, "metal":
 * "titanium"}]`; `frame` is "lps" and `metal` "titanium" unless given.
 * @throws ArgumentError naming the one that is none
 */
export function instrumentsFromJson(json: unknown): Instrument[] {
  const hint =
    'Give a list of {"kind": wire, rod, screw or retractor, "from": [x, y, z], "to": [x, y, z], "diameterMm": 2.5}, points in mm.'
  if (!Array.isArray(json)) throw new ArgumentError('The instruments are not a list', hint)
  return json.map((item: Record<string, unknown> | null, n) => {
    const { kind, frame = 'lps', from, to, diameterMm, metal = 'titanium' } = item ?? {}
    const point = (p: unknown) => Array.isArray(p) && p.length === 3 && p.every(x => Number.isFinite(x))
    const valid =
      INSTRUMENTS.some(k => k === kind) &&
      (frame === 'lps' || frame === 'camera') &&
      (metal === 'titanium' || metal === 'iron') &&
      point(from) &&
      point(to) &&
      typeof diameterMm === 'number'
    if (!valid) throw new ArgumentError(`Instrument ${n + 1} is not one: ${JSON.stringify(item)}`, hint)
    const instrument = { kind, frame, from, to, diameterMm, metal } as Instrument
    solidsOf(instrument)
    return instrument
  })
}
