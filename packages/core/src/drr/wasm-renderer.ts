import { BackendError } from '../errors.js'
import { assertCamera, type Camera } from '../geometry/camera.js'
import { applyRigid } from '../geometry/rigid.js'
import { gridCentre, type Volume } from '../volume/volume.js'
import { contentBox, renderJoseph } from './joseph-tile.js'
import { instantiateKernels } from './kernels.js'
import { rayFrame } from './ray-frame.js'
import { assertCentre, outputFor, type Renderer, withDerivatives } from './renderer.js'
import { planTile, type SlabPlan, splitTile, type Tile } from './slab-plan.js'
import { derivativePixels, renderTile, renderTileDerivatives, type TileContext } from './wasm-tile.js'
import {
  claimSlot,
  isPreparedVolume,
  MAX_PIXELS,
  type PreparedVolume,
  type PrepareOptions,
  prepareWasmVolume,
  type RenderQuality,
  releaseSlot
} from './wasm-volume.js'

export interface WasmRendererOptions extends PrepareOptions {
  /** The working memory of a prepared volume to use, had from {@link claimSlot}. Default: claims a free one. */
  readonly slot?: number
  /**
   * Render from the coarsest level of detail whose voxels are no larger than a pixel, as seen at the middle of the volume:
   * `'auto'` looks at each camera, a number (mm) is for all. The image is then that of the smoothed volume, near to the mean over
   * each pixel's area rather than the value at its centre. Default: the volume's own voxels. Levels are built by `mips`.
   */
  readonly pixelMm?: number | 'auto'
}

/** Relative RMS error to the reference that the tests hold the qualities to. */
const ERROR_BOUNDS: Readonly<Record<RenderQuality, number>> = {
  joseph: 0.0005,
  finest: 0.0025,
  fine: 0.003,
  fast: 0.003,
  draft: 0.004
}

/**
 * The fast CPU renderer: a SIMD slab kernel (shear-warp with Joseph's weights on a slice-parallel virtual detector, then
 * one cubic warp to the real one) or, at quality `'joseph'`, Joseph's kernel itself. Any grid orientation, spacing and detector; the slab axis is chosen for each view, and
 * a view whose fan is too wide for one axis is rendered in tiles. Between slices, ends included, the trapezoid rule.
 *
 * @param source a volume (then prepared here), or one from {@link prepareWasmVolume}
 * @throws VolumeError for a volume that is not one; ArgumentError where all slots are taken; BackendError where wasm
 * SIMD is missing, and for derivatives of quality `'joseph'`
 */
export function createWasmRenderer(
  source: Volume | PreparedVolume,
  options: WasmRendererOptions = {}
): Renderer & Required<Pick<Renderer, 'renderWithDerivatives'>> {
  const prepared = isPreparedVolume(source) ? source : prepareWasmVolume(source, options)
  const slot = options.slot ?? claimSlot(prepared)
  let context: TileContext | null = {
    prepared,
    kernels: instantiateKernels(prepared.memory, prepared.shared),
    slot
  }
  const { buffer } = prepared.memory
  const boxes =
    prepared.quality === 'joseph' ? prepared.levels[0].map(slab => contentBox(slab, buffer)) : null
  const present = (): TileContext => {
    if (!context) throw new BackendError('The renderer was disposed of', 'Create another one for the volume.')
    return context
  }

  /** Hands out the tiles of a view that show anything. */
  const eachTile = (
    camera: Camera,
    maxPixels: number,
    render: (context: TileContext, tile: Tile, plan: SlabPlan) => void,
    empty: (tile: Tile) => void
  ) => {
    const context = present()
    const frame = rayFrame(prepared.grid, camera)
    const slabs = prepared.levels[levelFor(prepared, camera, options.pixelMm)]
    const [width, height] = camera.detector.size
    const tiles: Tile[] = [{ u: 0, v: 0, width, height }]
    for (let tile = tiles.pop(); tile; tile = tiles.pop()) {
      const plan = planTile(frame, tile, slabs, prepared.cell, maxPixels)
      if (plan === 'split') tiles.push(...splitTile(tile))
      else if (plan === 'empty') empty(tile)
      else render(context, tile, plan)
    }
  }

  return {
    backend: 'wasm',
    errorBound: ERROR_BOUNDS[prepared.quality],
    bytes: prepared.bytes,
    render(camera, out) {
      assertCamera(camera)
      const data = outputFor(camera, out)
      const [width, height] = camera.detector.size
      if (boxes) renderJoseph(present(), camera, prepared.levels[0], boxes, data)
      else
        eachTile(
          camera,
          MAX_PIXELS,
          (context, tile, plan) => renderTile(context, camera, tile, plan, data),
          tile => fillTile(data, width, tile)
        )
      return { width, height, data }
    },
    renderWithDerivatives(camera, centre, out) {
      assertCamera(camera)
      assertCentre(centre)
      if (boxes)
        throw new BackendError(
          'The wasm renderer of quality "joseph" has no derivatives',
          'Prepare the volume with quality "finest" or "fine".'
        )
      const result = withDerivatives(camera, outputFor(camera, out, 7))
      const images = [result.image.data, ...result.derivatives]
      eachTile(
        camera,
        derivativePixels(MAX_PIXELS),
        (context, tile, plan) => renderTileDerivatives(context, camera, centre, tile, plan, images),
        tile => {
          for (const data of images) fillTile(data, result.image.width, tile)
        }
      )
      return result
    },
    dispose() {
      if (context && options.slot === undefined) releaseSlot(prepared, slot)
      context = null
    }
  }
}

function fillTile(data: Float32Array, width: number, tile: Tile): void {
  for (let v = tile.v; v < tile.v + tile.height; v++)
    data.fill(0, v * width + tile.u, v * width + tile.u + tile.width)
}

/** The coarsest level with voxels no larger than a pixel at the middle of the volume. */
function levelFor(
  { grid, levels }: PreparedVolume,
  { detector, cameraFromLps }: Camera,
  pixelMm: number | 'auto' | undefined
): number {
  if (pixelMm === undefined) return 0
  const depth = applyRigid(cameraFromLps, gridCentre(grid))[2]
  const seen =
    pixelMm === 'auto' ? (Math.min(...detector.pixel) * Math.max(0, depth)) / detector.sdd : pixelMm
  const level = Math.floor(Math.log2(seen / Math.min(...grid.spacing)) + 1e-6)
  return Math.max(0, Math.min(levels.length - 1, Number.isFinite(level) ? level : 0))
}
