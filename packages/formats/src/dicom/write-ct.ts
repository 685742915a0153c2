import { assertVolume, column3, indexToLps, type Volume, VolumeError } from '@raypose/core'
import { littleEndianBytes, toHu } from '../bytes/elements.js'
import type { NamedBytes } from './header.js'
import { createUid } from './uid.js'
import { commonElements, type DicomMeta, decimal, writeDicomFile } from './write-elements.js'

const CT_IMAGE_STORAGE = '1.2.840.10008.5.1.4.1.1.2'

/**
 * Writes a volume (HU, whole numbers in Int16's range) as one CT Image file per k, of any orientation, Explicit VR Little Endian.
 * @throws VolumeError for values that Int16 cannot hold, or a volume that is none.
 */
export function writeDicomCtSlices(volume: Volume, meta: DicomMeta = {}): NamedBytes[] {
  assertVolume(volume)
  const data = toHu(volume.data)
  if (!(data instanceof Int16Array))
    throw new VolumeError(
      'The volume holds fractional values or values beyond −32768 … 32767, which a DICOM CT cannot',
      'Round and clamp it, or write it as NIfTI, NRRD or MHA.'
    )
  const [columns, rows, count] = volume.size
  const plane = columns * rows
  const row = column3(volume.direction, 0)
  const column = column3(volume.direction, 1)
  const grid = [volume.size, volume.spacing, volume.origin, volume.direction].join(' ')
  const seriesUid = meta.seriesUid ?? createUid(`${grid} ${createUid(littleEndianBytes(data))}`)
  const frameOfReference = meta.frameOfReferenceUid ?? createUid(`frame of reference ${seriesUid}`)
  const digits = String(count).length
  return Array.from({ length: count }, (_, k) => {
    const instance = createUid(`${seriesUid} slice ${k}`)
    const pixels = littleEndianBytes(data.subarray(k * plane, (k + 1) * plane))
    const bytes = writeDicomFile({
      ...commonElements(CT_IMAGE_STORAGE, instance, 'CT', { ...meta, seriesUid }),
      '00080008': ['CS', 'DERIVED', 'SECONDARY', 'AXIAL'],
      '00180050': ['DS', decimal(volume.spacing[2])],
      '00180060': ['DS'],
      '00180088': ['DS', decimal(volume.spacing[2])],
      '00185100': ['CS', 'HFS'],
      '00200012': ['IS'],
      '00200013': ['IS', String(k + 1)],
      '00200032': ['DS', ...indexToLps(volume, [0, 0, k]).map(decimal)],
      '00200037': ['DS', ...[...row, ...column].map(decimal)],
      '00200052': ['UI', frameOfReference],
      '00201040': ['LO'],
      '00280002': ['US', 1],
      '00280004': ['CS', 'MONOCHROME2'],
      '00280010': ['US', rows],
      '00280011': ['US', columns],
      '00280030': ['DS', decimal(volume.spacing[1]), decimal(volume.spacing[0])],
      '00280100': ['US', 16],
      '00280101': ['US', 16],
      '00280102': ['US', 15],
      '00280103': ['US', 1],
      '00281052': ['DS', '0'],
      '00281053': ['DS', '1'],
      '00281054': ['LO', 'HU'],
      '7FE00010': ['OW', pixels]
    })
    return { name: `slice-${String(k + 1).padStart(digits, '0')}.dcm`, bytes }
  })
}
