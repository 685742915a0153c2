import { ArgumentError, FileFormatError } from '@raypose/core'
import { type Protocol, protocolSchema } from './schema.js'

/** One arm of an ablation: the whole protocol as it is run. */
export interface AblationArm {
  readonly ablation: string
  readonly title: string
  readonly arm: string
  readonly protocol: Protocol
}

/** Applies a JSON merge patch (RFC 7386): objects are merged, null removes a key, anything else replaces. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch
  const result: Record<string, unknown> = isObject(target) ? { ...target } : {}
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key]
    else result[key] = mergePatch(result[key], value)
  }
  return result
}

const isObject = (x: unknown): x is Record<string, unknown> =>
  typeof x === 'object' && x !== null && !Array.isArray(x)

/**
 * The arms of the named ablations of a protocol (`all`: of every one), each a protocol of its own.
 * @throws ArgumentError for an ablation that the protocol does not have; FileFormatError for an arm that makes no protocol
 */
export function ablationArms(protocol: Protocol, names: readonly string[] | 'all'): AblationArm[] {
  const chosen = names === 'all' ? Object.keys(protocol.ablations) : names
  return chosen.flatMap(ablation => {
    const a = Object.hasOwn(protocol.ablations, ablation) ? protocol.ablations[ablation] : undefined
    if (!a)
      throw new ArgumentError(
        `The protocol ${protocol.name} has no ablation "${ablation}"`,
        `It has: ${Object.keys(protocol.ablations).join(', ') || 'none'}.`
      )
    return Object.entries(a.arms).map(([arm, patch]) => ({
      ablation,
      title: a.title,
      arm,
      protocol: patched(protocol, patch, `ablations.${ablation}.arms.${arm}`)
    }))
  })
}

function patched(protocol: Protocol, patch: unknown, where: string): Protocol {
  // Figures and ablations of the whole are none of an arm's.
  const base = { ...protocol, ablations: {}, ablationBase: {}, figures: [], captureRange: undefined }
  const parsed = protocolSchema.safeParse(mergePatch(mergePatch(base, protocol.ablationBase), patch))
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new FileFormatError(
    `"${where}" of the protocol ${protocol.name} makes no protocol: "${issue.path.join('.')}" ${issue.message}`,
    'Each arm holds only what differs, under the keys of the protocol itself.'
  )
}

/**
 * The sub-run that finds how far from the truth each method may start: starts of set TRE, one "method" for each pair.
 * Null where the protocol asks for none.
 */
export function captureRangeProtocol(p: Protocol): Protocol | null {
  if (!p.captureRange) return null
  const { methods, treMm, sample } = p.captureRange
  return {
    ...p,
    views: { ...p.views, sample },
    figures: [],
    ablations: {},
    ablationBase: {},
    captureRange: undefined,
    methods: Object.fromEntries(
      methods.flatMap(m =>
        treMm.map(tre => [
          captureMethodName(m, tre),
          { ...p.methods[m], start: { kind: 'displaced' as const, treMm: tre } }
        ])
      )
    )
  }
}

export const captureMethodName = (method: string, treMm: number): string => `${method}+${treMm}mm`
