// Entry point of the DRR kernels.
export { joseph } from './joseph'
export { slab } from './slab'
export { warp } from './warp'
export { warpDerivatives } from './warp-derivatives'
