/** A place where two plain records differ; `undefined` where one of them has nothing there. */
export interface Difference {
  /** Keys and positions from the outside in, joined by dots. */
  readonly path: string
  readonly a: unknown
  readonly b: unknown
}

/** Where two plain records (as JSON has them) differ, in the order of a's keys, then b's. The order of keys is no difference. */
export function differences(a: unknown, b: unknown, path = ''): Difference[] {
  if (isRecord(a) && isRecord(b)) {
    const keys = new Set([...Object.keys(a), ...Object.keys(b)])
    return [...keys].flatMap(key => differences(a[key], b[key], path === '' ? key : `${path}.${key}`))
  }
  return Object.is(a, b) ? [] : [{ path, a, b }]
}

const isRecord = (x: unknown): x is Record<string, unknown> => typeof x === 'object' && x !== null
