// @ts-expect-error dcmjs has no types
import dcmjs from 'dcmjs'
import type { NamedBytes } from '../src/index.js'

/** A DICOM file, read and written by another library, with elements replaced (values) or removed (null); tags 0002… go to the meta group. */
export function edited(
  file: NamedBytes,
  changes: Record<string, readonly [vr: string, ...values: unknown[]] | null>,
  name = file.name
): NamedBytes {
  const { meta, dict } = dcmjs.data.DicomMessage.readFile(file.bytes.slice().buffer as ArrayBuffer)
  for (const [tag, change] of Object.entries(changes)) {
    const target: Record<string, { vr: string; Value: unknown[] }> = tag.startsWith('0002') ? meta : dict
    if (change === null) delete target[tag]
    else target[tag] = { vr: change[0], Value: change.slice(1) }
  }
  const out = new dcmjs.data.DicomDict(meta)
  out.dict = dict
  return { name, bytes: new Uint8Array(out.write()) }
}

/** Numbers of a decimal-string element. */
export function decimals(file: NamedBytes, tag: string): number[] {
  const { dict } = dcmjs.data.DicomMessage.readFile(file.bytes.slice().buffer as ArrayBuffer)
  return (dict[tag].Value as unknown[]).map(Number)
}
