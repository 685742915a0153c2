import { readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ArgumentError, FileFormatError } from '@raypose/core'
import { readBytes } from '../files/read-bytes.js'
import { parseLocatedJson } from './located-json.js'
import { type Protocol, protocolSchema } from './schema.js'

/** Folder of the protocols that come with Raypose. */
const SHIPPED = fileURLToPath(new URL('../../protocols/', import.meta.url))

/** Names of the protocols that come with Raypose. */
export async function shippedProtocols(): Promise<string[]> {
  const files = await readdir(SHIPPED)
  return files.flatMap(f => (f.endsWith('.json') ? [basename(f, '.json')] : [])).sort()
}

/**
 * Reads a protocol: one that comes with Raypose by its name, or a file.
 * @throws FileNotFoundError; FileFormatError naming file, line and key of every mistake
 */
export async function readProtocol(nameOrPath: string): Promise<Protocol> {
  const shipped = await shippedProtocols()
  const path = shipped.includes(nameOrPath) ? join(SHIPPED, `${nameOrPath}.json`) : nameOrPath
  if (path === nameOrPath && !/[./\\]/.test(nameOrPath))
    throw new ArgumentError(
      `There is no protocol "${nameOrPath}"`,
      `Give one of ${shipped.join(', ')}, or the path of a file.`
    )
  return parseProtocol(new TextDecoder().decode(await readBytes(path)), path)
}

/**
 * Reads the text of a protocol.
 * @param file its name, for messages
 * @throws FileFormatError naming line and key of every mistake
 */
export function parseProtocol(text: string, file: string): Protocol {
  const { value, lineOf } = parseLocatedJson(text, file)
  const parsed = protocolSchema.safeParse(value)
  const mistakes = parsed.success ? unknownMethods(parsed.data) : parsed.error.issues.flatMap(mistakesOf)
  if (mistakes.length > 0 || !parsed.success)
    throw new FileFormatError(
      mistakes
        .map(m => ({ ...m, line: lineOf(m.path) }))
        .sort((a, b) => a.line - b.line)
        .map(m => `${file}:${m.line}: ${m.path.length > 0 ? `"${m.path.join('.')}" ` : 'it '}${m.what}`)
        .join('\n'),
      'docs/protocol.md describes every key; packages/pipeline/protocols/paper.json is an example.'
    )
  return parsed.data
}

interface Mistake {
  readonly path: readonly PropertyKey[]
  readonly what: string
}

type Issue = NonNullable<ReturnType<typeof protocolSchema.safeParse>['error']>['issues'][number]

function mistakesOf(issue: Issue): Mistake[] {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map(key => ({ path: [...issue.path, key], what: 'is not known here' }))
  const missing = issue.code === 'invalid_type' && /received undefined/.test(issue.message)
  return [
    {
      path: issue.path,
      what: missing ? 'is missing' : issue.message.replace(/^Invalid (input|option): /, 'is wrong: ')
    }
  ]
}

/** Methods that are referred to but are none. */
function unknownMethods(p: Protocol): Mistake[] {
  const known = (method: string) => Object.hasOwn(p.methods, method)
  const what = `is none of the methods ${Object.keys(p.methods).join(', ')}`
  return [
    ...p.figures.flatMap((f, i) => (known(f.method) ? [] : [{ path: ['figures', i, 'method'], what }])),
    ...(p.captureRange?.methods ?? []).flatMap((m, i) =>
      known(m) ? [] : [{ path: ['captureRange', 'methods', i], what }]
    )
  ]
}
