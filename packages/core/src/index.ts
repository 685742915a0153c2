export { type AsyncRenderer, asAsyncRenderer, type RenderBatchOptions } from './drr/async-renderer.js'
export { type AttenuationOptions, type LabelOptions, MU_WATER } from './drr/attenuation.js'
export * from './drr/reference-renderer.js'
export type { ImageWithDerivatives, Renderer } from './drr/renderer.js'
export { createWasmRenderer, type WasmRendererOptions } from './drr/wasm-renderer.js'
export {
  claimSlot,
  type PreparedVolume,
  type PrepareOptions,
  prepareWasmVolume,
  type RenderQuality,
  releaseSlot
} from './drr/wasm-volume.js'
export * from './drr/webgpu/device.js'
export {
  createWebGpuRenderer,
  WEBGPU_ERROR_BOUND,
  type WebGpuRendererOptions
} from './drr/webgpu/renderer.js'
export type { TexelPrecision } from './drr/webgpu/upload.js'
export * from './errors.js'
export * from './evaluation/measures.js'
export * from './evaluation/summary.js'
export * from './evaluation/targets.js'
export * from './geometry/anatomical.js'
export * from './geometry/camera.js'
export * from './geometry/geometry-json.js'
export * from './geometry/linear.js'
export * from './geometry/rigid.js'
export * from './geometry/rotation.js'
export * from './geometry/view.js'
export * from './image/edges.js'
export * from './image/image.js'
export * from './image/resample-image.js'
export * from './landmarks/back-projection.js'
export * from './landmarks/bone-surface.js'
export * from './landmarks/border-following.js'
export * from './landmarks/definitions.js'
export * from './landmarks/pelvis-frame.js'
export * from './landmarks/refine.js'
export * from './landmarks/shape-prior.js'
export * from './landmarks/sphere-growing.js'
export * from './landmarks/views.js'
export * from './phantom/phantom.js'
export {
  type PelvisShape,
  pelvisLandmarkPrior,
  pelvisShape,
  shapeFromVector,
  shapeModes
} from './phantom/shape-model.js'
export * from './phantom/sphere-mesh.js'
export { absoluteOrientation } from './pose/absolute-orientation.js'
export * from './pose/correspondences.js'
export * from './pose/epnp.js'
export * from './pose/pose-from-landmarks.js'
export * from './pose/ransac-pose.js'
export * from './pose/refine-pose.js'
export * from './pose/symmetric-eigen.js'
export * from './random/random.js'
export * from './registration/bobyqa/bobyqa.js'
export * from './registration/bobyqa/minimise.js'
export * from './registration/linearise.js'
export * from './registration/pose-variables.js'
export * from './registration/register.js'
export { type GradientNccOptions, gradientNcc } from './registration/similarity/gradient-ncc.js'
export * from './registration/similarity/local-ncc.js'
export * from './registration/similarity/ncc.js'
export * from './registration/similarity/similarity.js'
export * from './registration/supersampling.js'
export * from './volume/resample.js'
export * from './volume/volume.js'
export { ATTENUATION, type AttenuationTable, type MaterialName } from './xray/attenuation-tables.js'
export * from './xray/augment.js'
export type { Opening } from './xray/collimation.js'
export { type Instrument, instrumentsFromJson, randomInstruments } from './xray/instruments.js'
export { type BodyMaterial, type Metal, massAttenuation } from './xray/materials.js'
export * from './xray/presets.js'
export * from './xray/primary.js'
export * from './xray/settings.js'
export * from './xray/simulate.js'
export * from './xray/spectrum.js'
