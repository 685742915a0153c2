/** Markup that is safe to put into a page as it stands. */
export interface Html {
  readonly html: string
}

export type Content = Html | string | number | null | undefined | false | readonly Content[]

const ESCAPES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;'
}

export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, c => ESCAPES[c])

/** Declares text to be markup. Only for what this program wrote itself. */
export const markup = (html: string): Html => ({ html })

const render = (content: Content): string => {
  if (content === null || content === undefined || content === false) return ''
  if (Array.isArray(content)) return content.map(render).join('')
  if (typeof content === 'object') return (content as Html).html
  return escapeHtml(String(content))
}

/** A template whose values are escaped unless they are markup already: file names and messages cannot break a page. */
export const html = (parts: TemplateStringsArray, ...values: readonly Content[]): Html =>
  markup(parts.reduce((out, part, i) => out + render(values[i - 1]) + part))

/** A PNG as an address that needs no file beside the page. */
export const pngDataUri = (png: Uint8Array): string =>
  `data:image/png;base64,${Buffer.from(png).toString('base64')}`
