import type { Camera, PreparedVolume } from '@raypose/core'

/** What a render worker is started with. */
export interface RenderWorkerData {
  readonly prepared: PreparedVolume
  readonly slot: number
}

/** Asks for one image. */
export interface RenderRequest {
  readonly id: number
  readonly camera: Camera
}

/** The image's pixels (transferred), or why there are none. */
export type RenderReply =
  | { readonly id: number; readonly data: Float32Array }
  | { readonly id: number; readonly failure: string }
