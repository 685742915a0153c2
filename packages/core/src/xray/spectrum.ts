import { ArgumentError } from '../errors.js'
import { ATTENUATION } from './attenuation-tables.js'
import { massAttenuation } from './materials.js'

/** Photons by energy; `weights` sum to 1 where it is a {@link Beam} as a detector sees it. */
export interface Spectrum {
  /** keV, middles of the bins. */
  readonly energies: readonly number[]
  readonly weights: readonly number[]
}

export interface TubeOptions {
  /** Tube voltage, constant, kV. */
  readonly kvp: number
  /** Between the anode's surface and the ray, degrees. */
  readonly anodeDegrees: number
  /** Filtration, mm. */
  readonly aluminiumMm: number
  readonly copperMm?: number
  /** Air on the way, mm. */
  readonly airMm?: number
  /** Width of an energy bin, keV (default 2). */
  readonly binKev?: number
}

/** No photon below it leaves a filtered tube, and the tungsten table begins there. */
const LOWEST = 13
const ELECTRON_REST = 510.999
const FINE_STRUCTURE = 7.2973526e-3
/** cm */
const ELECTRON_RADIUS = 2.8179403e-13
/** Z² · N_A / A of tungsten, 1/g. */
const SCATTERERS = (74 * 74 * 6.02214e23) / 183.84
const K_EDGE = 69.5
/** Energy (keV) and relative share of tungsten's K lines. */
const K_LINES = [
  [59.32, 0.45],
  [57.98, 0.2592],
  [67.2, 0.1521],
  [69.1, 0.0387]
] as const
/** Thomson–Whiddington constant by tube voltage, keV² cm²/g (Birch and Marshall, Phys Med Biol 24:505–517, 1979). */
const WHIDDINGTON = [
  [50, 5.4e5],
  [75, 6.25e5],
  [100, 7e5],
  [150, 8.4e5]
] as const

/** Gauss–Legendre nodes and weights on [−1, 1], eight points; used on panels. */
const NODES = [0.1834346424956498, 0.525532409916329, 0.7966664774136267, 0.9602898564975363]
const NODE_WEIGHTS = [0.362683783378362, 0.3137066458778873, 0.2223810344533745, 0.1012285362903763]

function integrate(f: (x: number) => number, from: number, to: number): number {
  const half = (to - from) / 2
  const middle = (to + from) / 2
  return (
    NODES.reduce((sum, x, i) => sum + NODE_WEIGHTS[i] * (f(middle - half * x) + f(middle + half * x)), 0) *
    half
  )
}

/**
 * Photons that leave a filtered tungsten tube, by the semi-empirical model of Tucker, Barnes and Chakraborty, "Semiempirical
 * model for generating tungsten target x-ray spectra", Med Phys 18:211–218 (1991), with their coefficients for tungsten:
 * bremsstrahlung of a thick target, slowed electrons by the Thomson–Whiddington law, absorption on the way out of the
 * anode, K lines. (Their A₀ and A₁ are per 1/1000; pure tungsten instead of the alloy with rhenium.)
 * @returns photons per electron and bin
 * @throws ArgumentError for a voltage, angle or thickness that no tube has
 */
export function tungstenSpectrum(tube: TubeOptions): Spectrum {
  const { kvp, anodeDegrees, aluminiumMm, copperMm = 0, airMm = 0, binKev = 2 } = tube
  inRange('tube voltage', kvp, 30, 150, 'kV')
  inRange('anode angle', anodeDegrees, 0.5, 45, 'degrees')
  inRange('bin', binKev, 0.1, 10, 'keV')
  for (const [name, mm] of [
    ['aluminium', aluminiumMm],
    ['copper', copperMm],
    ['air', airMm]
  ] as const)
    inRange(`thickness of ${name}`, mm, 0, 1e4, 'mm')
  const sine = Math.sin((anodeDegrees * Math.PI) / 180)
  const slowing = whiddington(kvp)
  const count = Math.max(1, Math.ceil((kvp - LOWEST) / binKev))
  const width = (kvp - LOWEST) / count
  const energies = Array.from({ length: count }, (_, i) => LOWEST + (i + 0.5) * width)
  const photons = energies.map(e => width * bremsstrahlung(e, kvp, slowing, sine))
  if (kvp > K_EDGE)
    for (const [e, share] of K_LINES) {
      const bin = Math.floor((e - LOWEST) / width)
      if (bin < count) photons[bin] += kLine(e, share, kvp, slowing, sine)
    }
  const filtered = photons.map((n, i) => {
    const e = energies[i]
    const thickness = (m: 'aluminium' | 'copper' | 'air', mm: number) =>
      (massAttenuation(m, e) * ATTENUATION[m].density * mm) / 10
    return (
      n *
      Math.exp(-thickness('aluminium', aluminiumMm) - thickness('copper', copperMm) - thickness('air', airMm))
    )
  })
  return { energies, weights: filtered }
}

/** Photons of energy e per electron and keV: their equations 6, 11, 16 and 18. */
function bremsstrahlung(e: number, kvp: number, slowing: number, sine: number): number {
  const absorption = massAttenuation('tungsten', e) / (slowing * sine)
  const perElectron = (t: number) => {
    const x = e / t
    const shape = 1 + x * (-5.049 + x * (10.847 + x * (-10.516 + x * 3.842)))
    const stopping = 2024.1 + 10361 * Math.exp(-0.04695 * t)
    return ((shape * (t + ELECTRON_REST)) / t / stopping) * Math.exp(-absorption * (kvp * kvp - t * t))
  }
  // Two panels: absorption makes the integrand steep near the full energy.
  const middle = kvp - (kvp - e) * 0.3
  const integral = integrate(perElectron, e, middle) + integrate(perElectron, middle, kvp)
  const factor = 1000 * FINE_STRUCTURE * ELECTRON_RADIUS ** 2 * SCATTERERS
  return (factor * (3.685e-2 + 2.9e-5 * kvp) * integral) / e
}

/** Photons of a K line per electron: their equation 22, made at depths up to where electrons fall below the K edge. */
function kLine(e: number, share: number, kvp: number, slowing: number, sine: number): number {
  const depth = (kvp * kvp - K_EDGE * K_EDGE) / slowing
  const lost = (massAttenuation('tungsten', e) * depth) / sine
  const integral = integrate(x => 1.5 * (1 - x * x) * Math.exp(-lost * x), 0, 1)
  return 1.349e-3 * (kvp / K_EDGE - 1) ** 1.648 * share * integral
}

function whiddington(kvp: number): number {
  const k = Math.max(
    1,
    WHIDDINGTON.findIndex(([v]) => v >= kvp)
  )
  const [v0, c0] = WHIDDINGTON[k - 1]
  const [v1, c1] = WHIDDINGTON[k]
  return c0 + ((c1 - c0) * (kvp - v0)) / (v1 - v0)
}

function inRange(name: string, value: number, low: number, high: number, unit: string): void {
  if (!(value >= low && value <= high))
    throw new ArgumentError(
      `A ${name} of ${value} ${unit} is out of range`,
      `Give ${low} to ${high} ${unit}.`
    )
}

/**
 * How much of the signal of an energy-integrating caesium iodide detector each energy gives: photons × energy × share
 * absorbed. Escaping fluorescence is left out.
 * @param csiMm thickness of solid caesium iodide, mm
 */
export function detectorSignal(spectrum: Spectrum, csiMm: number): number[] {
  const perMm = ATTENUATION.cesiumIodide.density / 10
  return spectrum.energies.map((e, i) => {
    const absorbed = 1 - Math.exp(-massAttenuation('cesiumIodide', e) * perMm * csiMm)
    return spectrum.weights[i] * e * absorbed
  })
}

/** What reaches a detector, weighted as it sees it; the weights sum to 1. */
export type Beam = Spectrum

export function tungstenBeam(tube: TubeOptions, csiMm: number): Beam {
  inRange('thickness of caesium iodide', csiMm, 0.01, 10, 'mm')
  const spectrum = tungstenSpectrum(tube)
  const signal = detectorSignal(spectrum, csiMm)
  const total = signal.reduce((a, b) => a + b, 0)
  return { energies: spectrum.energies, weights: signal.map(s => s / total) }
}

/** A beam of one energy, keV. */
export const monoenergeticBeam = (kev: number): Beam => ({ energies: [kev], weights: [1] })

/** Mean energy, keV. */
export function meanEnergy({ energies, weights }: Spectrum): number {
  const total = weights.reduce((a, b) => a + b, 0)
  return energies.reduce((sum, e, i) => sum + (e * weights[i]) / total, 0)
}
