import type { XrayOptions } from '@raypose/formats'
import type { OnProgress, RegistrarOptions, RelativeSource, TubeSide, XrayReading } from '@raypose/pipeline'

/** What a registration by command takes. */
export interface RegisterWork extends RegistrarOptions {
  readonly patient: string
  /** One or more X-rays of the patient. */
  readonly xrays: readonly string[]
  /** One for all X-rays, or one for each. */
  readonly geometry?: readonly string[]
  /** Where the relative poses of several X-rays come from; default: the best that their files say. */
  readonly relative?: RelativeSource
  readonly out: string
  /** What the user knows better than the X-ray's file. */
  readonly reading: Omit<XrayOptions, 'geometry'>
  /** Which way round the picture is; found where left out. */
  readonly orientation?: Pick<XrayReading, 'rotation' | 'mirrored'>
  /** Side of the patient that the tube stands on; found where left out. */
  readonly tube?: TubeSide
  readonly signal?: AbortSignal
  readonly onProgress?: OnProgress
}
