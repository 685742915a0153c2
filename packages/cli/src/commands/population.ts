import { ArgumentError } from '@raypose/core'
import { writePng8 } from '@raypose/formats'
import {
  contactSheet,
  ensureWritableFolder,
  ensureWritableFolderOf,
  MIXTURE,
  type Mixture,
  type PopulateResult,
  parseMixture,
  populate,
  readPopulation,
  writeFileAtomic
} from '@raypose/pipeline'
import type { Command } from 'commander'
import { positiveNumber, wholeNumber } from '../arguments.js'
import { duration, millimetres, percentage } from '../report/format.js'
import { type CommandContext, type CommonOptions, runCommand, withCommonOptions } from '../run-command.js'
import type { CommandResult } from '../terminal/output.js'
import { textList } from '../terminal/table.js'

interface PopulationOptions extends CommonOptions {
  readonly atlas?: string
  readonly ct: readonly string[]
  readonly out: string
  readonly count: number
  readonly seed: number
  readonly leaveOut: readonly string[]
  readonly mixture: Mixture
  readonly sigma: number
  readonly bend?: number
  readonly spacing: number
  readonly model?: string
  readonly threads: number
  readonly sheet?: string
}

/** Rows of a contact sheet. */
const SHEET_ROWS = 6

export function addPopulationCommand(program: Command): void {
  const command = program
    .command('population')
    .description('Make annotated CTs to train a network on, from surfaces in correspondence and real CTs.')
    .option(
      '--atlas <folder>',
      'surfaces of several patients: atlas.json and its files (default: none; the CTs are bent at random)'
    )
    .option(
      '--ct <ct>',
      'a real CT to warp (DICOM folder or volume file); may be given several times',
      (path: string, before: readonly string[]) => [...before, path],
      [] as readonly string[]
    )
    .requiredOption('--out <folder>', 'folder for the annotated CTs')
    .requiredOption('--count <n>', 'how many', wholeNumber('--count', 1, '200'))
    .option('--seed <n>', 'seed of all random numbers', wholeNumber('--seed', 0, '1'), 1)
    .option(
      '--leave-out <names>',
      'patients of the atlas to know nothing of, with commas between',
      (text: string) =>
        text
          .split(',')
          .map(name => name.trim())
          .filter(Boolean),
      [] as readonly string[]
    )
    .option(
      '--mixture <shares>',
      `shares, as name=0 … 1 with commas between (default: ${Object.entries(MIXTURE)
        .map(([name, share]) => `${name}=${share}`)
        .join(',')})`,
      parseMixture,
      MIXTURE
    )
    .option(
      '--sigma <n>',
      'how far drawn shapes go from the mean, standard deviations of each mode',
      positiveNumber('--sigma', '2.5'),
      2.5
    )
    .option(
      '--bend <mm>',
      'bend every shape smoothly beyond the model by this standard deviation along each axis (default: not)',
      positiveNumber('--bend', '2')
    )
    .option(
      '--spacing <mm>',
      'voxel size; slices may come out thicker',
      positiveNumber('--spacing', '1.5'),
      1.5
    )
    .option(
      '--model <file>',
      'network that finds the landmarks of CTs without any (default: the shipped one)'
    )
    .option('--threads <n>', 'threads of the network', wholeNumber('--threads', 1, '2'), 2)
    .option(
      '--sheet <file.png>',
      `also write a contact sheet: the CTs given, and ${SHEET_ROWS} of those made`
    )
  // The defaults of --mixture are in its own words.
  for (const option of command.options)
    if (option.long === '--mixture') option.defaultValueDescription = 'see above'
  withCommonOptions(command)
    .addHelpText(
      'after',
      `
Shares: filled and warped say how often surfaces are filled with drawn bone and tissue, or a real CT is warped to
them; patients how often the shape is a patient's of the atlas, not a drawn one; fracture, hardware, osteophytes and
cut (a scan that ends within the anatomy, or sees it lopsided or in a circle) are chances.

Without --atlas, every --ct needs its landmarks beside it (CT.landmarks.json, as "raypose landmarks" writes), of any rigid
anatomy, and is bent at random: scaled, sheared and warped smoothly. Of the shares only cut counts then.

A CT is laid onto the atlas by its landmarks: those of CT.landmarks.json beside it, or what the network finds. Each
member is NAME.nrrd beside NAME.landmarks.json, which says what was drawn for it; population.json says what of.
Members that are there already are kept: a run that was stopped goes on when the same command is given again.
docs/population.md describes the formats, for surfaces and annotated CTs of your own, of any rigid anatomy.

Examples:
  $ raypose population --atlas atlas/ --out population/ --count 200
  $ raypose population --atlas atlas/ --ct ct/ --out population/ --count 200 --sheet population.png
  $ raypose population --ct ct/ --out vertebrae/ --count 24
  $ raypose population --atlas atlas/ --ct ct/ --out healthy/ --count 50 --mixture filled=0,fracture=0,hardware=0`
    )
    .action((options: PopulationOptions) => runCommand(options, context => make(options, context)))
}

async function make(o: PopulationOptions, { signal, progress }: CommandContext): Promise<CommandResult> {
  if (o.sheet !== undefined && !/\.png$/i.test(o.sheet))
    throw new ArgumentError(
      `--sheet wants a file that ends in .png, not "${o.sheet}"`,
      'For example: --sheet sheet.png'
    )
  await ensureWritableFolder(o.out)
  if (o.sheet !== undefined) await ensureWritableFolderOf(o.sheet)
  const result = await populate({
    atlas: o.atlas,
    cts: o.ct,
    out: o.out,
    count: o.count,
    seed: o.seed,
    leaveOut: o.leaveOut,
    mixture: o.mixture,
    modeLimit: o.sigma,
    bendMm: o.bend,
    spacing: o.spacing,
    model: o.model,
    threads: o.threads,
    signal,
    onProgress: progress
  })
  if (o.sheet !== undefined) {
    progress({ stage: 'Rendering the contact sheet', fraction: 0 })
    const made = (await readPopulation(o.out)).filter(m => result.members.includes(m.name))
    const rows = made.slice(0, SHEET_ROWS).map(({ ct, isocenter }) => ({ ct, isocenter }))
    const real = result.cts.filter(c => !c.mirrored).map(c => ({ ct: c.path, isocenter: c.isocenter }))
    const sheet = await contactSheet([...real, ...rows], () => signal.throwIfAborted())
    await writeFileAtomic(o.sheet, writePng8(sheet, { min: 0, max: 1 }))
  }
  return { text: text(result, o.sheet), json: result }
}

function text(r: PopulateResult, sheet: string | undefined): string {
  return [
    `${r.out} holds ${r.members.length} annotated CTs, ${r.made} of them made now.`,
    textList([
      [
        'Shapes',
        r.atlas
          ? `${r.atlas.patients.length} patients of the atlas, and draws from their model`
          : 'the CTs’ own, bent at random'
      ],
      ...r.cts.map(
        c =>
          [
            c.mirrored ? 'The same, mirrored' : 'CT',
            c.surface
              ? `${c.path}: atlas to bone median ${millimetres(c.surface.medianMm)}, 95 % within ${millimetres(c.surface.p95Mm)}, ${percentage(c.surface.seen, 1)} of it found`
              : c.path
          ] as const
      ),
      ...(r.atlas
        ? ([['Licence of the atlas', r.atlas.licence ?? 'not stated in atlas.json']] as const)
        : []),
      ...(sheet === undefined ? [] : ([['Contact sheet', sheet]] as const)),
      ['Time', duration(r.seconds)]
    ])
  ].join('\n')
}
