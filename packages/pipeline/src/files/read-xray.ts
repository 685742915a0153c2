import { type CalibratedXray, readXrayBytes, type XrayOptions, xrayFrames } from '@raypose/formats'
import { sha256 } from './hash.js'
import { readBytes, readJson } from './read-bytes.js'

/** An X-ray and what identifies its file. */
export interface ReadXray {
  readonly xray: CalibratedXray
  readonly file: string
  readonly sha256: string
}

/**
 * Reads an X-ray with known geometry from a file: DICOM, or PNG, 2D NRRD or MetaImage with a geometry JSON.
 * @param geometryPath JSON of the geometry contract; goes before what a DICOM file says
 * @param options what the caller knows better than the file
 * @throws FileNotFoundError, FileFormatError; GeometryError for a geometry that is none
 * @throws XrayError without geometry, for an image of another size than its geometry, or an empty one
 */
export async function readXrayFile(
  path: string,
  geometryPath?: string,
  options: Omit<XrayOptions, 'geometry'> = {}
): Promise<ReadXray> {
  const geometry = geometryPath === undefined ? undefined : await readJson(geometryPath)
  const bytes = await readBytes(path)
  return { xray: await readXrayBytes(path, bytes, geometry, options), file: path, sha256: sha256(bytes) }
}

/** The frames of a sequence, one at a time. */
export interface XraySequence {
  readonly frames: number
  readonly file: string
  readonly sha256: string
  /**
   * @param index from 0
   * @throws as {@link readXrayFile}; EmptyXrayError for a frame without content, as between pulses
   */
  frame(index: number): Promise<CalibratedXray>
}

/**
 * Opens a multi-frame DICOM X-ray (or any single one) as a sequence; all frames have the file's geometry.
 * @throws FileNotFoundError, FileFormatError; what is wrong with frames is told as they are read
 */
export async function readXraySequence(
  path: string,
  geometryPath?: string,
  options: Omit<XrayOptions, 'geometry' | 'frame'> = {}
): Promise<XraySequence> {
  const geometry = geometryPath === undefined ? undefined : await readJson(geometryPath)
  const bytes = await readBytes(path)
  const frame = (index: number) => readXrayBytes(path, bytes, geometry, { ...options, frame: index })
  return { frames: xrayFrames(path, bytes), file: path, sha256: sha256(bytes), frame }
}
