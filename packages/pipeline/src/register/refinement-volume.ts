import {
  type BoneLabels,
  bonesAlone,
  type Camera,
  coverage,
  createWasmRenderer,
  type DerivativeRenderer,
  type Detector,
  type HipJoint,
  type Image,
  prepareWasmVolume,
  type Renderer,
  resampleVolume,
  type Vec3,
  type Volume,
  withoutFemurs
} from '@raypose/core'
import { createViewLibrary, type SeenVolume, type ViewLibrary, type ViewSet } from './view-library.js'

/**
 * Voxel size that DRRs are rendered from while registering. The similarity is no worse than with the scanner's own voxels, a DRR takes
 * a third of the time, and coarse pyramid levels alias less.
 */
const RENDER_MM = 1.6

/** Rays nearer than this to the scan's cut ends do not count, mm on the detector: three of the working pixels. */
const END_MARGIN = 4.8

/** The last libraries that were asked for stay: an X-ray wants one for each side and one about the view that is given. Each holds some 40 MB. */
const KEPT_LIBRARIES = 3

/** What of a picture the CT says, see `coverage`. */
export const coveredBy = (ct: Pick<RefinementVolume, 'volume'>, camera: Camera): Image =>
  coverage(ct.volume, camera, { margin: END_MARGIN })

/** What a search compares by. Edges beside what the CT does not know do not count there, which is margin enough. */
export const seenBy = ({ volume, still }: Pick<RefinementVolume, 'volume' | 'still'>): SeenVolume => ({
  renderer: still,
  covered: camera => coverage(volume, camera)
})

/** A CT made ready for refinement. */
export interface RefinementVolume {
  /** At about {@link RENDER_MM}. */
  readonly volume: Volume<Int16Array>
  /** The volume's own voxels, whatever the pixels. */
  readonly renderer: Renderer
  /** Voxels as coarse as the pixels. */
  readonly levelled: Renderer & DerivativeRenderer
  /** The same without the femurs beyond their heads, where these are told apart: what stays in place when a leg moves. */
  readonly still: Renderer & DerivativeRenderer
  /**
   * Bones alone, without those of `still` that are left out, of the scanner's own voxels, for the last steps: flesh and femurs lie otherwise in an X-ray than in the CT. Laid out when
   * first asked for, so that opening a patient does not wait for it.
   */
  bones(): DerivativeRenderer
  /** DRRs of C-arm positions about a point (LPS mm), kept: they are rendered when first asked for. */
  library(detector: Detector, centre: Vec3, set: ViewSet): ViewLibrary
  dispose(): void
}

/** @param bones of the patient, where they are told apart */
export function prepareRefinement(
  ct: Volume<Int16Array>,
  bones: { readonly labels: BoneLabels; readonly joints: readonly HipJoint[] } | null = null
): RefinementVolume {
  const volume = renderingVolume(ct)
  const prepared = prepareWasmVolume(volume, { mips: 2, slots: 2 })
  const renderer = createWasmRenderer(prepared)
  const levelled = createWasmRenderer(prepared, { pixelMm: 'auto' })
  const less = (of: Volume<Int16Array>) => (bones ? withoutFemurs(of, bones.labels, bones.joints) : of)
  const still = bones
    ? createWasmRenderer(prepareWasmVolume(less(volume), { mips: 2, slots: 2 }), { pixelMm: 'auto' })
    : levelled
  let finest: (Renderer & DerivativeRenderer) | null = null
  const libraries = new Map<string, ViewLibrary>()
  return {
    volume,
    renderer,
    levelled,
    still,
    bones: () => (finest ??= createWasmRenderer(bonesAlone(less(ct)))),
    library(detector, centre, set) {
      const key = JSON.stringify([detector, centre, set])
      const library =
        libraries.get(key) ?? createViewLibrary(seenBy({ volume, still }), detector, centre, set)
      libraries.delete(key)
      libraries.set(key, library)
      for (const old of [...libraries.keys()].slice(0, -KEPT_LIBRARIES)) libraries.delete(old)
      return library
    },
    dispose() {
      finest?.dispose()
      renderer.dispose()
      levelled.dispose()
      if (still !== levelled) still.dispose()
    }
  }
}

/**
 * The volume at about {@link RENDER_MM}, ending exactly where it ended: a body cut off at the side of the scan shows as an edge in the
 * DRR, and an edge moved by a fraction of a voxel moves the pose.
 */
function renderingVolume(volume: Volume<Int16Array>): Volume<Int16Array> {
  if (volume.spacing.every(s => s >= RENDER_MM * 0.8)) return volume
  const extent = volume.size.map((n, k) => (n - 1) * volume.spacing[k])
  const size = extent.map((e, k) =>
    Math.max(2, Math.min(volume.size[k], Math.round(e / RENDER_MM) + 1))
  ) as unknown as Vec3
  const spacing = extent.map((e, k) => e / (size[k] - 1)) as unknown as Vec3
  return resampleVolume(volume, { spacing, size, origin: volume.origin })
}
