import type { TubeSide, XrayReading } from '@raypose/pipeline'
import type { Command } from 'commander'
import { oneOf, positiveNumber, wholeNumber } from '../arguments.js'
import { fixed, millimetres, plural } from '../report/format.js'
import { type CommandContext, type CommonOptions, runCommand, withCommonOptions } from '../run-command.js'
import { type CommandResult, EXIT } from '../terminal/output.js'
import { textTable } from '../terminal/table.js'
import { type FrameJson, trackToFolder } from '../work/track.js'
import { orientation } from './register.js'

interface TrackCommandOptions extends CommonOptions {
  readonly patient: string
  readonly xray: string
  readonly geometry?: string
  readonly out: string
  readonly intensity?: 'linear' | 'log'
  readonly bright?: 'attenuation' | 'exposure'
  readonly orientation?: Pick<XrayReading, 'rotation' | 'mirrored'>
  readonly tube?: TubeSide
  readonly sdd?: number
  readonly from?: number
  readonly count?: number
  readonly threads?: number
}

export function addTrackCommand(program: Command): void {
  const command = program
    .command('track')
    .description('Follow a prepared patient through the frames of a fluoroscopy run (multi-frame DICOM).')
    .requiredOption('--patient <folder>', 'prepared patient, from raypose prepare')
    .requiredOption('--xray <file>', 'multi-frame DICOM X-ray')
    .requiredOption('--out <folder>', 'folder for track.json and overlays')
    .option(
      '--geometry <file>',
      'JSON with sddMm, pixelMm, size; goes before what the file says, and may leave out what it does say'
    )
    .option(
      '--sdd <mm>',
      'distance from source to detector; goes before what the file and --geometry say',
      positiveNumber('--sdd', '1200')
    )
    .option(
      '--intensity <kind>',
      'linear or log, as for register',
      oneOf('--intensity', ['linear', 'log'] as const)
    )
    .option(
      '--bright <kind>',
      'attenuation or exposure, as for register',
      oneOf('--bright', ['attenuation', 'exposure'] as const)
    )
    .option('--orientation <how>', 'auto, or degrees clockwise from head-up, as for register', orientation)
    .option(
      '--tube <side>',
      'front or behind, as for register',
      oneOf('--tube', ['front', 'behind'] as const)
    )
    .option('--from <n>', 'first frame, from 0 (default: 0)', wholeNumber('--from', 0, '0'))
    .option('--count <n>', 'how many frames (default: all)', wholeNumber('--count', 1, '30'))
    .option('--threads <n>', 'threads of the network (default: 2)', wholeNumber('--threads', 1, '2'))
  withCommonOptions(command)
    .addHelpText(
      'after',
      `
Each frame begins at the pose of the frame before it; where that is lost, landmarks begin anew. Frames that are blank or damaged are
lost, with the reason. Where the work is stopped, track.json has the frames until then, and says why under "stopped".

Example:
  $ raypose track --patient patient/ --xray run.dcm --out track/

Exit code 3: no frame has a pose.`
    )
    .action((options: TrackCommandOptions) => runCommand(options, context => track(options, context)))
}

async function track(o: TrackCommandOptions, { signal, progress }: CommandContext): Promise<CommandResult> {
  const result = await trackToFolder({
    patient: o.patient,
    xray: o.xray,
    geometry: o.geometry,
    out: o.out,
    orientation: o.orientation,
    tube: o.tube,
    from: o.from,
    count: o.count,
    threads: o.threads,
    reading: {
      ...(o.intensity && { intensity: o.intensity }),
      ...(o.bright && { bright: o.bright }),
      ...(o.sdd !== undefined && { sdd: o.sdd })
    },
    signal,
    onProgress: progress
  })
  const { frames, framesPerSecond } = result
  const count = (how: FrameJson['how']) => frames.filter(f => f.how === how).length
  return {
    text: [
      `${plural(frames.length, 'frame')}: ${count('followed')} followed, ${count('initialised')} from landmarks, ${count('lost')} lost${framesPerSecond === null ? '' : `; ${fixed(framesPerSecond, 1)} frames a second`}.`,
      textTable(
        [
          { title: 'Frame', align: 'right' },
          { title: 'How' },
          { title: 'Status' },
          { title: 'Moved', align: 'right' },
          { title: 'Expected error', align: 'right' },
          { title: 'Seconds', align: 'right' }
        ],
        frames.map(f => [
          String(f.frame),
          f.how,
          f.status,
          f.movedMm === null ? '' : millimetres(f.movedMm, 1),
          f.expectedTreMm === null ? '' : millimetres(f.expectedTreMm, 2),
          fixed(f.seconds, 2)
        ])
      ),
      ...result.notes.map(n => `Note: ${n}`)
    ].join('\n'),
    json: { ...result, out: o.out },
    exitCode: frames.some(f => f.cameraFromLps) ? 0 : EXIT.rejected
  }
}
