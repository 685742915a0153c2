export { LOWEST_HU } from './bytes/elements.js'
export * from './dicom/choose.js'
export type { Dataset } from './dicom/dataset.js'
export { type DicomFile, type DicomHeader, type NamedBytes, readDicomFile } from './dicom/header.js'
export { decodeFrame, type StoredPixels } from './dicom/pixels.js'
export { looksLikeDicom } from './dicom/preamble.js'
export * from './dicom/series.js'
export { type PixelCoding, TRANSFER_SYNTAXES, type TransferSyntax } from './dicom/transfer-syntax.js'
export * from './dicom/volume.js'
export * from './dicom/write-ct.js'
export type { DicomMeta } from './dicom/write-elements.js'
export * from './dicom/write-xray.js'
export * from './dicom/xray.js'
export { readMha } from './mha/read.js'
export * from './mha/write.js'
export * from './nifti/read.js'
export * from './nifti/write.js'
export { readNrrd, readNrrdImage } from './nrrd/read.js'
export * from './nrrd/write.js'
export { readPng, readPngXray } from './png/read.js'
export * from './png/write.js'
export * from './read.js'
export * from './transform/itk.js'
export type { CtVolume, LoadedVolume } from './volume.js'
export {
  beamFromPositioner,
  type CalibratedXray,
  mirrorXray,
  requireGeometry,
  viewFromPositioner,
  type Xray,
  type XrayOptions
} from './xray/xray.js'
