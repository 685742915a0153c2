import { FileFormatError } from '@raypose/core'
import { guard, guardAsync } from './bytes/guard.js'
import { gunzipInPieces, isGzip } from './bytes/inflate.js'
import { readDicomFile } from './dicom/header.js'
import { looksLikeDicom } from './dicom/preamble.js'
import { type SeriesOptions, volumeFromSeries } from './dicom/volume.js'
import { xrayFromDicom } from './dicom/xray.js'
import { looksLikeMetaImage, metaImageSibling, readMetaImage, readMha } from './mha/read.js'
import { looksLikeNifti } from './nifti/header.js'
import { readNifti } from './nifti/read.js'
import { looksLikeNrrd } from './nrrd/header.js'
import { nrrdSibling, readNrrd, readNrrdImage } from './nrrd/read.js'
import { looksLikePng, plainXray, readPngXray } from './png/read.js'
import type { LoadedVolume } from './volume.js'
import { type CalibratedXray, requireGeometry, type Xray, type XrayOptions } from './xray/xray.js'

/** How a CT is read out of a file. */
export interface VolumeFileOptions extends SeriesOptions {
  /** Gives a file that lies beside this one, by its plain name: what an .mhd or .nhdr keeps its voxels in. */
  readonly sibling?: (file: string) => Promise<Uint8Array>
}

/**
 * Reads a CT out of one file: NIfTI-1, NRRD, MetaImage, or an enhanced multi-frame DICOM. The content decides, not the name.
 * An .mhd or .nhdr needs `sibling` for its voxels.
 * @throws FileFormatError for anything else, damaged or truncated; VolumeError and SeriesError as the readers.
 */
export function readVolumeBytes(
  name: string,
  bytes: Uint8Array,
  options: VolumeFileOptions = {}
): Promise<LoadedVolume> {
  const beside = async (file: string | null) => (file === null ? undefined : await options.sibling?.(file))
  return guardAsync(name, async () => {
    if (looksLikeNrrd(bytes)) return readNrrd(bytes, name, await beside(nrrdSibling(bytes, name)))
    if (looksLikeNifti(bytes)) return readNifti(bytes, name)
    if (looksLikeMetaImage(bytes)) return readMha(bytes, name, await beside(metaImageSibling(bytes, name)))
    if (looksLikeDicom(bytes)) {
      const file = readDicomFile(bytes, name)
      if (file.header.frames > 1) return volumeFromSeries([file], options)
      throw new FileFormatError(
        `${name} is a single DICOM image`,
        'Give the folder that holds the whole CT series.'
      )
    }
    if (isGzip(bytes)) {
      const content = await gunzipInPieces(bytes, name, options.signal)
      if (looksLikeNifti(content)) return readNifti(content, name)
      if (looksLikeNrrd(content)) return readNrrd(content, name)
      if (looksLikeMetaImage(content)) return readMha(content, name)
    }
    throw new FileFormatError(
      `${name} is not a volume file that Raypose knows`,
      'Give a folder of DICOM slices, or a .nii, .nii.gz, .nrrd or .mha file.'
    )
  })
}

/**
 * Reads an X-ray out of one file (DICOM; PNG, 2D NRRD or MetaImage with a geometry JSON) with its detector known.
 * @param geometryJson the parsed object of the contract ("Files"); goes before what a DICOM file says
 * @throws XrayError without geometry, for an image of another size than its geometry, an empty one, another modality.
 * @throws FileFormatError, GeometryError
 */
export async function readXrayBytes(
  name: string,
  bytes: Uint8Array,
  geometryJson?: unknown,
  options: XrayOptions = {}
): Promise<CalibratedXray> {
  const xray = await readUncalibratedXray(name, bytes, {
    ...options,
    geometry: geometryJson ?? options.geometry
  })
  return requireGeometry(xray, name)
}

/** As {@link readXrayBytes}, but leaves `detector` null where the file and the options give no geometry. */
export function readUncalibratedXray(
  name: string,
  bytes: Uint8Array,
  options: XrayOptions = {}
): Promise<Xray> {
  return guardAsync(name, async () => {
    if (looksLikeDicom(bytes)) return xrayFromDicom(bytes, name, options)
    if (looksLikePng(bytes)) return readPngXray(bytes, options.geometry, options, name)
    if (looksLikeNrrd(bytes)) return plainXray(readNrrdImage(bytes, name).image, [], options, name, 'NRRD')
    if (looksLikeMetaImage(bytes)) return metaXray(bytes, options, name)
    throw new FileFormatError(
      `${name} is not an image file that Raypose knows`,
      'Give a DICOM X-ray, or a 16-bit PNG with a geometry file.'
    )
  })
}

/**
 * How many frames an X-ray's file holds, by its header: none of them has to be readable.
 * @throws FileFormatError for a DICOM file that is damaged as a whole
 */
export const xrayFrames = (name: string, bytes: Uint8Array): number =>
  looksLikeDicom(bytes) ? readDicomFile(bytes, name).header.frames : 1

const metaXray = (bytes: Uint8Array, options: XrayOptions, name: string): Xray =>
  guard(name, () => {
    const m = readMetaImage(bytes, name)
    if (m.size.slice(2).some(n => n !== 1))
      throw new FileFormatError(`${name} is ${m.size.join(' × ')}, not a single image`, 'Give an X-ray.')
    const image = { width: m.size[0], height: m.size[1], data: Float32Array.from(m.values) }
    return plainXray(image, [], options, name, 'MetaImage')
  })
