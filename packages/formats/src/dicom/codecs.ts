import { BackendError, FileFormatError } from '@raypose/core'

/** Samples of one frame as a codec gives them, unsigned or signed in 8 or 16 bits; the header says which. */
export interface CodedFrame {
  readonly width: number
  readonly height: number
  /** Little-endian, `bytesPerSample` each. */
  readonly bytes: Uint8Array
  readonly bytesPerSample: 1 | 2
}

const silent = { print: () => {}, printErr: () => {} }

// Compiled once, on first need: most series are not compressed.
let charls: ReturnType<typeof loadCharls> | null = null
let openjpeg: ReturnType<typeof loadOpenjpeg> | null = null

const loadCharls = () =>
  loaded('CharLS', async () => (await import('@cornerstonejs/codec-charls/decodewasmjs')).default(silent))

const loadOpenjpeg = () =>
  loaded('OpenJPEG', async () => (await import('@cornerstonejs/codec-openjpeg/decodewasmjs')).default(silent))

async function loaded<T>(codec: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load()
  } catch (cause) {
    throw new BackendError(
      `The ${codec} decoder cannot be loaded (${cause instanceof Error ? cause.message : String(cause)})`,
      'Install the dependencies of @raypose/formats again, or convert the images to Explicit VR Little Endian.',
      { cause }
    )
  }
}

/** Decodes a JPEG-LS frame with CharLS. @throws FileFormatError */
export async function decodeJpegLs(coded: Uint8Array, what: string): Promise<CodedFrame> {
  charls ??= loadCharls()
  const { JpegLSDecoder } = await charls
  return decode(new JpegLSDecoder(), coded, what, 'JPEG-LS')
}

/** Decodes a JPEG 2000 frame with OpenJPEG. @throws FileFormatError */
export async function decodeJpeg2000(coded: Uint8Array, what: string): Promise<CodedFrame> {
  // OpenJPEG fills what is missing at the end of a truncated stream with guesses; its end marker tells.
  let end = coded.length
  while (end > 0 && coded[end - 1] === 0) end--
  if (coded[end - 2] !== 0xff || coded[end - 1] !== 0xd9)
    throw damaged(what, 'JPEG 2000', 'it has no end marker')
  openjpeg ??= loadOpenjpeg()
  const { J2KDecoder } = await openjpeg
  return decode(new J2KDecoder(), coded, what, 'JPEG 2000')
}

function decode(decoder: EmscriptenDecoder, coded: Uint8Array, what: string, kind: string): CodedFrame {
  try {
    decoder.getEncodedBuffer(coded.length).set(coded)
    decoder.decode()
    const { width, height, bitsPerSample, componentCount } = decoder.getFrameInfo()
    if (componentCount !== 1 || bitsPerSample > 16)
      throw damaged(what, kind, `it has ${componentCount} components of ${bitsPerSample} bits`)
    const bytesPerSample = bitsPerSample > 8 ? 2 : 1
    const bytes = decoder.getDecodedBuffer().slice(0, width * height * bytesPerSample)
    return { width, height, bytes, bytesPerSample }
  } catch (error) {
    if (error instanceof FileFormatError) throw error
    throw damaged(what, kind, error instanceof Error ? error.message : `code ${String(error)}`, error)
  } finally {
    decoder.delete()
  }
}

const damaged = (what: string, kind: string, reason: string, cause?: unknown) =>
  new FileFormatError(
    `${what}: the ${kind} data cannot be decoded (${reason})`,
    'The file is truncated or damaged: copy or export it again.',
    { cause }
  )
