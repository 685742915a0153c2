import {
  ArgumentError,
  centroid,
  createWasmRenderer,
  DEGREE,
  type Image,
  PAPER_DETECTOR,
  poseFromView,
  project,
  type Vec3,
  type Volume
} from '@raypose/core'
import {
  ensureWritableFolderOf,
  placeLandmarks,
  readCt,
  writeFileAtomic,
  writeJsonAtomic
} from '@raypose/pipeline'
import type { Command } from 'commander'
import { CT_HELP, vector, wholeNumber } from '../arguments.js'
import { fixed, millimetres } from '../report/format.js'
import { drawThumbnail, type ImagePoint } from '../report/overlay.js'
import { type CommandContext, type CommonOptions, runCommand, withCommonOptions } from '../run-command.js'
import type { CommandResult } from '../terminal/output.js'
import { textList } from '../terminal/table.js'

interface LandmarksOptions extends CommonOptions {
  readonly ct: string
  readonly anatomy: string
  readonly from: Vec3
  readonly to: Vec3
  readonly seed: readonly Vec3[]
  readonly not: readonly Vec3[]
  readonly threshold: number
  readonly count: number
  readonly out: string
  readonly picture?: string
}

const point =
  (flag: string) =>
  (text: string, before: readonly Vec3[] | undefined): readonly Vec3[] => [
    ...(before ?? []),
    vector(flag)(text)
  ]

export function addLandmarksCommand(program: Command): void {
  const command = program
    .command('landmarks')
    .description(
      'Place landmarks on a bone of a CT that nobody has marked, to teach a network another anatomy.'
    )
    .requiredOption('--ct <path>', CT_HELP)
    .requiredOption('--anatomy <name>', 'what the bone is called, as "fourth lumbar vertebra"')
    .requiredOption('--from <x,y,z>', 'one corner of a box around the bone, LPS mm', vector('--from'))
    .requiredOption('--to <x,y,z>', 'the opposite corner', vector('--to'))
    .requiredOption('--seed <x,y,z>', 'a point in the bone, LPS mm; again for more', point('--seed'))
    .option('--not <x,y,z>', 'a point in a bone that touches it; again for more', point('--not'), [])
    .option('--threshold <HU>', 'voxels from here on are bone', wholeNumber('--threshold', 1, '200'), 200)
    .option('--count <n>', 'how many landmarks', wholeNumber('--count', 6, '16'), 16)
    .requiredOption('--out <file>', 'file to write: NAME.landmarks.json beside the CT NAME')
    .option('--picture <file.png>', 'also draw them, from the front and from the side')
  withCommonOptions(command)
    .addHelpText(
      'after',
      `
The bone is what lies in the box above the threshold and nearer to a seed than to a point given by --not, where thin
passages are far: bones that touch in a joint part there. Landmarks are points of its surface, far from each other, rather
at tips and edges than on faces, rather where X-rays show corners. Look at the picture before going on.
docs/anatomies.md goes from here to a network of one's own.

Example:
  $ raypose landmarks --ct ct/ --anatomy "fourth lumbar vertebra" --from=-60,0,1205 --to=65,125,1300 \\
      --seed=-12,35,1254 --not=-12,35,1288 --not=-12,52,1219 --threshold 130 --out ct.landmarks.json`
    )
    .action((options: LandmarksOptions) => runCommand(options, context => place(options, context)))
}

async function place(o: LandmarksOptions, { signal, progress }: CommandContext): Promise<CommandResult> {
  for (const [flag, file, ending] of [
    ['--out', o.out, '.landmarks.json'],
    ['--picture', o.picture, '.png']
  ] as const)
    if (file !== undefined && !file.endsWith(ending))
      throw new ArgumentError(
        `${flag} wants a file that ends in ${ending}, not "${file}"`,
        `As in ct${ending}.`
      )
  const ct = await readCt(o.ct, { signal, onProgress: progress })
  for (const file of [o.out, o.picture]) if (file !== undefined) await ensureWritableFolderOf(file)
  progress({ stage: 'Placing landmarks', fraction: 0 })
  const corner = (pick: (...x: number[]) => number) =>
    [0, 1, 2].map(k => pick(o.from[k], o.to[k])) as unknown as Vec3
  const placed = placeLandmarks(ct.volume, {
    box: { min: corner(Math.min), max: corner(Math.max) },
    threshold: o.threshold,
    seeds: o.seed,
    others: o.not,
    count: o.count
  })
  const points = placed.landmarks.map(l => l.point)
  const isocenter = centroid(points)
  const file = {
    anatomy: o.anatomy,
    landmarks: placed.landmarks.map((l, i) => ({ name: `point ${i + 1}`, ...l })),
    isocenter,
    made: { ct: ct.path, from: o.from, to: o.to, seeds: o.seed, not: o.not, threshold: o.threshold }
  }
  await writeJsonAtomic(o.out, file)
  if (o.picture !== undefined) await writeFileAtomic(o.picture, picture(ct.volume, points, isocenter))
  const { volumeMm3, surfacePoints, leastDistanceMm } = placed
  return {
    text: [
      `Wrote ${o.out}${o.picture === undefined ? '' : `; see ${o.picture}`}.`,
      textList([
        ['Bone', `${fixed(volumeMm3 / 1000, 1)} cm³, ${surfacePoints} points of its surface`],
        ['Landmarks', `${points.length}, at least ${millimetres(leastDistanceMm)} apart`],
        ['Isocentre', `${isocenter.map(x => fixed(x, 1)).join(', ')} mm`]
      ])
    ].join('\n'),
    json: { ...file, volumeMm3, surfacePoints, leastDistanceMm, out: o.out }
  }
}

/** DRRs from the front and at 60° beside each other, with the points. */
function picture(volume: Volume, points: readonly Vec3[], isocenter: Vec3): Uint8Array {
  const detector = PAPER_DETECTOR
  const [width, height] = detector.size
  const both: Image = { width: 2 * width, height, data: new Float32Array(2 * width * height) }
  const marks: ImagePoint[] = []
  const renderer = createWasmRenderer(volume)
  for (const [n, gamma] of [0, 60].entries()) {
    const view = { alpha: 0, beta: 0, gamma: gamma * DEGREE, translation: [0, 0, 0] as const }
    const camera = { detector, cameraFromLps: poseFromView(view, isocenter) }
    const { data } = renderer.render(camera)
    for (let y = 0; y < height; y++)
      both.data.set(data.subarray(y * width, (y + 1) * width), y * both.width + n * width)
    for (const p of points) {
      const { u, v } = project(camera, p)
      if (u >= 0 && u < width) marks.push({ u: u + n * width, v })
    }
  }
  renderer.dispose()
  return drawThumbnail(both, marks)
}
