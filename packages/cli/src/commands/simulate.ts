import { extname } from 'node:path'
import {
  ArgumentError,
  type Camera,
  centredDetector,
  changeXraySettings,
  DEGREE,
  describeSetting,
  geometryToJson,
  gridCentre,
  type Instrument,
  instrumentsFromJson,
  poseFromView,
  renderMaterials,
  type SimulatedXray,
  simulateXray,
  VolumeError,
  XRAY_PRESETS,
  XRAY_SETTINGS,
  type XrayPreset
} from '@raypose/core'
import { writeDicomXray, writePng8, writePng16 } from '@raypose/formats'
import {
  ensureWritableFolderOf,
  readCt,
  readJson,
  VERSION,
  writeFileAtomic,
  writeJsonAtomic
} from '@raypose/pipeline'
import { type Command, Option } from 'commander'
import { oneOf, positiveNumber, wholeNumber } from '../arguments.js'
import { duration, fixed } from '../report/format.js'
import { type CommandContext, type CommonOptions, runCommand, withCommonOptions } from '../run-command.js'
import type { CommandResult } from '../terminal/output.js'
import { textList } from '../terminal/table.js'
import { withFemursMoved } from '../work/moved-femurs.js'
import { type CameraOptions, withCameraOptions } from './camera-options.js'

interface SimulateOptions extends CommonOptions, CameraOptions {
  readonly preset: XrayPreset
  readonly seed: number
  readonly set: readonly string[]
  readonly instruments?: string
  readonly femurs?: number
  readonly landmarks?: string
  readonly out: string
}

const PRESET_NAMES = Object.keys(XRAY_PRESETS) as XrayPreset[]
const FORMATS = ['.png', '.dcm'] as const
type Format = (typeof FORMATS)[number]

export function addSimulateCommand(program: Command): void {
  const command = withCameraOptions(
    program.command('simulate').description('Make a realistic X-ray image of a CT, as a C-arm would take it.')
  )
    .requiredOption(
      '--out <file>',
      'image to write: .dcm (DICOM XA) or .png; its geometry goes beside it as .json, what was done to it as .applied.json'
    )
    .option(
      '--preset <name>',
      `conditions to start from: ${PRESET_NAMES.join(', ')}`,
      oneOf('--preset', PRESET_NAMES),
      'c-arm'
    )
    .addOption(
      new Option('--set <key=value...>', 'change settings of the preset, listed below')
        .argParser((text: string, all: readonly string[]) => [...all, text])
        .default([], 'none')
    )
    .option(
      '--instruments <file>',
      'JSON list of metal instruments to place, mm in LPS (see docs/simulator.md)'
    )
    .option(
      '--femurs <degrees>',
      'turn the femurs about each axis by up to so much, drawn by the seed; needs --landmarks',
      positiveNumber('--femurs', '15')
    )
    .option('--landmarks <file>', 'JSON with the 23 landmarks of the pelvis in the CT: where its hips are')
    .option('--seed <n>', 'seed of all that is random', wholeNumber('--seed', 0, '1'), 1)
  withCommonOptions(command)
    .addHelpText(
      'after',
      `
Settings (--set key=value):
${textList(Object.entries(XRAY_SETTINGS).map(([key, rule]) => [`  ${key}`, describeSetting(rule)]))}

Examples:
  $ raypose simulate --ct ct/ --out xray.dcm
  $ raypose simulate --ct ct/ --view "0,0,30" --preset worst --seed 7 --out xray.png
  $ raypose simulate --ct ct.nrrd --preset worst --femurs 15 --landmarks ct.landmarks.json --out xray.png
  $ raypose simulate --ct ct/ --preset c-arm --set photons=2e4 scatter=0.4 collimation=circle --out xray.dcm`
    )
    .action((options: SimulateOptions) => runCommand(options, context => simulate(options, context)))
}

async function simulate(o: SimulateOptions, { signal, progress }: CommandContext): Promise<CommandResult> {
  const format = extname(o.out).toLowerCase() as Format
  if (!FORMATS.includes(format))
    throw new ArgumentError(`--out ${o.out} is neither a .dcm nor a .png file`, 'For example: --out xray.dcm')
  const settings = changeXraySettings(XRAY_PRESETS[o.preset], [
    ...o.set,
    ...(o.femurs === undefined ? [] : [`femursDeg=${o.femurs}`])
  ])
  const instruments = o.instruments === undefined ? [] : instrumentsFromJson(await readJson(o.instruments))
  const started = performance.now()
  const ct = await readCt(o.ct, { series: o.series, signal, onProgress: progress })
  await ensureWritableFolderOf(o.out)
  const read = performance.now()
  const femurs = await withFemursMoved(ct.volume, {
    degrees: settings.femursDeg,
    explicit: o.femurs !== undefined || o.set.some(s => s.startsWith('femursDeg')),
    landmarks: o.landmarks,
    seed: o.seed
  })
  const isocenter = o.isocenter ?? gridCentre(ct.volume)
  const view = { ...o.view, translation: o.translate }
  const camera: Camera = {
    detector: centredDetector(o.sdd, o.pixel, o.size),
    cameraFromLps: poseFromView(view, isocenter, o.sourceToIsocenter)
  }
  progress({ stage: 'Rendering', fraction: 0 })
  const [materials] = renderMaterials(femurs.volume, [camera])
  if (!Object.values(materials.layers).some(layer => layer.some(x => x > 0)))
    throw new VolumeError(
      'No ray of this view passes through the CT',
      `Bring the CT before the C-arm with --isocenter x,y,z: its centre is ${gridCentre(ct.volume)
        .map(c => c.toFixed(1))
        .join(',')}.`
    )
  progress({ stage: 'Simulating', fraction: 0.5 })
  const xray = simulateXray(materials, camera, settings, { seed: o.seed, instruments })
  const simulated = performance.now()
  const stem = o.out.slice(0, -format.length)
  const files = { image: o.out, geometry: `${stem}.json`, applied: `${stem}.applied.json` }
  const applied = {
    preset: o.preset,
    version: VERSION,
    ...xray.applied,
    intensity: xray.intensity,
    bright: xray.bright,
    femursDeg: femurs.degrees
  }
  await writeFileAtomic(files.image, encode(format, xray, camera, o.sourceToIsocenter))
  await writeJsonAtomic(files.geometry, geometryToJson(camera.detector, camera.cameraFromLps))
  await writeJsonAtomic(files.applied, applied)
  return {
    text: [
      `Wrote ${files.image}, its geometry ${files.geometry}, and what was done to it, ${files.applied}.`,
      textList([
        [
          'CT',
          `${ct.volume.size.join(' × ')} voxels of ${ct.volume.spacing.map(s => s.toFixed(2)).join(' × ')} mm (${ct.format})`
        ],
        ['Isocentre', `${isocenter.map(c => fixed(c, 1)).join(', ')} mm`],
        ['Conditions', `${o.preset}${o.set.length > 0 ? ` with ${o.set.join(', ')}` : ''}, seed ${o.seed}`],
        ['Beam', `${settings.beam}, mean ${fixed(xray.applied.meanKev, 1)} keV`],
        ['In the field', inTheField(xray.applied.instruments, xray.applied.opening !== null)],
        [
          'Grey values',
          `0 to ${2 ** xray.bits - 1}, ${xray.intensity === 'log' ? 'logarithmic' : 'linear'}, ${xray.bright === 'attenuation' ? 'bone bright' : 'bone dark'}`
        ],
        [
          'Time',
          `reading ${duration((read - started) / 1000)}, simulating ${duration((simulated - read) / 1000)}`
        ]
      ]),
      ...[...ct.notes, ...femurs.notes].map(n => `Note: ${n}`)
    ].join('\n'),
    json: {
      version: VERSION,
      out: files.image,
      geometryFile: files.geometry,
      appliedFile: files.applied,
      geometry: geometryToJson(camera.detector, camera.cameraFromLps),
      view: {
        alphaDeg: view.alpha / DEGREE,
        betaDeg: view.beta / DEGREE,
        gammaDeg: view.gamma / DEGREE,
        translationMm: view.translation
      },
      isocenterMm: isocenter,
      applied,
      ct: {
        path: ct.path,
        format: ct.format,
        size: ct.volume.size,
        spacingMm: ct.volume.spacing,
        series: ct.series
      },
      seconds: { read: (read - started) / 1000, simulate: (simulated - read) / 1000 },
      notes: [...ct.notes, ...femurs.notes]
    }
  }
}

/** A PNG has 8 bits where there are no more, else 16; 9 to 15 bits are spread over 16, so that viewers show them. */
function encode(format: Format, xray: SimulatedXray, camera: Camera, sourceToPatient: number): Uint8Array {
  const { image, bits, intensity, bright } = xray
  if (format === '.dcm')
    return writeDicomXray(
      image,
      { detector: camera.detector, sourceToPatient, cameraFromLps: camera.cameraFromLps, intensity, bright },
      { seriesDescription: 'Simulated X-ray' }
    )
  return bits === 8
    ? writePng8(image, { min: 0, max: 255 })
    : writePng16(image, { min: 0, max: 2 ** bits - 1 })
}

function inTheField(instruments: readonly Instrument[], collimated: boolean): string {
  const names = instruments.map(i => i.kind)
  const parts = [...(collimated ? ['collimator'] : []), ...names]
  return parts.length > 0 ? parts.join(', ') : 'the patient only'
}
