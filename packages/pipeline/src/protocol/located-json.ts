import { FileFormatError } from '@raypose/core'

/** A parsed JSON text, and the line on which each of its values begins. */
export interface LocatedJson {
  readonly value: unknown
  /** @param path keys and positions from the root; what is absent is looked for at its parent */
  readonly lineOf: (path: readonly PropertyKey[]) => number
}

const TOKEN = /\s*(?:([{}[\],:])|("(?:[^"\\]|\\.)*")|(-?\d[\d.eE+-]*|true|false|null))/y

/**
 * Parses JSON as `JSON.parse`, but remembers lines, for files that people write: a mistake in them is worth a line number.
 * A key that stands twice is a mistake too.
 * @param name of the file, for messages
 * @throws FileFormatError naming the line
 */
export function parseLocatedJson(text: string, name: string): LocatedJson {
  const lines = new Map<string, number>()
  let position = 0
  const lineAt = (p: number) => text.slice(0, p).split('\n').length
  const fail = (what: string, at = position): never => {
    throw new FileFormatError(
      `${name}:${lineAt(at)}: ${what}`,
      'Correct the file; "raypose evaluate --help" names one that is right.'
    )
  }
  const next = (): string => {
    TOKEN.lastIndex = position
    const found = TOKEN.exec(text)
    if (!found) {
      const rest = /\S/.exec(text.slice(position))
      return fail(
        rest ? `it is not JSON from "${text.slice(position).trim().slice(0, 12)}" on` : 'it ends too early',
        position + (rest?.index ?? 0)
      )
    }
    position = TOKEN.lastIndex
    return found[1] ?? found[2] ?? found[3]
  }
  const literal = (token: string): unknown => {
    try {
      return JSON.parse(token)
    } catch {
      return fail(`${token} is no JSON value`)
    }
  }
  const parse = (path: readonly PropertyKey[]): unknown => {
    const token = next()
    lines.set(keyOf(path), lineAt(position - token.length))
    if (token === '{') return object(path)
    if (token === '[') return array(path)
    return /^[}\],:]$/.test(token) ? fail(`"${token}" stands where a value should`) : literal(token)
  }
  const object = (path: readonly PropertyKey[]): unknown => {
    const result: Record<string, unknown> = {}
    let token = next()
    if (token === '}') return result
    for (;;) {
      if (!token.startsWith('"')) return fail(`a key in quotes should stand here, not ${token}`)
      const key = String(literal(token))
      if (Object.hasOwn(result, key)) return fail(`"${key}" stands here a second time`)
      const line = lineAt(position - token.length)
      const colon = next()
      if (colon !== ':') return fail(`":" should follow "${key}", not ${colon}`)
      // Not by assignment: "__proto__" is a key like any other.
      Object.defineProperty(result, key, {
        value: parse([...path, key]),
        enumerable: true,
        writable: true,
        configurable: true
      })
      lines.set(keyOf([...path, key]), line)
      token = next()
      if (token === '}') return result
      if (token !== ',') return fail(`"," or "}" should stand here, not ${token}`)
      token = next()
    }
  }
  const array = (path: readonly PropertyKey[]): unknown => {
    const result: unknown[] = []
    const before = position
    if (next() === ']') return result
    position = before
    for (;;) {
      result.push(parse([...path, result.length]))
      const token = next()
      if (token === ']') return result
      if (token !== ',') return fail(`"," or "]" should stand here, not ${token}`)
    }
  }
  const value = parse([])
  if (text.slice(position).trim() !== '') fail('something follows after the end')
  return {
    value,
    lineOf: path => {
      for (let length = path.length; length > 0; length--) {
        const line = lines.get(keyOf(path.slice(0, length)))
        if (line !== undefined) return line
      }
      return lines.get(keyOf([])) ?? 1
    }
  }
}

const keyOf = (path: readonly PropertyKey[]) => JSON.stringify(path.map(String))
