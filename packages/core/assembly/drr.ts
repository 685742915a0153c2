// Entry point of the DRR kernels.
export { slab } from './slab'
export { warp } from './warp'
