import { expect, it } from 'vitest'
import { svgToPng } from '../src/report/raster.js'

const drawing = (body: string) =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 20"><style>text{font:11px system-ui,sans-serif}</style>${body}</svg>`
const text = (content: string) => drawing(`<text x="4" y="14">${content}</text>`)

it('draws shapes and text at twice the size', async () => {
  const png = Buffer.from(await svgToPng(drawing('<rect width="20" height="20" fill="#1a7f4b"/>')))
  expect(png.subarray(1, 4).toString()).toBe('PNG')
  expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([80, 40])
})

it('has every letter that figures are written with', async () => {
  const empty = Buffer.from(await svgToPng(drawing('')))
  // One that no font has: what a missing letter looks like.
  const missing = Buffer.from(await svgToPng(text('\u{10FFFD}')))
  const seen = new Set<string>()
  const letters = [...'αβγτσ°±−…′×–“”<%N']
  for (const letter of letters) {
    const png = Buffer.from(await svgToPng(text(letter === '<' ? '&lt;' : letter)))
    expect(png.equals(empty), letter).toBe(false)
    expect(png.equals(missing), letter).toBe(false)
    seen.add(png.toString('base64'))
  }
  expect(seen.size).toBe(letters.length)
})
