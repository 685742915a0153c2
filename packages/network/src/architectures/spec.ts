import { ModelError } from '@raypose/core'

/**
 * What a network is, as plain data: enough to rebuild its graph for any batch size, for training and for inference.
 * Stored in weights files and checkpoints.
 */
export interface NetworkGeometry {
  /** Number of landmarks. */
  readonly landmarks: number
  /** X-ray or DRR, pixels. */
  readonly imageWidth: number
  readonly imageHeight: number
  /** The image padded at the right and bottom to what the network divides evenly. */
  readonly inputWidth: number
  readonly inputHeight: number
}

/** How activations are kept in range: not at all, by group normalisation, or by standardised weights. */
export type Normalisation = 'none' | 'group' | 'weight'

/** Encoder-decoder with additive skips and output stride 4 or 2. */
export interface CompactSpec extends NetworkGeometry {
  readonly kind: 'compact'
  readonly version: 1
  /** Channels at 1/2, 1/4, 1/8 and 1/16 of the input. */
  readonly channels: readonly [number, number, number, number]
  /** Channels of the decoder at 1/8 and 1/4 and, where maps of stride 2 are wanted, at 1/2. */
  readonly decoder: readonly [number, number] | readonly [number, number, number]
  readonly normalisation: Normalisation
  /** Dilations of the 3×3 blocks at 1/16, one block each: depth and receptive field. Absent: 1, 2, 1. */
  readonly dilations?: readonly number[]
  /** Residual blocks after them at 1/16, and in the decoder at 1/8; each starts as the identity. Absent: none. */
  readonly residuals?: readonly [deep: number, middle: number]
}

/** Convolutional pose machine (Wei et al. 2016; Bier et al. 2018), output stride 8. */
export interface CpmSpec extends NetworkGeometry {
  readonly kind: 'cpm'
  readonly version: 1
  readonly stages: number
  /** Factor on all numbers of channels; 1 is the original. */
  readonly width: number
}

export type NetworkSpec = CompactSpec | CpmSpec

const paddedTo = (size: number, step: number) => Math.ceil(size / step) * step

const geometryOf = (
  landmarks: number,
  imageWidth: number,
  imageHeight: number,
  step: number
): NetworkGeometry => ({
  landmarks,
  imageWidth,
  imageHeight,
  inputWidth: paddedTo(imageWidth, step),
  inputHeight: paddedTo(imageHeight, step)
})

/** The default network: about 0.95 million parameters and 1.1 GFLOP for a 240×188 image. */
export function compactSpec(landmarks = 23, options: Partial<CompactSpec> = {}): CompactSpec {
  return checkSpec({
    ...geometryOf(landmarks, options.imageWidth ?? 240, options.imageHeight ?? 188, 16),
    kind: 'compact',
    version: 1,
    channels: [32, 48, 96, 128],
    decoder: [96, 64],
    normalisation: 'none',
    ...options
  }) as CompactSpec
}

/** The network of the paper; `width` 1 is its full size, which asks for a GPU. */
export function cpmSpec(landmarks = 23, options: Partial<CpmSpec> = {}): CpmSpec {
  return checkSpec({
    ...geometryOf(landmarks, options.imageWidth ?? 240, options.imageHeight ?? 188, 8),
    kind: 'cpm',
    version: 1,
    stages: 6,
    width: 1,
    ...options
  }) as CpmSpec
}

/** Input pixels per output cell. */
export const outputStride = (spec: NetworkSpec): number =>
  spec.kind === 'cpm' ? 8 : spec.decoder.length === 3 ? 2 : 4

/** Centre of cell i in input pixels: the middle of the pixels it covers. */
export const cellCentre = (i: number, stride: number): number => stride * i + (stride - 1) / 2

/** Columns and rows of the output maps. */
export const mapSize = (spec: NetworkSpec): { width: number; height: number } => ({
  width: spec.inputWidth / outputStride(spec),
  height: spec.inputHeight / outputStride(spec)
})

/** Values per landmark in targets and scores: the cells of the map, and for `compact` the absent bin after them. */
export const binsPerLandmark = (spec: NetworkSpec): number => {
  const { width, height } = mapSize(spec)
  return width * height + (spec.kind === 'compact' ? 1 : 0)
}

/**
 * Reads a spec from parsed JSON.
 * @throws ModelError when it is of another kind or version, or its sizes are impossible
 */
export function checkSpec(value: unknown): NetworkSpec {
  const spec = value as NetworkSpec
  const refuse = (what: string): never => {
    throw new ModelError(
      `The network spec ${what}`,
      'Use a file written by this version of Raypose, or train the network again.'
    )
  }
  if (typeof spec !== 'object' || spec === null || (spec.kind !== 'compact' && spec.kind !== 'cpm'))
    return refuse('is of no known kind ("compact", "cpm")')
  if (spec.version !== 1) return refuse(`has version ${String(spec.version)}; this program reads version 1`)
  const positive = (n: unknown) => Number.isInteger(n) && (n as number) > 0
  const sizes = [spec.landmarks, spec.imageWidth, spec.imageHeight, spec.inputWidth, spec.inputHeight]
  const list = (value: unknown, length: number) =>
    Array.isArray(value) && value.length === length ? value : [Number.NaN]
  const channels =
    spec.kind === 'compact'
      ? [
          ...list(spec.channels, 4),
          ...list(spec.decoder, spec.decoder?.length === 3 ? 3 : 2),
          ...(spec.dilations === undefined ? [] : list(spec.dilations, spec.dilations?.length)),
          ...(spec.residuals === undefined ? [] : list(spec.residuals, 2).map(n => n + 1))
        ]
      : [spec.stages]
  if (![...sizes, ...channels].every(positive))
    return refuse('has a size that is not a positive whole number')
  if (spec.kind === 'compact' && !['none', 'group', 'weight'].includes(spec.normalisation))
    return refuse(`has an unknown normalisation "${String(spec.normalisation)}"`)
  if (spec.kind === 'cpm' && !(spec.width > 0)) return refuse('has a width that is not positive')
  const step = spec.kind === 'compact' ? 16 : 8
  if (spec.inputWidth % step || spec.inputHeight % step)
    return refuse(`has an input of ${spec.inputWidth}×${spec.inputHeight}, which ${step} does not divide`)
  if (spec.inputWidth < spec.imageWidth || spec.inputHeight < spec.imageHeight)
    return refuse('has an input smaller than its image')
  return spec
}
