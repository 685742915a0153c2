import { ArgumentError } from '../errors.js'
import { assertCamera, type Camera, centredDetector, PAPER_DETECTOR } from '../geometry/camera.js'
import { IDENTITY4 } from '../geometry/linear.js'
import type { Image } from '../image/image.js'
import { createRandom, type Random } from '../random/random.js'
import { ATTENUATION } from './attenuation-tables.js'
import { collimatorMask, collimatorOpening, insideOpening, type Opening } from './collimation.js'
import { burnMarker, displayReading, type Marker } from './display.js'
import { gaussianBlur } from './fields.js'
import { heelField } from './heel.js'
import { type Instrument, instrumentPaths, randomInstruments } from './instruments.js'
import { CT_KEV, type Metal, massAttenuation } from './materials.js'
import { countPhotons } from './noise.js'
import { type MaterialIntegrals, primarySignal } from './primary.js'
import { behindPatient, scatterField } from './scatter.js'
import { assertXraySettings, type XraySettings } from './settings.js'
import { meanEnergy, monoenergeticBeam, tungstenBeam } from './spectrum.js'

export { XRAY_PRESETS, type XrayPreset } from './presets.js'

/** What was done to make an image; with the settings and the seed it can be made again. Plain JSON. */
export interface XrayDescription {
  readonly seed: number
  /** As asked for; infinite photons are null, as JSON has no infinity. */
  readonly settings: Omit<XraySettings, 'photons'> & { readonly photons: number | null }
  /** Photons a pixel in the open beam; null without noise. */
  readonly openPhotons: number | null
  /** As the detector weighs it, keV. */
  readonly meanKev: number
  readonly instruments: readonly Instrument[]
  readonly opening: Opening | null
  readonly marker: Marker | null
  /** Line integrals (log) or shares of the open beam (linear) at the ends of the grey scale. */
  readonly window: readonly [number, number]
}

export interface SimulatedXray {
  /** Whole numbers 0 … 2^bits − 1. */
  readonly image: Image
  readonly bits: number
  readonly intensity: 'linear' | 'log'
  readonly bright: 'attenuation' | 'exposure'
  /** The detector's reading before any display, photons a pixel (shares of the open beam without noise). */
  readonly reading: Image
  readonly applied: XrayDescription
}

/** The stages that draw at random, each with a generator of its own, so that changing one leaves the others as they are. */
const STAGES = ['instruments', 'collimation', 'scatter', 'noise', 'marker'] as const
type Streams = { readonly [S in (typeof STAGES)[number]]: Random }

const streamsOf = (seed: number): Streams =>
  Object.fromEntries(
    STAGES.map((stage, i) => [stage, createRandom(Math.imul(seed, 0x9e3779b1) + i * 0x85ebca6b)])
  ) as Streams

/**
 * An X-ray as a C-arm would give it, from the materials on each ray: spectrum, instruments, heel effect, collimation, scatter,
 * blur, noise, display, in this order.
 * @param materials from {@link renderMaterials}, for this camera
 * @throws ArgumentError for settings out of range or an image of another size, GeometryError for a degenerate camera
 */
export function simulateXray(
  materials: MaterialIntegrals,
  camera: Camera,
  settings: XraySettings,
  options: { readonly seed?: number; readonly instruments?: readonly Instrument[] } = {}
): SimulatedXray {
  assertXraySettings(settings)
  assertCamera(camera)
  const { seed = 1 } = options
  const [width, height] = camera.detector.size
  if (!Number.isSafeInteger(seed)) throw new ArgumentError(`${seed} is not a seed`, 'Give a whole number.')
  if (materials.width !== width || materials.height !== height)
    throw new ArgumentError(
      `The materials were rendered for ${materials.width} × ${materials.height} pixels, the detector has ${width} × ${height}`,
      'Render them with the same camera.'
    )
  const streams = streamsOf(seed)
  const instruments = [
    ...(options.instruments ?? []),
    ...randomInstruments(settings.instruments, camera.detector, streams.instruments)
  ]
  const beam =
    settings.beam === 'monoenergetic'
      ? monoenergeticBeam(settings.energyKev)
      : tungstenBeam(settings, settings.csiMm)
  const layers = { ...materials.layers }
  for (const [metal, path] of Object.entries(instrumentPaths(instruments, camera)) as [
    Metal,
    Float32Array
  ][]) {
    const body = layers[metal]
    const perMm = ATTENUATION[metal].density / 10
    layers[metal] = path.map((mm, i) => mm * perMm + (body ? body[i] : 0))
  }
  const primary = primarySignal({ width, height, layers }, beam)
  const { reading, opening, open } = detect(primary, camera, settings, streams)
  const { image, window } = displayReading(reading, open, settings, opening && insideOpening(opening))
  const marker = settings.marker ? burnMarker(image, settings.bits, streams.marker) : null
  return {
    image,
    bits: settings.bits,
    intensity: settings.scale,
    bright: settings.bright,
    reading,
    applied: {
      seed,
      settings: { ...settings, photons: Number.isFinite(settings.photons) ? settings.photons : null },
      openPhotons: Number.isFinite(settings.photons) ? open : null,
      meanKev: meanEnergy(beam),
      instruments,
      opening,
      marker,
      window
    }
  }
}

/**
 * A detector reading from plain line integrals: the fast, monoenergetic way. Instruments, heel effect, collimation, scatter, blur
 * and noise as the settings say; spectrum and display are left out.
 * @param integrals dimensionless line integrals
 * @param pixelMm pixel size on the detector, mm
 * @param sdd source to detector, mm: for the heel effect and the size of instruments
 * @returns photons a pixel (relative to 1 where `photons` is infinite)
 * @throws ArgumentError for settings out of range
 */
export function simulateReading(
  integrals: Image,
  pixelMm: number,
  settings: XraySettings,
  random: Random,
  sdd = PAPER_DETECTOR.sdd
): Image {
  assertXraySettings(settings)
  const { width, height } = integrals
  const camera: Camera = {
    detector: centredDetector(sdd, [pixelMm, pixelMm], [width, height]),
    cameraFromLps: IDENTITY4
  }
  assertCamera(camera)
  const streams = streamsOf(random.integer(2 ** 31))
  const data = integrals.data.slice()
  const instruments = randomInstruments(settings.instruments, camera.detector, streams.instruments)
  for (const [metal, path] of Object.entries(instrumentPaths(instruments, camera)) as [
    Metal,
    Float32Array
  ][]) {
    const mu = (massAttenuation(metal, CT_KEV) * ATTENUATION[metal].density) / 10
    for (let i = 0; i < data.length; i++) data[i] += mu * path[i]
  }
  for (let i = 0; i < data.length; i++) data[i] = Math.exp(-data[i])
  return detect({ width, height, data }, camera, settings, streams).reading
}

/** From what the patient lets through of an open beam of 1 to photons counted. */
function detect(
  primary: Image,
  camera: Camera,
  settings: XraySettings,
  streams: Streams
): { reading: Image; opening: Opening | null; open: number } {
  const { width, height } = primary
  const { detector } = camera
  const pixelMm = Math.sqrt(detector.pixel[0] * detector.pixel[1])
  const opening = collimatorOpening(width, height, settings, streams.collimation)
  // What leaves the tube towards each pixel, before the patient.
  const incident = heelField(detector, settings) ?? new Float32Array(width * height).fill(1)
  if (opening) {
    const mask = collimatorMask(width, height, opening, settings.collimatorLeak)
    for (let i = 0; i < incident.length; i++) incident[i] *= mask[i]
  }
  const scatter = scatterField(primary, incident, pixelMm, settings, streams.scatter)
  const signal = primary.data.map((t, i) => t * incident[i] + (scatter ? scatter[i] : 0))
  const data = gaussianBlur(signal, width, height, settings.blurMm / pixelMm)
  const open = openPhotons(primary, incident, data, settings)
  if (Number.isFinite(settings.photons)) countPhotons(data, open, settings.electronicNoise, streams.noise)
  return { reading: { width, height, data }, opening, open }
}

/** Photons a pixel in the open beam; 1 where they are not counted. */
function openPhotons(
  primary: Image,
  incident: Float32Array,
  signal: Float32Array,
  { exposure, photons }: XraySettings
): number {
  if (!Number.isFinite(photons)) return 1
  if (exposure === 'fixed') return photons
  const behind = signal.filter((_, i) => behindPatient(primary.data[i], incident[i]))
  const metered = (behind.length > 0 ? behind : signal.slice()).sort()
  const median = metered[metered.length >> 1]
  // Where nothing arrives at all, no exposure helps.
  return photons / Math.max(median, FAINTEST)
}

/** Least share of the beam that automatic exposure makes up for: more than the heaviest patient leaves. */
const FAINTEST = 1e-6
