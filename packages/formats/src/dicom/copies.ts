import type { DicomFile } from './header.js'
import { PIXEL_DATA } from './parse.js'
import { decodeFrame } from './pixels.js'
import { listed, planesOf } from './slices.js'

/**
 * The files without those that are there twice, with a note: the same SOP Instance UID (0008,0018), place and pixels.
 * @throws FileFormatError for pixels that have to be decoded to compare them, and cannot; VolumeError as {@link planesOf}.
 */
export async function withoutCopies(files: readonly DicomFile[], notes: string[]): Promise<DicomFile[]> {
  const kept: DicomFile[] = []
  const byPlace = new Map<string, DicomFile[]>()
  const copies: string[] = []
  for (const file of files) {
    // Careless anonymisers give every slice the same UID: it is no copy unless it stands in the same place.
    const key = `${file.header.sopInstanceUid} ${placeOf(file)}`
    const same = byPlace.get(key) ?? []
    if (file.header.sopInstanceUid && (await isAmong(file, same))) {
      copies.push(file.name)
      continue
    }
    byPlace.set(key, [...same, file])
    kept.push(file)
  }
  if (copies.length > 0)
    notes.push(`${copies.length} file(s) are copies of others and were left out: ${listed(copies)}.`)
  return kept
}

async function isAmong(file: DicomFile, others: readonly DicomFile[]): Promise<boolean> {
  for (const other of others) if (await samePixels(file, other)) return true
  return false
}

/** Where the planes of a file are and how they are rescaled, as text. */
const placeOf = (file: DicomFile): string =>
  JSON.stringify(
    planesOf(file).map(({ orientation, position, spacing, rescaling }) => [
      orientation,
      position,
      spacing,
      rescaling.map(d => [d.text('00281052'), d.text('00281053')])
    ])
  )

async function samePixels(a: DicomFile, b: DicomFile): Promise<boolean> {
  const { header } = a
  if (
    header.rows !== b.header.rows ||
    header.columns !== b.header.columns ||
    header.frames !== b.header.frames
  )
    return false
  const [p, q] = [a.dataset.bytes(PIXEL_DATA), b.dataset.bytes(PIXEL_DATA)]
  if (p && q && header.transferSyntax.uid === b.header.transferSyntax.uid) return equal(p, q)
  // A copy may have been compressed on its way.
  for (let frame = 0; frame < header.frames; frame++)
    if (!equal(await decodeFrame(a, frame), await decodeFrame(b, frame))) return false
  return true
}

const equal = (a: ArrayLike<number>, b: ArrayLike<number>): boolean => {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}
