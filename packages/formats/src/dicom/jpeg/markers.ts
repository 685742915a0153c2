import { FileFormatError } from '@raypose/core'

/**
 * A JPEG code stream of one component up to its entropy-coded data: what both the lossless (SOF3) and the sequential
 * DCT (SOF0, SOF1) processes of DICOM need. Source: ITU-T T.81 annex B.
 *
 * Own code because what npm has is either 8-bit only or drops the last pixel of first-order prediction.
 */
export interface JpegScan {
  readonly process: 'sequential' | 'lossless'
  readonly precision: number
  readonly width: number
  readonly height: number
  /** MCUs between restart markers; 0 for none. */
  readonly restartInterval: number
  /** 64 values in zigzag order (sequential only). */
  readonly quantization: Uint16Array | null
  /** DC or lossless table, and AC table, as 16-bit look-ups: code length · 256 + symbol; 0 for no code. */
  readonly dc: Uint16Array
  readonly ac: Uint16Array | null
  /** Lossless: predictor 1–7. */
  readonly predictor: number
  /** Lossless: point transform. */
  readonly pointTransform: number
  /** Where the entropy-coded data begins. */
  readonly start: number
}

const damaged = (what: string, reason: string) =>
  new FileFormatError(
    `${what}: JPEG data ${reason}`,
    'The file is truncated or damaged: copy or export it again.'
  )

const unsupported = (what: string, kind: string) =>
  new FileFormatError(
    `${what}: JPEG ${kind} is not supported`,
    'Convert it to Explicit VR Little Endian, for instance with "dcmdjpeg IN OUT" or "gdcmconv --raw IN OUT".'
  )

/** @throws FileFormatError for a damaged stream, several components, or a process DICOM has retired. */
export function readJpegMarkers(bytes: Uint8Array, what: string): JpegScan {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const quantization: Uint16Array[] = []
  const dc: Uint16Array[] = []
  const ac: Uint16Array[] = []
  let restartInterval = 0
  let frame: {
    process: JpegScan['process']
    precision: number
    width: number
    height: number
    table: number
  } | null = null
  if (bytes.length < 4 || view.getUint16(0) !== 0xffd8) throw damaged(what, 'does not begin with its marker')
  let at = 2
  for (;;) {
    while (bytes[at] === 0xff && bytes[at + 1] === 0xff) at++
    if (at + 4 > bytes.length) throw damaged(what, 'ends before the image')
    if (bytes[at] !== 0xff) throw damaged(what, `has no marker at byte ${at}`)
    const marker = bytes[at + 1]
    const length = view.getUint16(at + 2)
    const body = bytes.subarray(at + 4, at + 2 + length)
    if (length < 2 || body.length < length - 2) throw damaged(what, 'ends inside a segment')
    at += 2 + length
    if (marker === 0xdb) readQuantization(body, quantization, what)
    else if (marker === 0xc4) readHuffman(body, dc, ac, what)
    else if (marker === 0xdd) restartInterval = body[0] * 256 + body[1]
    else if (marker === 0xc0 || marker === 0xc1 || marker === 0xc3) {
      if (body.length < 9) throw damaged(what, 'has a short frame header')
      if (body[5] !== 1) throw unsupported(what, `with ${body[5]} colour components`)
      frame = {
        process: marker === 0xc3 ? 'lossless' : 'sequential',
        precision: body[0],
        height: body[1] * 256 + body[2],
        width: body[3] * 256 + body[4],
        table: body[8]
      }
    } else if (marker >= 0xc2 && marker <= 0xcf && marker !== 0xc8 && marker !== 0xcc)
      throw unsupported(what, `process SOF${marker - 0xc0} (progressive, hierarchical or arithmetic)`)
    else if (marker === 0xda) {
      if (!frame || body.length < 6 || body[0] !== 1)
        throw damaged(what, 'has no usable frame or scan header')
      const { table, ...rest } = frame
      const lossless = rest.process === 'lossless'
      const dcTable = dc[body[2] >> 4]
      const acTable = ac[body[2] & 15] ?? null
      if (!dcTable || (!lossless && (!acTable || !quantization[table]))) throw damaged(what, 'lacks a table')
      return {
        ...rest,
        restartInterval,
        quantization: quantization[table] ?? null,
        dc: dcTable,
        ac: acTable,
        predictor: lossless ? body[3] : 0,
        pointTransform: lossless ? body[5] & 15 : 0,
        start: at
      }
    }
  }
}

function readQuantization(body: Uint8Array, tables: Uint16Array[], what: string): void {
  for (let at = 0; at < body.length; ) {
    const wide = body[at] >> 4
    const table = new Uint16Array(64)
    if (at + 1 + 64 * (wide + 1) > body.length) throw damaged(what, 'has a short quantization table')
    for (let k = 0; k < 64; k++)
      table[k] = wide ? body[at + 1 + 2 * k] * 256 + body[at + 2 + 2 * k] : body[at + 1 + k]
    tables[body[at] & 15] = table
    at += 1 + 64 * (wide + 1)
  }
}

function readHuffman(body: Uint8Array, dc: Uint16Array[], ac: Uint16Array[], what: string): void {
  for (let at = 0; at + 17 <= body.length; ) {
    const target = body[at] >> 4 ? ac : dc
    const counts = body.subarray(at + 1, at + 17)
    const total = counts.reduce((a, b) => a + b, 0)
    const symbols = body.subarray(at + 17, at + 17 + total)
    if (symbols.length < total) throw damaged(what, 'has a short Huffman table')
    target[body[at] & 15] = lookup(counts, symbols, what)
    at += 17 + total
  }
}

/** Every 16-bit prefix to its code: one read a symbol. */
function lookup(counts: Uint8Array, symbols: Uint8Array, what: string): Uint16Array {
  const table = new Uint16Array(65536)
  let code = 0
  let k = 0
  for (let length = 1; length <= 16; length++) {
    const span = 1 << (16 - length)
    for (let i = 0; i < counts[length - 1]; i++, code++) {
      const from = code * span
      if (from + span > 65536) throw damaged(what, 'has an impossible Huffman table')
      table.fill(length * 256 + symbols[k++], from, from + span)
    }
    code <<= 1
  }
  return table
}

/** Bits of the entropy-coded data: byte stuffing undone, restart markers on demand. */
export interface BitReader {
  /** The next symbol of a Huffman table. */
  symbol(table: Uint16Array): number
  /** `n` ≤ 15 more bits as the difference they code (T.81 figure F.12). */
  difference(n: number): number
  /** Skips to behind the next restart marker. */
  restart(): void
}

export function createBitReader(bytes: Uint8Array, start: number, what: string): BitReader {
  let at = start
  let acc = 0
  let held = 0
  // Zero bits made up after the data ended: touching one means that it is truncated.
  let made = 0
  const fill = () => {
    while (held <= 24) {
      let byte = 0
      if (at >= bytes.length || (bytes[at] === 0xff && bytes[at + 1] !== 0)) made += 8
      else {
        byte = bytes[at]
        at += byte === 0xff ? 2 : 1
      }
      acc = (acc << 8) | byte
      held += 8
    }
  }
  const skip = (n: number) => {
    held -= n
    if (held < made) throw damaged(what, 'ends before the image is complete')
  }
  return {
    symbol(table) {
      if (held < 16) fill()
      const entry = table[(acc >>> (held - 16)) & 0xffff]
      if (entry === 0) throw damaged(what, 'holds an invalid code')
      skip(entry >> 8)
      return entry & 255
    },
    difference(n) {
      if (n === 0) return 0
      if (held < 16) fill()
      const v = (acc >>> (held - n)) & ((1 << n) - 1)
      skip(n)
      return v < 1 << (n - 1) ? v - (1 << n) + 1 : v
    },
    restart() {
      acc = 0
      held = 0
      made = 0
      if (!(bytes[at] === 0xff && bytes[at + 1] >= 0xd0 && bytes[at + 1] <= 0xd7))
        throw damaged(what, 'lacks a restart marker')
      at += 2
    }
  }
}
