import { ArgumentError, XRAY_PRESETS, type XrayPreset } from '@raypose/core'
import { Command } from 'commander'
import { oneOf, wholeNumber } from '../arguments.js'
import { protocolText } from '../report/protocol-text.js'
import type { CommandContext } from '../run-command.js'
import type { CommandResult } from '../terminal/output.js'
import { exportToFolder, protocolToFolder } from '../work/protocol.js'

/** What `raypose evaluate` takes besides, once it is given a protocol. */
export interface ProtocolCommandOptions {
  readonly protocol?: string
  readonly patients?: string
  readonly prepared?: string
  readonly model?: string
  readonly profile?: 'quick' | 'full'
  readonly methods?: string
  readonly ablate?: string
  readonly captureRange?: boolean
  readonly import?: readonly string[]
  readonly export?: string
  readonly compare?: string
  readonly workers?: number
}

/** Options that go with `--protocol`. */
export const withProtocolOptions = (command: Command): Command =>
  command
    .option(
      '--protocol <name>',
      'evaluate by a protocol over patients: paper, legs, l4, or a file (docs/protocol.md)'
    )
    .option(
      '--patients <folder>',
      'with --protocol: CTs (NAME.nrrd beside NAME.landmarks.json) or prepared patients'
    )
    .option(
      '--prepared <folder>',
      'with --protocol: preparations of these CTs, kept and used again (default: OUT/prepared)'
    )
    .option('--model <file>', 'with --protocol: general network (default: the one that comes with Raypose)')
    .option(
      '--profile <name>',
      'with --protocol: time for each preparation: quick or full',
      oneOf('--profile', ['quick', 'full'] as const)
    )
    .option('--methods <names>', 'with --protocol: only these, with commas between')
    .option('--ablate <names>', "with --protocol: run these ablations too, with commas between, or 'all'")
    .option('--capture-range', 'with --protocol: also register from starts of set distance')
    .option(
      '--import <file>',
      "with --protocol: another system's poses, into the same tables (again for more)",
      (file: string, before: readonly string[] = []) => [...before, file]
    )
    .option('--export <folder>', 'with --protocol: write the views for other systems, and do nothing else')
    .option('--compare <file>', 'with --protocol: an earlier evaluation.json: what got better or worse')
    .option(
      '--workers <n>',
      'with --protocol: views at a time (default: as many as there are cores)',
      wholeNumber('--workers', 1, '2')
    )

/** Options of `raypose evaluate` that a protocol leaves no room for; those of {@link withProtocolOptions} go with one only. */
const WITHOUT_PROTOCOL = ['patient', 'landmarks', 'similarity', 'threads']

/** Says which option would be ignored. @throws ArgumentError for one of a protocol without it, or the other way round */
export function refuseMixed(command: Command, given: { readonly protocol?: string }): void {
  const byProtocol = given.protocol !== undefined
  const alien = byProtocol
    ? WITHOUT_PROTOCOL
    : withProtocolOptions(new Command()).options.map(o => o.attributeName())
  const option = command.options.find(o => {
    const name = o.attributeName()
    return alien.includes(name) && given[name as keyof typeof given] !== undefined
  })
  if (option)
    throw new ArgumentError(
      `${option.long} ${byProtocol ? 'does not go' : 'goes'} with --protocol`,
      byProtocol
        ? 'A protocol says itself what is registered and measured (docs/protocol.md).'
        : 'Add --protocol paper, or leave it out.'
    )
}

const listOf = (text: string | undefined) =>
  text
    ?.split(',')
    .map(s => s.trim())
    .filter(s => s !== '')

/** `raypose evaluate --protocol`. @throws ArgumentError for options that are missing or do not go together */
export async function evaluateByProtocol(
  o: ProtocolCommandOptions & {
    readonly out?: string
    readonly views?: number
    readonly preset?: XrayPreset
    readonly seed?: number
  },
  { signal, progress }: CommandContext
): Promise<CommandResult> {
  const { protocol, patients } = o
  if (protocol === undefined || patients === undefined)
    throw new ArgumentError(
      `--protocol goes with --patients`,
      'For example: raypose evaluate --protocol paper --patients held-out/ --out report/'
    )
  const common = {
    protocol,
    patients,
    views: o.views,
    preset: o.preset,
    seed: o.seed,
    signal,
    onProgress: progress
  }
  if (o.export !== undefined) {
    const written = await exportToFolder({ ...common, out: o.export })
    return {
      text: `Wrote ${written.views} views of ${written.patients} patients to ${o.export}.`,
      json: { ...written, out: o.export }
    }
  }
  if (o.out === undefined)
    throw new ArgumentError('--protocol needs --out', 'Give a folder for the report: --out report/')
  const ablate = listOf(o.ablate)
  const { results, comparison, report } = await protocolToFolder({
    ...common,
    out: o.out,
    prepared: o.prepared,
    model: o.model,
    profile: o.profile,
    methods: listOf(o.methods),
    ablate: ablate?.includes('all') ? 'all' : ablate,
    captureRange: o.captureRange,
    imports: o.import,
    compare: o.compare,
    workers: o.workers
  })
  const { rows: _, columns: __, ...summary } = results
  return {
    text: `${protocolText(results, comparison)}\n\nSee ${report}.`,
    json: { ...summary, comparison, out: o.out, report }
  }
}

export const PRESET_NAMES = Object.keys(XRAY_PRESETS) as XrayPreset[]
