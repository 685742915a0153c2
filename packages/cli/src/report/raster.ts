import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { initWasm, Resvg } from '@resvg/resvg-wasm'

/** Pixels for each unit of a drawing: sharp on the screens that people read reports on. */
const ZOOM = 2

const FAMILY = 'Open Sans'
/** Files of the font that cover what the figures say: Greek letters are in files of their own. */
const FONT_FILES = ['latin-400', 'greek-400', 'latin-600'].map(
  part => `@fontsource/open-sans/files/open-sans-${part}-normal.woff2`
)

const require = createRequire(import.meta.url)
const read = (module: string) => readFile(require.resolve(module))

let fonts: Promise<Uint8Array[]> | null = null

/** The renderer, once for the process, and its fonts: those of the machine are not asked, so that a figure looks the same everywhere. */
const ready = (): Promise<Uint8Array[]> =>
  (fonts ??= read('@resvg/resvg-wasm/index_bg.wasm')
    .then(wasm => initWasm(wasm))
    .then(() => Promise.all(FONT_FILES.map(read))))

/** A drawing that stands alone (see `standaloneSvg`) as a PNG, in a process without a browser. */
export async function svgToPng(svg: string): Promise<Uint8Array> {
  const drawing = new Resvg(svg, {
    fitTo: { mode: 'zoom', value: ZOOM },
    font: { fontBuffers: await ready(), defaultFontFamily: FAMILY, sansSerifFamily: FAMILY }
  })
  const image = drawing.render()
  const png = image.asPng()
  image.free()
  drawing.free()
  return png
}
