/** Raypose as the maker of a file: a UUID-derived UID (DICOM PS3.5 annex B.2). */
export const IMPLEMENTATION_UID = '2.25.187354032771955403218851093470011853426'

/** A UID "2.25.…" from text or bytes: equal content, equal UID. FNV-1a with four starts makes the 128 bits. */
export function createUid(content: string | Uint8Array): string {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content
  let value = 0n
  for (const start of [0x811c9dc5, 0x01000193, 0x9e3779b9, 0x85ebca6b]) {
    let h = start
    for (let i = 0; i < bytes.length; i++) h = Math.imul(h ^ bytes[i], 0x01000193)
    // The multiplication mixes upwards only; this brings the high bits down.
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
    value = (value << 32n) | BigInt((h ^ (h >>> 13)) >>> 0)
  }
  return `2.25.${value}`
}
