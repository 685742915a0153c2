import { ArgumentError } from '../errors.js'
import { MOST_FEMUR_DEGREES } from '../hips/femur-turn.js'
import { COLLIMATIONS } from './collimation.js'

/** Everything that can be set about a simulated X-ray; {@link XRAY_SETTINGS} says what each is and its range. */
export interface XraySettings {
  readonly beam: 'polychromatic' | 'monoenergetic'
  readonly energyKev: number
  readonly kvp: number
  readonly aluminiumMm: number
  readonly copperMm: number
  readonly anodeDegrees: number
  readonly csiMm: number
  readonly heel: number
  readonly heelDirectionDegrees: number
  readonly scatter: number
  readonly scatterMm: number
  readonly scatterVariation: number
  readonly instruments: number
  readonly femursDeg: number
  readonly collimation: (typeof COLLIMATIONS)[number]
  readonly fieldWidth: number
  readonly fieldHeight: number
  readonly fieldTurnDegrees: number
  readonly collimatorLeak: number
  readonly blurMm: number
  readonly exposure: 'fixed' | 'automatic'
  readonly photons: number
  readonly electronicNoise: number
  readonly scale: 'log' | 'linear'
  readonly bright: 'attenuation' | 'exposure'
  readonly windowLow: number
  readonly windowHigh: number
  readonly contrast: number
  readonly gamma: number
  readonly bits: number
  readonly marker: boolean
}

export type XraySettingRule =
  | {
      readonly kind: 'number'
      readonly low: number
      readonly high: number
      readonly whole?: boolean
      readonly what: string
    }
  | { readonly kind: 'choice'; readonly choices: readonly string[]; readonly what: string }
  | { readonly kind: 'flag'; readonly what: string }

const number = (low: number, high: number, what: string): XraySettingRule => ({
  kind: 'number',
  low,
  high,
  what
})
const whole = (low: number, high: number, what: string): XraySettingRule => ({
  kind: 'number',
  low,
  high,
  whole: true,
  what
})
const choice = (choices: readonly string[], what: string): XraySettingRule => ({
  kind: 'choice',
  choices,
  what
})

/** What each setting means, and what it can be. */
export const XRAY_SETTINGS: { readonly [K in keyof XraySettings]: XraySettingRule } = {
  beam: choice(['polychromatic', 'monoenergetic'], 'tungsten spectrum, or one energy'),
  energyKev: number(15, 150, 'photon energy of a monoenergetic beam, keV'),
  kvp: number(40, 150, 'tube voltage, kV'),
  aluminiumMm: number(0.5, 50, 'aluminium filter, mm'),
  copperMm: number(0, 5, 'copper filter, mm'),
  anodeDegrees: number(5, 30, 'angle of the anode, degrees'),
  csiMm: number(0.05, 5, 'caesium iodide of the detector, mm'),
  heel: number(0, 2, 'heel effect: 0 none, 1 as uncorrected'),
  heelDirectionDegrees: number(
    -360,
    360,
    'direction of the cathode in the image, degrees from +column to +row'
  ),
  scatter: number(0, 5, 'scattered over primary signal behind the patient'),
  scatterMm: number(1, 500, 'standard deviation of the scatter kernel, mm'),
  scatterVariation: number(0, 0.5, 'slow variation of the scatter field'),
  instruments: whole(0, 50, 'metal instruments drawn from the seed'),
  femursDeg: number(
    0,
    MOST_FEMUR_DEGREES,
    'femurs turned in their sockets about each axis by up to so many degrees, where the landmarks of the CT are known (see movableFemurs)'
  ),
  collimation: choice(COLLIMATIONS, 'shape of the open field'),
  fieldWidth: number(
    0.05,
    2,
    'width of the open field, share of the image; diameter of a circle, of its shorter side'
  ),
  fieldHeight: number(0.05, 2, 'height of the open field, share of the image'),
  fieldTurnDegrees: number(-180, 180, 'rotation of a rectangular field, degrees'),
  collimatorLeak: number(0, 1, 'share of the beam that the blades let through'),
  blurMm: number(0, 20, 'standard deviation of the detector blur, mm'),
  exposure: choice(
    ['fixed', 'automatic'],
    'photons are counted in the open beam, or, as automatic exposure does, behind the patient'
  ),
  photons: number(
    0,
    Number.POSITIVE_INFINITY,
    'photons a pixel: in the open beam, or the median behind the patient; Infinity: no noise'
  ),
  electronicNoise: number(0, 1e6, 'standard deviation of the electronic noise, photons'),
  scale: choice(['log', 'linear'], 'grey values go with line integrals, or with the reading'),
  bright: choice(['attenuation', 'exposure'], 'what is bright: bone, or what passes'),
  windowLow: number(0, 100, 'percentile of the open field that becomes the lowest value'),
  windowHigh: number(0, 100, 'percentile that becomes the highest'),
  contrast: number(0.1, 10, 'stretch about the middle grey'),
  gamma: number(0.1, 10, 'exponent of the grey curve'),
  bits: whole(8, 16, 'bits a pixel'),
  marker: { kind: 'flag', what: 'a block with a letter burnt in' }
}

/**
 * Checks settings before any work.
 * @throws ArgumentError naming the setting that is unknown, missing or out of range
 */
export function assertXraySettings(settings: XraySettings): void {
  for (const key of Object.keys(settings)) ruleOf(key)
  for (const [key, rule] of Object.entries(XRAY_SETTINGS)) {
    const value = settings[key as keyof XraySettings]
    if (!fits(rule, value))
      throw new ArgumentError(`${key} cannot be ${String(value)}`, `${key} is ${describeSetting(rule)}.`)
  }
  if (!(settings.photons > 0))
    throw new ArgumentError(
      `A dose of ${settings.photons} photons a pixel is not positive`,
      'Give a positive number of photons, or Infinity.'
    )
  if (!(settings.windowHigh > settings.windowLow))
    throw new ArgumentError(
      `The window from the ${settings.windowLow}th to the ${settings.windowHigh}th percentile is empty`,
      'Give windowHigh above windowLow.'
    )
}

/**
 * Settings with some changed by text, as on a command line: `scatter=0.3`.
 * @throws ArgumentError naming the setting
 */
export function changeXraySettings(settings: XraySettings, changes: readonly string[]): XraySettings {
  const changed: Record<string, unknown> = { ...settings }
  for (const change of changes) {
    const [key, text, ...more] = change.split('=')
    if (text === undefined || more.length > 0)
      throw new ArgumentError(
        `"${change}" does not set anything`,
        'Write key=value, for example scatter=0.3.'
      )
    const rule = ruleOf(key.trim())
    changed[key.trim()] = parse(rule, text.trim())
  }
  const result = changed as unknown as XraySettings
  assertXraySettings(result)
  return result
}

function ruleOf(key: string): XraySettingRule {
  const rule = Object.hasOwn(XRAY_SETTINGS, key) ? XRAY_SETTINGS[key as keyof XraySettings] : undefined
  if (!rule)
    throw new ArgumentError(
      `There is no setting "${key}"`,
      `Settings are ${Object.keys(XRAY_SETTINGS).join(', ')}.`
    )
  return rule
}

function parse(rule: XraySettingRule, text: string): unknown {
  if (rule.kind === 'number')
    return text === '' ? Number.NaN : Number(text.replace(/^inf(inity)?$/i, 'Infinity'))
  if (rule.kind === 'flag' && (text === 'true' || text === 'false')) return text === 'true'
  return text
}

function fits(rule: XraySettingRule, value: unknown): boolean {
  if (rule.kind === 'choice') return rule.choices.some(c => c === value)
  if (rule.kind === 'flag') return typeof value === 'boolean'
  return (
    typeof value === 'number' &&
    value >= rule.low &&
    value <= rule.high &&
    (!rule.whole || Number.isInteger(value))
  )
}

/** A setting's range and meaning, for people. */
export function describeSetting(rule: XraySettingRule): string {
  if (rule.kind === 'choice') return `${rule.choices.join(' | ')}: ${rule.what}`
  if (rule.kind === 'flag') return `true | false: ${rule.what}`
  return `${rule.low} … ${rule.high}${rule.whole ? ' (whole)' : ''}: ${rule.what}`
}
