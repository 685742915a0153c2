import type { Dataset } from './dataset.js'

/** What an X-ray's tags say, wherever in the file they are. */
export type XrayTags = Pick<Dataset, 'text' | 'texts' | 'number' | 'numbers' | 'items'>

/** Functional groups of enhanced XA and XRF images that hold a tag. Source: DICOM PS3.3 C.8.19.6. */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  // X-Ray Geometry
  '00181110': ['00189476'],
  '00181111': ['00189476'],
  '00181114': ['00189476'],
  '00189402': ['00189476'],
  // XA/XRF Frame Pixel Data Properties, Pixel Measures
  '00181164': ['00289443'],
  '00280030': ['00289110', '00289443'],
  '00280A02': ['00289443'],
  // … and Pixel Intensity Relationship LUT
  '00281040': ['00289443', '00289422'],
  '00281041': ['00289443', '00289422'],
  // Positioner Position
  '00181510': ['00189405'],
  '00181511': ['00189405'],
  // X-Ray Field of View
  '00187030': ['00189432'],
  '00187032': ['00189432'],
  '00187034': ['00189432'],
  // Patient Orientation in Frame
  '00200020': ['00209450'],
  // Pixel Value Transformation
  '00281052': ['00289145'],
  '00281053': ['00289145']
}

/**
 * The tags of one frame: those of its own functional groups (5200,9230) go before the shared ones (5200,9229), and these before the
 * top level, where all other X-rays have them.
 * @param frame from 0
 */
export function xrayTags(dataset: Dataset, frame: number): XrayTags {
  const groups = [dataset.items('52009230')[frame], dataset.items('52009229')[0]].filter(g => g !== undefined)
  const placeOf = (tag: string): Dataset => {
    const items = groups.flatMap(g => (GROUPS[tag] ?? []).map(sequence => g.items(sequence)[0]))
    return items.find(item => item !== undefined && item.text(tag) !== '') ?? dataset
  }
  return {
    text: tag => placeOf(tag).text(tag),
    texts: tag => placeOf(tag).texts(tag),
    number: tag => placeOf(tag).number(tag),
    numbers: (tag, count) => placeOf(tag).numbers(tag, count),
    items: tag => dataset.items(tag)
  }
}
