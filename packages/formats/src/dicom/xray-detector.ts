import type { GeometryParts, Vec2 } from '@raypose/core'
import type { DicomHeader } from './header.js'
import { principalPointOf } from './xray-principal-point.js'
import type { XrayTags } from './xray-tags.js'

/** What an X-ray's file says of its detector, null where it does not. */
export interface DetectorTags {
  readonly sdd: number | null
  readonly pixel: Vec2 | null
  readonly principalPoint: Vec2 | null
}

export const positive = (n: number | null): number | null => (n !== null && n > 0 ? n : null)

/** Angiography and fluoroscopy: a C-arm's, with an isocentre. */
export const isFluoroscopy = ({ modality }: DicomHeader): boolean => modality === 'XA' || modality === 'RF'

/**
 * Source to isocentre, mm: (0018,1111) of a C-arm, or what enhanced images have for it. Of radiographs (0018,1111) is the distance to table or
 * bucky (PS3.3 C.8.11.5), behind the patient, and says nothing of him.
 */
export const sourceToPatientOf = (tags: XrayTags, header: DicomHeader): number | null =>
  (isFluoroscopy(header) ? positive(tags.number('00181111')) : null) ?? positive(tags.number('00189402'))

/**
 * The detector of an X-ray as its tags say it.
 * @param told what goes before the tags; no note is made of a tag that does not count
 */
export function detectorTags(
  tags: XrayTags,
  header: DicomHeader,
  name: string,
  told: GeometryParts,
  notes: string[]
): DetectorTags {
  const sdd = positive(tags.number('00181110'))
  const pixel = detectorPixel(tags, header, name, told.sdd ?? sdd, told.pixel ? [] : notes)
  const taken = told.pixel ?? pixel
  const principalPoint =
    taken &&
    principalPointOf(
      tags,
      { size: [header.columns, header.rows], pixel: taken },
      name,
      told.principalPoint ? [] : notes
    )
  return { sdd, pixel, principalPoint }
}

/** Pixel size on the detector (du, dv), mm: the best tag there is, with a note for anything but the first. */
function detectorPixel(
  tags: XrayTags,
  header: DicomHeader,
  name: string,
  sdd: number | null,
  notes: string[]
): Vec2 | null {
  const pair = (tag: string): Vec2 | null => {
    const n = tags.numbers(tag, 2)
    return n && n[0] > 0 && n[1] > 0 ? [n[1], n[0]] : null
  }
  const imager = pair('00181164')
  if (imager) return imager
  const element = pair('00187022')
  if (element) {
    const binning = pair('0018701A') ?? [1, 1]
    notes.push(`${name} has no imager pixel spacing: detector element spacing × binning is taken.`)
    return [element[0] * binning[0], element[1] * binning[1]]
  }
  const spacing = pair('00280030')
  if (!spacing) return null
  const magnified = (by: number): Vec2 => [spacing[0] * by, spacing[1] * by]
  const magnification = positive(tags.number('00181114'))
  if (tags.text('00280A02') !== '') {
    if (magnification) {
      notes.push(
        `${name} has only a pixel spacing calibrated in the patient: it is scaled by the magnification ${magnification}.`
      )
      return magnified(magnification)
    }
    notes.push(`${name} has only a pixel spacing calibrated in the patient, which is not the detector's.`)
    return null
  }
  // A C-arm's pixel spacing is there only where it was brought to the patient (PS3.3 C.8.7.1); radiography has it for the detector.
  if (!isFluoroscopy(header)) {
    notes.push(`${name} has no imager pixel spacing: pixel spacing (0028,0030) is taken for the detector's.`)
    return spacing
  }
  const only = `${name} has no imager pixel spacing, only pixel spacing (0028,0030)`
  if (magnification) {
    notes.push(
      `${only}: it is taken for that in the patient and scaled by the magnification ${magnification} (0018,1114).`
    )
    return magnified(magnification)
  }
  const patient = sourceToPatientOf(tags, header)
  if (sdd && patient && patient < sdd) {
    const by = sdd / patient
    notes.push(
      `${only}: it is taken for that at the isocentre and scaled by ${by.toFixed(3)}, source to detector over source to patient (0018,1110 and 1111).`
    )
    return magnified(by)
  }
  notes.push(
    `${only}, and nothing says how the patient was magnified: it is taken for the detector's. If it is that in the patient, depth and scale are wrong by the magnification: give the detector's pixel size ("pixelMm") with --geometry.`
  )
  return spacing
}
