import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Camera, createReferenceRenderer, type Image, type Volume } from '@raypose/core'
import { writeFileAtomic } from '../files/atomic.js'
import { sha256 } from '../files/hash.js'

/** Makes the float64 line integrals of a CT that X-rays are simulated from. */
export interface DrrStore {
  drr(camera: Camera): Promise<Image>
  dispose(): void
}

/**
 * Line integrals by the reference renderer, kept as files: they take longer than a registration, and ablations, presets and resumed runs
 * want the same ones again.
 * @param volume asked for once there is something to render
 * @param folder for one file for each camera (float32, little-endian); null: nothing is kept
 * @param ctSha256 of the CT, which the names of the files stand for too
 */
export function createDrrStore(volume: () => Volume, folder: string | null, ctSha256: string): DrrStore {
  // It holds a float for each voxel: only made where there is something to render.
  let renderer: ReturnType<typeof createReferenceRenderer> | null = null
  const render = (camera: Camera) => (renderer ??= createReferenceRenderer(volume())).render(camera)
  return {
    async drr(camera) {
      if (folder === null) return render(camera)
      const [width, height] = camera.detector.size
      const { detector, cameraFromLps } = camera
      const name = sha256(JSON.stringify([ctSha256, detector, Array.from(cameraFromLps)])).slice(0, 24)
      const path = join(folder, `${name}.f32`)
      const kept = await readFile(path).catch(() => null)
      if (kept?.length === 4 * width * height) return { width, height, data: fromBytes(kept) }
      const image = render(camera)
      await writeFileAtomic(path, toBytes(image.data))
      return image
    },
    dispose: () => renderer?.dispose()
  }
}

function fromBytes(bytes: Uint8Array): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Float32Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(4 * i, true))
}

function toBytes(values: ArrayLike<number>): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * values.length))
  for (let i = 0; i < values.length; i++) view.setFloat32(4 * i, values[i], true)
  return new Uint8Array(view.buffer)
}
