/** Elements without an end tag in HTML. */
const VOID = new Set(['meta', 'img', 'br', 'link', 'input', 'hr'])

/** Checks that a page's tags open and close in order; returns the names of all elements. */
export function elementsOf(page: string): string[] {
  const names: string[] = []
  const open: string[] = []
  const body = page.replace(/<style>[\s\S]*?<\/style>/g, '').replace(/^<!doctype html>/, '')
  for (const [tag, closing, name, rest] of body.matchAll(
    /<(\/?)([a-zA-Z][a-zA-Z0-9]*)((?:[^>"]|"[^"]*")*)>/g
  )) {
    if (closing) {
      const last = open.pop()
      if (last !== name) throw new TypeError(`${tag} closes ${last}`)
      continue
    }
    names.push(name)
    if (!VOID.has(name) && !rest.trimEnd().endsWith('/')) open.push(name)
  }
  if (open.length > 0) throw new TypeError(`never closed: ${open.join(', ')}`)
  // Whatever is left of angle brackets is not markup and should have been escaped.
  const text = body.replace(/<\/?[a-zA-Z](?:[^>"]|"[^"]*")*>/g, '')
  if (/[<>]/.test(text)) throw new TypeError(`stray bracket near ${/.{0,30}[<>].{0,30}/.exec(text)?.[0]}`)
  return names
}

/** Addresses that a browser would fetch. */
export const externalReferences = (page: string): string[] =>
  [
    ...[...page.matchAll(/\b(?:src|href|srcset|data|action|poster)\s*=\s*"([^"]*)"/g)].map(m => m[1]),
    ...[...page.matchAll(/url\(([^)]*)\)/g)].map(m => m[1]),
    ...[...page.matchAll(/@import[^;]*/g)].map(m => m[0]),
    ...[...page.matchAll(/https?:\/\/[^\s"'<]*/g)].map(m => m[0])
  ].filter(address => !address.startsWith('data:image/png;base64,'))
