import {
  binImage,
  binnedDetector,
  type Camera,
  centredDetector,
  createWasmRenderer,
  type Detector,
  type Image,
  imageRange,
  poseFromLandmarks,
  project,
  type Renderer,
  registerIntensity,
  resampleToDetector,
  resampleVolume,
  toDetectorPixel,
  type Vec3,
  type Volume,
  XrayError
} from '@raypose/core'
import { createDetector } from '@raypose/network'
import type { Patient } from '../patient/bundle.js'
import type { DetectedLandmark, OnProgress, Registration } from '../types.js'

export type SimilarityName = 'ncc' | 'lncc' | 'gncc'

export interface RegistrarOptions {
  readonly similarity?: SimilarityName
  readonly threads?: number
  /** Initial pose only. */
  readonly skipRefinement?: boolean
}

export interface RegisterCall {
  readonly signal?: AbortSignal
  readonly onProgress?: OnProgress
}

/** A patient ready for X-rays: network loaded, volume laid out for rendering. */
export interface Registrar {
  readonly patient: Patient
  readonly renderer: Renderer
  /**
   * Phase 3 (paper section 2): landmarks, pose, intensity-based registration.
   * @param image line integrals, bone bright (see {@link lineIntegrals})
   * @throws XrayError for an empty or constant image; PoseError if no pose can be computed
   */
  register(image: Image, detector: Detector, call?: RegisterCall): Promise<Registration>
  dispose(): Promise<void>
}

/**
 * Voxel size that DRRs are rendered from while registering. The similarity is no worse than with the scanner's own voxels, a DRR takes
 * a third of the time, and coarse pyramid levels alias less.
 */
const RENDER_MM = 1.6

/** DRRs that a registration usually takes, for the progress bar. */
const EXPECTED_EVALUATIONS = 260

/** Pixel size at the isocentre's ray slope that registration works at: finer only costs time. */
const WORKING_PIXEL = 1.6 / 1200

/** Opens sessions and prepares the volume; an X-ray then takes about a second. */
export async function createRegistrar(patient: Patient, options: RegistrarOptions = {}): Promise<Registrar> {
  const { similarity, threads = 2 } = options
  const network = await createDetector(patient.network, { threads })
  const renderer = createWasmRenderer(renderingVolume(patient.volume))
  return {
    patient,
    renderer,
    async register(image, detector, call = {}) {
      const started = performance.now()
      const seconds = (since: number) => (performance.now() - since) / 1000
      assertXray(image, detector)
      const eye = networkDetector(patient.detector, detector)
      const input = resampleToDetector(image, detector, eye)
      call.onProgress?.({ stage: 'Detecting landmarks', fraction: 0 })
      const [found] = await network.detect([input.data])
      const detect = seconds(started)

      let mark = performance.now()
      const pose = poseFromLandmarks(patient.landmarks, found, eye, {
        weights: patient.weights,
        isocenter: patient.isocenter
      })
      const initialPose = seconds(mark)

      mark = performance.now()
      const factor = Math.max(1, Math.round((WORKING_PIXEL * detector.sdd) / detector.pixel[0]))
      const working = binnedDetector(detector, factor)
      const fixed = factor > 1 ? binImage(image, factor) : image
      const refined = options.skipRefinement
        ? null
        : await registerIntensity({
            image: fixed,
            detector: working,
            start: pose.cameraFromLps,
            centre: patient.isocenter,
            renderer,
            similarity,
            signal: call.signal,
            otherStarts: pose.hypotheses.slice(1, 3).map(h => h.cameraFromLps),
            onProgress: p =>
              call.onProgress?.({
                stage: 'Registering intensities',
                fraction: Math.min(1, p.evaluations / EXPECTED_EVALUATIONS),
                detail: `similarity ${p.similarity.toFixed(4)}`
              })
          })
      const refine = seconds(mark)
      return {
        detector,
        initialPose: pose.cameraFromLps,
        finalPose: refined?.cameraFromLps ?? pose.cameraFromLps,
        landmarks: describe(patient, found, eye, detector, pose),
        similarity: {
          name: similarity ?? 'lncc, then gncc',
          before: refined?.similarityBefore ?? Number.NaN,
          after: refined?.similarityAfter ?? Number.NaN
        },
        evaluations: refined?.evaluations ?? 0,
        reprojectionRmsMm: pose.reprojectionRms,
        initialCovariance: Array.from(pose.covariance),
        timings: { detect, initialPose, refine, total: seconds(started) },
        xray: image
      }
    },
    async dispose() {
      await network.release()
      renderer.dispose()
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

/** The detector that the network was trained for, on this X-ray's source: the same ray slopes, centred on its image. */
function networkDetector(trained: Detector, xray: Detector): Detector {
  const scale = xray.sdd / trained.sdd
  const d = centredDetector(xray.sdd, [trained.pixel[0] * scale, trained.pixel[1] * scale], trained.size)
  // Centred on the image, not on the principal point: an off-centre beam still shows its whole image to the network.
  const middle = toDetectorPixel((xray.size[0] - 1) / 2, (xray.size[1] - 1) / 2, xray, d)
  return {
    ...d,
    principalPoint: [
      d.principalPoint[0] - (middle.u - (d.size[0] - 1) / 2),
      d.principalPoint[1] - (middle.v - (d.size[1] - 1) / 2)
    ]
  }
}

function assertXray(image: Image, detector: Detector): void {
  if (image.width !== detector.size[0] || image.height !== detector.size[1])
    throw new XrayError(
      `The X-ray is ${image.width} × ${image.height} pixels, its geometry is for ${detector.size.join(' × ')}`,
      'Give the geometry of this very image.'
    )
  if (!image.data.every(Number.isFinite))
    throw new XrayError('The X-ray holds a value that is not a finite number', 'Export the image again.')
  const { min, max } = imageRange(image)
  if (!(max > min))
    throw new XrayError(`The X-ray is empty: every pixel is ${min}`, 'Give an image that shows the patient.')
}

function describe(
  patient: Patient,
  found: readonly { u: number; v: number; confidence: number }[],
  eye: Detector,
  detector: Detector,
  pose: ReturnType<typeof poseFromLandmarks>
): DetectedLandmark[] {
  const camera: Camera = { detector: eye, cameraFromLps: pose.cameraFromLps }
  const inliers = new Set(pose.inliers)
  return found.map((d, i) => {
    const p = project(camera, patient.landmarks[i])
    return {
      name: patient.manifest.landmarks[i].name,
      ...toDetectorPixel(d.u, d.v, eye, detector),
      confidence: d.confidence,
      residualMm: Math.hypot((p.u - d.u) * eye.pixel[0], (p.v - d.v) * eye.pixel[1]),
      inlier: inliers.has(i)
    }
  })
}
