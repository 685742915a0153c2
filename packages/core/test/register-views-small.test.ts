import { afterAll, expect, it } from 'vitest'
import { createWasmRenderer } from '../src/drr/wasm-renderer.js'
import { poseErrors } from '../src/evaluation/measures.js'
import { centredDetector } from '../src/geometry/camera.js'
import { DEGREE } from '../src/geometry/rotation.js'
import { poseFromView, type View } from '../src/geometry/view.js'
import { createPhantom } from '../src/phantom/phantom.js'
import { registerViews } from '../src/registration/register-views.js'

const phantom = createPhantom({ seed: 5, spacing: 2.5 })
const renderer = createWasmRenderer(phantom.ct, { mips: 2 })
afterAll(() => renderer.dispose())

it.each([
  [100, 100],
  [240, 64]
])('a field of %d × %d mm is registered, though coarse levels have few pixels of it', (width, height) => {
  const detector = centredDetector(1000, [1, 1], [width, height])
  // Over the right hip.
  const view: View = { alpha: 0, beta: 0, gamma: 8 * DEGREE, translation: [-60, 0, -30] }
  const truth = poseFromView(view, phantom.isocenter, 600)
  const start = poseFromView(
    { ...view, gamma: 9 * DEGREE, translation: [-58, 4, -31] },
    phantom.isocenter,
    600
  )
  const { cameraFromLps } = registerViews({
    views: [{ image: renderer.render({ detector, cameraFromLps: truth }), detector }],
    starts: [start],
    centre: phantom.isocenter,
    renderer
  })
  expect(poseErrors(detector, start, truth, phantom.landmarks).tre).toBeGreaterThan(3)
  expect(poseErrors(detector, cameraFromLps, truth, phantom.landmarks).tre).toBeLessThan(0.5)
})
