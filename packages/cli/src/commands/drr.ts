import { extname } from 'node:path'
import {
  ArgumentError,
  asAsyncRenderer,
  type Camera,
  centredDetector,
  createReferenceRenderer,
  DEGREE,
  geometryToJson,
  gridCentre,
  type Image,
  imageRange,
  poseFromView,
  type Vec2,
  VolumeError
} from '@raypose/core'
import { writeNrrdImage, writePng16 } from '@raypose/formats'
import {
  createBestRenderer,
  ensureWritableFolderOf,
  readCt,
  VERSION,
  writeFileAtomic,
  writeJsonAtomic
} from '@raypose/pipeline'
import type { Command } from 'commander'
import { oneOf } from '../arguments.js'
import { duration, fixed } from '../report/format.js'
import { type CommandContext, type CommonOptions, runCommand, withCommonOptions } from '../run-command.js'
import type { CommandResult } from '../terminal/output.js'
import { textList } from '../terminal/table.js'
import { type CameraOptions, withCameraOptions } from './camera-options.js'

interface DrrOptions extends CommonOptions, CameraOptions {
  readonly backend: 'auto' | 'webgpu' | 'wasm' | 'reference'
  readonly interpolation?: 'trilinear' | 'nearest'
  readonly out: string
}

export function addDrrCommand(program: Command): void {
  const command = withCameraOptions(
    program.command('drr').description('Render a digitally reconstructed radiograph (DRR) of a CT.')
  )
    .requiredOption(
      '--out <file>',
      'picture to write: .png (16 bits) or .nrrd (line integrals); its geometry goes beside it as .json'
    )
    .option(
      '--backend <name>',
      'auto (WebGPU where there is a GPU, else wasm), webgpu, wasm, or reference (exact, slow)',
      oneOf('--backend', ['auto', 'webgpu', 'wasm', 'reference'] as const),
      'auto'
    )
    .option(
      '--interpolation <name>',
      'of --backend reference: trilinear (default), or nearest (voxels as boxes, as Siddon has them)',
      oneOf('--interpolation', ['trilinear', 'nearest'] as const)
    )
  withCommonOptions(command)
    .addHelpText(
      'after',
      `
At zero angles the source is in front of the patient: the usual AP picture, head up, the patient's left at its right.
In a PNG black is the smallest and white the largest line integral; --json states both as range.

Examples:
  $ raypose drr --ct ct/ --out ap.png
  $ raypose drr --ct pelvis.nii.gz --view "0,0,30" --translate 0,0,-20 --out oblique.nrrd
  $ raypose drr --ct ct/ --size 1024x1024 --pixel 0.3 --sdd 1000 --source-to-isocenter 650 --out large.png`
    )
    .action((options: DrrOptions) => runCommand(options, context => renderDrr(options, context)))
}

async function renderDrr(o: DrrOptions, { signal, progress }: CommandContext): Promise<CommandResult> {
  const format = extname(o.out).toLowerCase()
  if (format !== '.png' && format !== '.nrrd')
    throw new ArgumentError(`--out ${o.out} is neither a .png nor a .nrrd file`, 'For example: --out drr.png')
  if (o.interpolation !== undefined && o.backend !== 'reference')
    throw new ArgumentError(
      `--interpolation ${o.interpolation} needs the reference renderer; --backend is ${o.backend}`,
      'Add --backend reference, or leave out --interpolation: all other renderers are trilinear.'
    )
  const started = performance.now()
  const ct = await readCt(o.ct, { series: o.series, signal, onProgress: progress })
  await ensureWritableFolderOf(o.out)
  const read = performance.now()
  const isocenter = o.isocenter ?? gridCentre(ct.volume)
  const view = { ...o.view, translation: o.translate }
  const camera: Camera = {
    detector: centredDetector(o.sdd, o.pixel, o.size),
    cameraFromLps: poseFromView(view, isocenter, o.sourceToIsocenter)
  }
  progress({ stage: 'Rendering', fraction: 0 })
  const renderer =
    o.backend === 'reference'
      ? asAsyncRenderer(createReferenceRenderer(ct.volume, { interpolation: o.interpolation }))
      : await createBestRenderer(ct.volume, { backend: o.backend, workers: 1 })
  const prepared = performance.now()
  const image = await renderer.render(camera)
  const rendered = performance.now()
  const { backend, device } = renderer
  await renderer.dispose()
  progress({ stage: 'Rendering', fraction: 1 })
  const range = imageRange(image)
  if (!(range.max > 0))
    throw new VolumeError(
      'No ray of this view passes through the CT',
      `Bring the CT before the C-arm with --isocenter x,y,z: its centre is ${gridCentre(ct.volume)
        .map(c => c.toFixed(1))
        .join(',')}.`
    )
  const geometry = `${o.out.slice(0, -format.length)}.json`
  await writeFileAtomic(o.out, encode(format, image, range, o.pixel))
  await writeJsonAtomic(geometry, geometryToJson(camera.detector, camera.cameraFromLps))
  return {
    text: [
      `Wrote ${o.out} and its geometry, ${geometry}.`,
      textList([
        [
          'CT',
          `${ct.volume.size.join(' × ')} voxels of ${ct.volume.spacing.map(s => s.toFixed(2)).join(' × ')} mm (${ct.format})`
        ],
        ['Isocentre', `${isocenter.map(c => fixed(c, 1)).join(', ')} mm`],
        ['Renderer', `${backend}, ${device}`],
        ['Line integrals', `${fixed(range.min, 3)} to ${fixed(range.max, 3)}`],
        [
          'Time',
          `reading ${duration((read - started) / 1000)}, preparing ${duration((prepared - read) / 1000)}, rendering ${duration((rendered - prepared) / 1000)}`
        ]
      ]),
      ...ct.notes.map(n => `Note: ${n}`)
    ].join('\n'),
    json: {
      version: VERSION,
      out: o.out,
      geometryFile: geometry,
      geometry: geometryToJson(camera.detector, camera.cameraFromLps),
      view: {
        alphaDeg: view.alpha / DEGREE,
        betaDeg: view.beta / DEGREE,
        gammaDeg: view.gamma / DEGREE,
        translationMm: view.translation
      },
      isocenterMm: isocenter,
      range,
      backend,
      device,
      ct: {
        path: ct.path,
        format: ct.format,
        size: ct.volume.size,
        spacingMm: ct.volume.spacing,
        series: ct.series
      },
      seconds: {
        read: (read - started) / 1000,
        prepare: (prepared - read) / 1000,
        render: (rendered - prepared) / 1000
      },
      notes: ct.notes
    }
  }
}

/** A picture of one single value has no contrast to stretch. */
const encode = (
  format: '.png' | '.nrrd',
  image: Image,
  { min, max }: { readonly min: number; readonly max: number },
  pixel: Vec2
): Uint8Array =>
  format === '.png' ? writePng16(image, { min: min < max ? min : 0, max }) : writeNrrdImage(image, pixel)
