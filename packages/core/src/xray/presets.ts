import type { XraySettings } from './settings.js'

/** A noiseless beam of one energy on a perfect detector, shown as line integrals: a DRR. */
const IDEAL: XraySettings = {
  beam: 'monoenergetic',
  energyKev: 70,
  kvp: 120,
  aluminiumMm: 4.3,
  copperMm: 0,
  anodeDegrees: 12,
  csiMm: 0.5,
  heel: 0,
  heelDirectionDegrees: 90,
  scatter: 0,
  scatterMm: 25,
  scatterVariation: 0.15,
  instruments: 0,
  femursDeg: 0,
  collimation: 'none',
  fieldWidth: 0.9,
  fieldHeight: 0.9,
  fieldTurnDegrees: 0,
  collimatorLeak: 0.005,
  blurMm: 0,
  exposure: 'fixed',
  photons: Number.POSITIVE_INFINITY,
  electronicNoise: 0,
  scale: 'log',
  bright: 'attenuation',
  windowLow: 0,
  windowHigh: 100,
  contrast: 1,
  gamma: 1,
  bits: 16,
  marker: false
}

/** Named conditions: what a run states beside its figures. */
export const XRAY_PRESETS = {
  /** No noise at all. */
  ideal: IDEAL,
  /** As the paper evaluates: a plain synthetic X-ray of 120 kV, with the noise of a normal dose. */
  paper: { ...IDEAL, beam: 'polychromatic', photons: 5e5, electronicNoise: 10, blurMm: 0.3 },
  /** A C-arm in use, with automatic exposure: scatter, blur, heel effect and the photons of fluoroscopy; dark bone. */
  'c-arm': {
    ...IDEAL,
    beam: 'polychromatic',
    kvp: 90,
    aluminiumMm: 3.5,
    copperMm: 0.1,
    heel: 0.5,
    scatter: 0.25,
    blurMm: 0.8,
    exposure: 'automatic',
    photons: 1000,
    electronicNoise: 20,
    bright: 'exposure',
    windowLow: 4,
    windowHigh: 99.8,
    bits: 12
  },
  /** The same with a seventh of the photons. */
  'low-dose': {
    ...IDEAL,
    beam: 'polychromatic',
    kvp: 80,
    aluminiumMm: 3.5,
    copperMm: 0.1,
    heel: 0.5,
    scatter: 0.35,
    blurMm: 1,
    exposure: 'automatic',
    photons: 150,
    electronicNoise: 6,
    bright: 'exposure',
    windowLow: 4,
    windowHigh: 99.8,
    bits: 12
  },
  /** Everything at once: hardly any dose, instruments, femurs in another position, a collimated field, a marker, 8 bits. */
  worst: {
    ...IDEAL,
    beam: 'polychromatic',
    kvp: 75,
    aluminiumMm: 3,
    heel: 1,
    scatter: 0.4,
    instruments: 4,
    femursDeg: 15,
    collimation: 'random',
    blurMm: 1.2,
    exposure: 'automatic',
    photons: 80,
    electronicNoise: 6,
    bright: 'exposure',
    windowLow: 1,
    windowHigh: 99,
    contrast: 1.2,
    gamma: 0.8,
    bits: 8,
    marker: true
  }
} as const satisfies Record<string, XraySettings>

export type XrayPreset = keyof typeof XRAY_PRESETS
