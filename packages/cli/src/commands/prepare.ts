import type { Vec2, Vec3 } from '@raypose/core'
import {
  orientationInWords,
  PREPARE_RECIPES,
  PROFILES,
  type PrepareRecipeName,
  type ProfileName,
  readCt,
  readModel,
  VERSION
} from '@raypose/pipeline'
import type { Command } from 'commander'
import { CT_HELP, oneOf, positiveNumber, range, share, vector, wholeNumber } from '../arguments.js'
import { duration, fixed, millimetres } from '../report/format.js'
import { type CommandContext, type CommonOptions, runCommand, withCommonOptions } from '../run-command.js'
import type { CommandResult } from '../terminal/output.js'
import { textList } from '../terminal/table.js'
import { prepareToFolder } from '../work/prepare.js'

interface PrepareCommandOptions extends CommonOptions {
  readonly ct: string
  readonly out: string
  readonly model?: string
  readonly profile: ProfileName
  readonly recipe: PrepareRecipeName
  readonly series?: string
  readonly isocenter?: Vec3
  readonly tau?: number
  readonly boneWindow?: Vec2
  readonly backProjection?: 'median' | 'robust'
  readonly sampling?: 'continuous' | 'grid'
  readonly adverse?: number
  readonly steps?: number
  readonly minutes?: number
  readonly seed?: number
  readonly threads?: number
}

const PROFILE_NAMES = Object.keys(PROFILES) as ProfileName[]
const RECIPE_NAMES = Object.keys(PREPARE_RECIPES) as PrepareRecipeName[]

export function addPrepareCommand(program: Command): void {
  const command = program
    .command('prepare')
    .description('Phase 2: prepare a patient from a CT: landmarks in 3D, and a network of its own.')
    .requiredOption('--ct <path>', CT_HELP)
    .requiredOption('--out <folder>', 'folder for the prepared patient')
    .option('--model <file>', 'general network to start from (default: the one that comes with Raypose)')
    .option(
      '--profile <name>',
      `how much time to take: ${PROFILE_NAMES.join(' or ')}`,
      oneOf('--profile', PROFILE_NAMES),
      'quick'
    )
    .option(
      '--recipe <name>',
      `how to go about it: ${RECIPE_NAMES.join(' (the best by our figures) or ')} (the paper in every step)`,
      oneOf('--recipe', RECIPE_NAMES),
      'raypose'
    )
    .option(
      '--series <uid>',
      'DICOM series to take, by the end of its UID (UID#2 where several reconstructions share one)'
    )
    .option(
      '--isocenter <x,y,z>',
      'middle of the anatomy, mm in the coordinates of the CT (default: it is found)',
      vector('--isocenter')
    )
    .option(
      '--tau <mm>',
      'rays that pass further apart are not paired (default: 6, the paper)',
      positiveNumber('--tau', '6')
    )
    .option(
      '--bone-window <low,high>',
      'Hounsfield units of bone (default: from 200 up; the paper: 200,500)',
      range('--bone-window', 'two numbers, the lower first', '200,500')
    )
    .option(
      '--back-projection <method>',
      'robust (default) or median (the paper)',
      oneOf('--back-projection', ['median', 'robust'] as const)
    )
    .option(
      '--sampling <method>',
      'poses to retrain on: continuous (default) or grid (the 3,456 of the paper)',
      oneOf('--sampling', ['continuous', 'grid'] as const)
    )
    .option(
      '--adverse <share>',
      'share of the retraining images with few photons, metal and a collimated field (default: 0.15; paper: 0)',
      share('--adverse', '0.15')
    )
    .option(
      '--steps <n>',
      'retraining steps, instead of those of the profile',
      wholeNumber('--steps', 1, '1000')
    )
    .option(
      '--minutes <n>',
      'end retraining after this time, instead of that of the profile',
      positiveNumber('--minutes', '5')
    )
    .option('--seed <n>', 'seed of all random numbers (default: 1)', wholeNumber('--seed', 0, '1'))
    .option('--threads <n>', 'threads of the training step (default: 2)', wholeNumber('--threads', 1, '2'))
  withCommonOptions(command)
    .addHelpText(
      'after',
      `
The CT may show more than the anatomy that the network knows (the pelvis, unless --model says otherwise), with slices of 1 to
5 mm, and its patient may lie any way: the anatomy is found.
A preparation that was stopped goes on where it was when the same command is given again.
report.html in the folder shows the landmarks for checking, and what was made of the CT.

Examples:
  $ raypose prepare --ct ct/ --out patient/
  $ raypose prepare --ct ct.nii.gz --profile full --back-projection robust --out patient/`
    )
    .action((options: PrepareCommandOptions) => runCommand(options, context => prepare(options, context)))
}

async function prepare(
  o: PrepareCommandOptions,
  { signal, progress }: CommandContext
): Promise<CommandResult> {
  const started = performance.now()
  const network = await readModel(o.model)
  const ct = await readCt(o.ct, { series: o.series, signal, onProgress: progress })
  const { patient, report } = await prepareToFolder(ct.volume, network, {
    out: o.out,
    profile: o.profile,
    recipe: o.recipe,
    isocenter: o.isocenter,
    boneWindow: o.boneWindow && { low: o.boneWindow[0], high: o.boneWindow[1] },
    backProjection: {
      ...(o.tau === undefined ? {} : { tauMm: o.tau }),
      ...(o.backProjection === undefined ? {} : { method: o.backProjection })
    },
    sampling: o.sampling,
    adverse: o.adverse,
    steps: o.steps,
    maxSeconds: o.minutes === undefined ? undefined : 60 * o.minutes,
    seed: o.seed,
    threads: o.threads,
    source: { path: ct.path, format: ct.format, series: ct.series },
    signal,
    onProgress: progress
  })
  const seconds = (performance.now() - started) / 1000
  const { manifest } = patient
  const placed = (source: string) => manifest.landmarks.filter(l => l.source === source).length
  const [found, extra] = [placed('rays'), placed('surface')]
  const { medianMm, meanMm } = (manifest.validation.after ?? {}) as { medianMm?: number; meanMm?: number }
  return {
    text: [
      `Wrote the patient ${o.out}; see ${report}.`,
      textList([
        ['Isocentre', `${manifest.isocenter.map(c => fixed(c, 1)).join(', ')} mm`],
        ['Orientation', orientationInWords(manifest.lpsFromCt)],
        [
          'Landmarks',
          `${found} of ${manifest.landmarks.length - extra} from rays, the rest from the shape prior`
        ],
        ...(extra > 0 ? [['Distinct points of the surface besides', `${extra}`] as [string, string]] : []),
        ['Network', `median error ${millimetres(medianMm)}, mean ${millimetres(meanMm)} on validation views`],
        ['Time', duration(seconds)]
      ]),
      ...[...ct.notes, ...manifest.notes].map(n => `Note: ${n}`)
    ].join('\n'),
    json: {
      version: VERSION,
      patient: o.out,
      patientSha256: patient.sha256,
      report,
      isocenterMm: manifest.isocenter,
      lpsFromCt: manifest.lpsFromCt,
      landmarks: manifest.landmarks,
      validation: manifest.validation,
      seconds,
      notes: [...ct.notes, ...manifest.notes]
    }
  }
}
