/** Whether bytes carry the DICOM preamble of a Part 10 file. */
export const hasPreamble = (bytes: Uint8Array): boolean =>
  bytes.length > 132 && String.fromCharCode(...bytes.subarray(128, 132)) === 'DICM'

/** Whether bytes are DICOM: with its preamble, or a bare data set as older archives and network dumps leave it. */
export const looksLikeDicom = (bytes: Uint8Array): boolean => hasPreamble(bytes) || isBare(bytes)

const EXPLICIT_LITTLE_ENDIAN = '1.2.840.10008.1.2.1'
const IMPLICIT_LITTLE_ENDIAN = '1.2.840.10008.1.2'

/** Transfer syntax of a data set that does not say it: the two that may go without saying. */
export const bareSyntaxOf = (bytes: Uint8Array): string =>
  vrOf(bytes) ? EXPLICIT_LITTLE_ENDIAN : IMPLICIT_LITTLE_ENDIAN

/** What the first elements of groups 0002 and 0008 are made of. */
const FIRST_VRS = ['UL', 'OB', 'UI', 'CS', 'DA', 'TM', 'SH', 'AE']
/** (0008,0018), the SOP Instance UID; no data set begins further on. */
const LAST_ELEMENT = 0x18
/** More than any of them needs. */
const LONGEST = 1024

const vrOf = (bytes: Uint8Array): string | undefined =>
  FIRST_VRS.find(vr => vr === String.fromCharCode(bytes[4], bytes[5]))

/** Whether the first bytes are a first element, of a length that it can have. */
function isBare(bytes: Uint8Array): boolean {
  if (bytes.length < 16) return false
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const group = view.getUint16(0, true)
  const vr = vrOf(bytes)
  // The meta group is explicit always.
  if (!(group === 8 || (group === 2 && vr)) || view.getUint16(2, true) > LAST_ELEMENT) return false
  const isLong = vr === 'OB'
  const length = vr && !isLong ? view.getUint16(6, true) : view.getUint32(isLong ? 8 : 4, true)
  return length % 2 === 0 && length <= Math.min(LONGEST, bytes.length - (isLong ? 12 : 8))
}
