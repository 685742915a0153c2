// Working memory of the slab kernel: tables of a group of slices, its slices' state, and its blended voxel row.

/** Columns of the widest virtual detector; `MAX_COLUMNS` of wasm-volume.ts. */
export const MAXW: usize = 2048
/** For every four columns: which voxels they take, with what weights, and from which voxel on (at offset 0). */
export const WEIGHTS: usize = MAXW * 4
export const BASES: usize = MAXW * 8
/** Of each slice of the group: see below. */
export const STATE: usize = MAXW * 9
export const BLEND: usize = STATE + 256

/** Voxels of nothing before and after a row; `ROW_MARGIN` of slab-layout.ts. */
export const MARGIN: i32 = 8

// Of a slice: where the present grid row lies in it and how far the next one (32.32 fixed point), its first row (moved
// to lie over the group's other slices), its table of extents, its weight and how far it is moved, then the upper of the
// present two voxel rows and their two weights (16 bits each).
export const SLICE: usize = 48
export const POSITION: usize = 0
export const STEP: usize = 8
export const ROWS: usize = 16
export const EXTENTS: usize = 20
export const WEIGHT: usize = 24
export const SHIFT: usize = 28
export const UPPER: usize = 32
export const PAIR: usize = 36
