// Entry point of the DRR kernels.
export { slab } from './slab'
export { warp } from './warp'
export { warpDerivatives } from './warp-derivatives'
