import { type CalibratedXray, readXrayBytes, type XrayOptions } from '@raypose/formats'
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
