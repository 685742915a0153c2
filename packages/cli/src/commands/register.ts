import { ArgumentError, DEGREE } from '@raypose/core'
import type { Normalisation, RelativeSource, SimilarityName, TubeSide, XrayReading } from '@raypose/pipeline'
import type { Command } from 'commander'
import { oneOf, wholeNumber } from '../arguments.js'
import { chances, expectedError } from '../report/assessment-words.js'
import { duration, fixed, millimetres } from '../report/format.js'
import { poseInWords } from '../report/pose-words.js'
import { type CommandContext, type CommonOptions, runCommand, withCommonOptions } from '../run-command.js'
import { type CommandResult, EXIT } from '../terminal/output.js'
import { textList } from '../terminal/table.js'
import { type RegisteredXray, registerToFolder } from '../work/register.js'

interface RegisterCommandOptions extends CommonOptions {
  readonly patient: string
  readonly xray: readonly string[]
  readonly geometry?: readonly string[]
  readonly relative?: RelativeSource
  readonly out: string
  readonly similarity?: SimilarityName
  readonly intensity?: 'linear' | 'log'
  readonly bright?: 'attenuation' | 'exposure'
  readonly orientation?: Pick<XrayReading, 'rotation' | 'mirrored'>
  readonly tube?: TubeSide
  readonly evenIfUnlikely?: boolean
  readonly frame?: number
  readonly threads?: number
}

export function addRegisterCommand(program: Command): void {
  const command = program
    .command('register')
    .description('Phase 3: find the pose of an X-ray in the CT of a prepared patient.')
    .requiredOption('--patient <folder>', 'prepared patient, from raypose prepare')
    .requiredOption(
      '--xray <file>',
      'X-ray: DICOM; or .png, .nrrd, .mha with --geometry. Several times for several X-rays of the patient',
      listed
    )
    .requiredOption('--out <folder>', 'folder for result.json, overlays and report.html')
    .option(
      '--geometry <file>',
      'JSON with sddMm, pixelMm, size; goes before what a DICOM file says. Once for all X-rays, or once for each',
      listed
    )
    .option(
      '--relative <how>',
      'how several X-rays lie to one another: tracked (camera poses of their geometries), angles (of the C-arm, roughly) or unknown (default: what the files say)',
      oneOf('--relative', ['tracked', 'angles', 'unknown'] as const)
    )
    .option(
      '--similarity <name>',
      'ncc, lncc (local) or gncc (gradients)',
      oneOf('--similarity', ['ncc', 'lncc', 'gncc'] as const)
    )
    .option(
      '--intensity <kind>',
      'linear (detector reading) or log (line integrals); where the file does not say, it is found',
      oneOf('--intensity', ['linear', 'log'] as const)
    )
    .option(
      '--bright <kind>',
      'what bright means: attenuation (bone) or exposure (air); where the file does not say, it is found',
      oneOf('--bright', ['attenuation', 'exposure'] as const)
    )
    .option(
      '--orientation <how>',
      'auto, or degrees that the picture is turned clockwise from head-up, with m if it is mirrored: 0, 90, 180m (default: auto)',
      orientation
    )
    .option(
      '--tube <side>',
      'where the X-ray tube stands: front, or behind the patient (beneath the table); found where left out',
      oneOf('--tube', ['front', 'behind'] as const)
    )
    .option('--even-if-unlikely', 'leave with exit code 0 although the pose is rejected')
    .option('--frame <n>', 'frame of a multi-frame image, from 0', wholeNumber('--frame', 0, '0'))
    .option('--threads <n>', 'threads of the network (default: 2)', wholeNumber('--threads', 1, '2'))
  withCommonOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  $ raypose register --patient patient/ --xray xray.dcm --out result/
  $ raypose register --patient patient/ --xray xray.png --geometry xray.json --similarity lncc --out result/
  $ raypose register --patient patient/ --xray ap.dcm --xray oblique.dcm --out result/

Exit code 3: the pose was rejected; why is in the report.`
    )
    .action((options: RegisterCommandOptions) => runCommand(options, context => register(options, context)))
}

async function register(
  o: RegisterCommandOptions,
  { signal, progress }: CommandContext
): Promise<CommandResult> {
  const done = await registerToFolder({
    patient: o.patient,
    xrays: o.xray,
    geometry: o.geometry,
    relative: o.relative,
    out: o.out,
    similarity: o.similarity,
    threads: o.threads,
    orientation: o.orientation,
    tube: o.tube,
    reading: {
      ...(o.intensity && { intensity: o.intensity }),
      ...(o.bright && { bright: o.bright }),
      ...(o.frame !== undefined && { frame: o.frame })
    },
    signal,
    onProgress: progress
  })
  const rejected = done.some(d => d.result.status === 'rejected')
  return {
    text: done.map(resultText).join('\n\n'),
    json:
      done.length === 1
        ? { ...done[0].result, out: o.out, report: done[0].report }
        : {
            format: 'raypose-registration-set',
            out: o.out,
            views: done.map(d => ({ ...d.result, report: d.report }))
          },
    exitCode: rejected && !o.evenIfUnlikely ? EXIT.rejected : 0
  }
}

/** Options that can be given several times. */
const listed = (value: string, before: readonly string[] = []): readonly string[] => [...before, value]

function resultText({ result: r, report }: RegisteredXray): string {
  const { view: v, similarity: s, timingsSeconds: t, assessment: a } = r
  return [
    `${r.inputs.xray.file}: ${r.status.toUpperCase()}; see ${report}.`,
    ...a.reasons,
    '',
    textList([
      ['Status', `${r.status}, ${chances(a)}`],
      ['Expected error', expectedError(a)],
      ['α, β, γ', `${[v.alphaDeg, v.betaDeg, v.gammaDeg].map(x => `${fixed(x, 2)}°`).join(', ')}`],
      ['Offset L, P, S', `${v.translationMm.map(x => fixed(x, 1)).join(', ')} mm`],
      [
        'Landmarks used',
        `${r.landmarks.filter(l => l.inlier).length} of ${r.landmarks.length}, reprojection ${millimetres(r.reprojectionRmsMm)} RMS`
      ],
      ['Initial pose', `${r.initialConfidence.word}: ${r.initialConfidence.reason}`],
      ['Picture', pictureInWords(r.normalisation)],
      [
        s.name.toUpperCase(),
        `${fixed(s.before, 4)} before, ${fixed(s.after, 4)} after ${r.evaluations} evaluations`
      ],
      [
        'Time',
        `${duration(t.total)} (landmarks ${duration(t.detect + t.initialPose)}, refinement ${duration(t.refine)})`
      ]
    ]),
    r.status === 'rejected' ? 'The pose is not to be used.' : poseInWords(v),
    ...r.notes.map(n => `Note: ${n}`)
  ].join('\n')
}

/** How the picture was taken, in a line. */
function pictureInWords(n: Normalisation): string {
  const found = (key: keyof Normalisation['settled']) => (n.settled[key] === 'found' ? ' (found)' : '')
  return [
    `${n.intensity === 'log' ? 'line integrals' : 'detector readings'}${found('intensity')}`,
    `bright is ${n.bright}${found('bright')}`,
    `${n.mirrored ? 'mirrored' : 'not mirrored'}${found('mirrored')}`,
    `tube ${n.tube === 'front' ? 'in front' : 'behind'}${found('tube')}`,
    `head ${fixed(n.rotationDeg, 0)}° from the top`,
    `${fixed(100 * n.fieldShare, 0)} % exposed`
  ].join(', ')
}

/** `auto`, `90`, `-30m`. @throws ArgumentError for anything else */
export function orientation(text: string): Pick<XrayReading, 'rotation' | 'mirrored'> | undefined {
  if (text === 'auto') return undefined
  const match = /^(-?\d+(?:\.\d+)?)(m?)$/.exec(text)
  if (!match || Math.abs(Number(match[1])) > 360)
    throw new ArgumentError(
      `--orientation cannot be "${text}"`,
      'Give auto, or degrees clockwise from head-up, with m for a mirrored picture: --orientation 90, --orientation 0m.'
    )
  return { rotation: Number(match[1]) * DEGREE, mirrored: match[2] === 'm' }
}
