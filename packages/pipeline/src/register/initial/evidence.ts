import {
  type Camera,
  type Detection,
  type Detector,
  type LandmarkPose,
  project,
  toDetectorPixel,
  type Vec3
} from '@raypose/core'
import type { Picture } from './picture.js'
import type { PoseEvidence } from './types.js'

/** Confidence from which a detection is one. */
export const CONFIDENT = 0.35

/**
 * What the landmarks say for a pose.
 * @param eye detector that the detections and the pose belong to
 * @param inField whether a pixel of the eye lies in the exposed field
 */
export function landmarkEvidence(
  landmarks: readonly Vec3[],
  detections: readonly Detection[],
  pose: LandmarkPose,
  eye: Detector,
  inField: (u: number, v: number) => boolean
): Omit<PoseEvidence, 'similarity'> {
  const camera: Camera = { detector: eye, cameraFromLps: pose.cameraFromLps }
  const inliers = new Set(pose.inliers)
  let expected = 0
  let confirmed = 0
  let contradicting = 0
  landmarks.forEach((p, i) => {
    const { u, v, depth } = project(camera, p)
    const visible = depth > 0 && inField(u, v)
    const seen = detections[i].confidence >= CONFIDENT
    if (visible) expected++
    if (visible && seen && inliers.has(i)) confirmed++
    if (seen && !inliers.has(i)) contradicting++
  })
  return { expected, confirmed, contradicting, reprojectionRmsMm: pose.reprojectionRms }
}

/** Whether a pixel is on an eye and falls into the field of a picture. */
export function fieldOf(picture: Picture, eye: { detector: Detector; turn: number }) {
  const { width, height } = picture.image
  const [columns, rows] = eye.detector.size
  return (u: number, v: number): boolean => {
    if (u < 0 || v < 0 || u > columns - 1 || v > rows - 1) return false
    const p = toDetectorPixel(u, v, eye.detector, picture.detector, eye.turn)
    const x = Math.round(p.u)
    const y = Math.round(p.v)
    return x >= 0 && y >= 0 && x < width && y < height && picture.mask[y * width + x] === 1
  }
}
