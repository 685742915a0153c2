import { type Anatomy, ModelError } from '@raypose/core'
import { parameterLayout } from '../architectures/network.js'
import { checkSpec, type NetworkSpec } from '../architectures/spec.js'
import { readBinary, writeBinary } from './binary.js'
import { fromFloat16, toFloat16 } from './float16.js'

const magic = 'RPWEIGHT'
export const weightsVersion = 1

/** A trained network: everything inference needs, and where it came from. */
export interface Network {
  readonly spec: NetworkSpec
  /** Flat parameters in the order of `parameterLayout(spec)`. */
  readonly parameters: Float32Array
  readonly landmarkNames: readonly string[]
  /** What is known of the anatomy that the landmarks belong to; absent in files of before there was more than one. */
  readonly anatomy?: NetworkAnatomy
  /** Detector pixel size that the network was trained for, mm. */
  readonly pixelMm: readonly [number, number]
  /** How it was trained (data, seeds, steps, figures): free JSON. */
  readonly provenance: Readonly<Record<string, unknown>>
}

export type NetworkAnatomy = Omit<Anatomy, 'landmarkNames'>

/**
 * The network as the bytes of a weights file; parameters are stored in half precision.
 * @throws ModelError when the parameters do not fit the spec or leave the range of half precision
 */
export function saveWeights(network: Network): Uint8Array {
  const { spec, parameters, landmarkNames, anatomy, pixelMm, provenance } = network
  const { total } = parameterLayout(spec)
  if (parameters.length !== total || landmarkNames.length !== spec.landmarks)
    throw new ModelError(
      `${parameters.length} parameters and ${landmarkNames.length} names for a network of ${total} and ${spec.landmarks}`,
      'Save the parameters together with the spec and the names they were trained with.'
    )
  if (!parameters.every(p => Math.abs(p) < 65504))
    throw new ModelError(
      'The parameters hold a value that is not finite or above 65504',
      'The training diverged: go back to an earlier checkpoint.'
    )
  const half = toFloat16(parameters)
  const header = {
    version: weightsVersion,
    precision: 'float16',
    spec,
    landmarkNames,
    anatomy,
    pixelMm,
    provenance
  }
  return writeBinary(magic, { header, payload: new Uint8Array(half.buffer) })
}

/** @throws ModelError when the bytes are truncated, altered or of another version */
export function loadWeights(bytes: Uint8Array): Network {
  const { header, payload } = readBinary(magic, bytes, 'weights file')
  if (header.version !== weightsVersion || header.precision !== 'float16')
    throw new ModelError(
      `The weights file has version ${String(header.version)} (${String(header.precision)})`,
      `This program reads version ${weightsVersion}: train the network again or use the matching release.`
    )
  const spec = checkSpec(header.spec)
  const { total } = parameterLayout(spec)
  const landmarkNames = header.landmarkNames as string[]
  if (payload.length !== 2 * total || landmarkNames.length !== spec.landmarks)
    throw new ModelError(
      `The weights file holds ${payload.length / 2} parameters; its spec asks for ${total}`,
      'It was written for another layout: train the network again.'
    )
  return {
    spec,
    parameters: fromFloat16(new Uint16Array(new Uint8Array(payload).buffer)),
    landmarkNames,
    ...(header.anatomy === undefined ? {} : { anatomy: checkAnatomy(header.anatomy, landmarkNames.length) }),
    pixelMm: header.pixelMm as [number, number],
    provenance: header.provenance as Record<string, unknown>
  }
}

/** @throws ModelError where the anatomy is not one of that many landmarks */
function checkAnatomy(value: unknown, landmarks: number): NetworkAnatomy {
  const { name, mirror, prior } = (value ?? {}) as NetworkAnatomy
  const points = (list: unknown): boolean =>
    Array.isArray(list) &&
    list.length === landmarks &&
    list.every(p => Array.isArray(p) && p.length === 3 && p.every(Number.isFinite))
  const partners = (list: unknown): boolean =>
    Array.isArray(list) &&
    list.length === landmarks &&
    list.every(i => Number.isInteger(i) && i >= 0 && i < landmarks)
  if (
    typeof name !== 'string' ||
    !(mirror === null || partners(mirror)) ||
    !points(prior?.mean) ||
    !Array.isArray(prior.modes) ||
    !prior.modes.every(points)
  )
    throw new ModelError(
      `What the weights file says of its anatomy does not fit its ${landmarks} landmarks`,
      'The file was altered: train the network again.'
    )
  return { name, mirror, prior }
}
