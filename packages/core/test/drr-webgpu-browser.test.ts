import { existsSync, readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { resolve, sep } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createReferenceRenderer } from '../src/drr/reference-renderer.js'
import { type Camera, centredDetector } from '../src/geometry/camera.js'
import type { Vec3 } from '../src/geometry/linear.js'
import { poseFromView } from '../src/geometry/view.js'
import { anatomicalVolume, relativeRms } from './drr-volumes.js'
import { poseDifferences } from './pose-differences.js'

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync)
const DIST = resolve(import.meta.dirname, '../dist')
const reason = !CHROMIUM
  ? 'there is no Chromium'
  : existsSync(resolve(DIST, 'drr/webgpu/renderer.js'))
    ? undefined
    : 'the package is not built (npm run build)'
if (reason) console.warn(`The WebGPU renderer is not tested in a browser: ${reason}`)

const PAGE = `<!doctype html><title>Raypose</title>
<script type="module">import * as raypose from '/index.js'; globalThis.raypose = raypose</script>`

/** Serves the built package, as it is, and a page that loads it, on localhost: WebGPU needs a secure context. */
const serve = (): Promise<Server> =>
  new Promise(done => {
    const server = createServer((request, response) => {
      const path = resolve(DIST, `.${new URL(request.url ?? '/', 'http://x').pathname}`)
      if (request.url === '/') response.setHeader('content-type', 'text/html').end(PAGE)
      else if (path.startsWith(DIST + sep) && existsSync(path))
        response.setHeader('content-type', 'text/javascript').end(readFileSync(path))
      else response.writeHead(404).end()
    })
    server.listen(0, '127.0.0.1', () => done(server))
  })

describe.skipIf(reason)('WebGPU renderer in headless Chromium', () => {
  let server: Server
  let browser: Browser
  let page: Page
  beforeAll(async () => {
    server = await serve()
    browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ['--no-sandbox', '--headless=new', '--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader']
    })
    page = await browser.newPage()
    await page.goto(`http://localhost:${(server.address() as AddressInfo).port}/`)
    await page.waitForFunction(() => 'raypose' in globalThis)
  })
  afterAll(async () => {
    await browser?.close()
    server?.close()
  })

  test('agrees with the reference, image and derivatives', async ({ skip }) => {
    const adapter = await page.evaluate(async () => (await navigator.gpu?.requestAdapter()) != null)
    skip(!adapter, 'this Chromium has no WebGPU adapter, not even SwiftShader')
    const centre: Vec3 = [10, 20, 30]
    const volume = anatomicalVolume([30, 26, 24], [11, 10, 11], 6)
    const detector = { ...centredDetector(1200, [12, 10], [32, 30]), principalPoint: [13, 17] as const }
    const camera: Camera = {
      detector,
      cameraFromLps: poseFromView({ alpha: 0.2, beta: -0.1, gamma: 0.5, translation: [5, 6, 7] }, [0, 0, 0])
    }
    const seen = await page.evaluate(
      async ({ volume, camera, centre }) => {
        const { raypose } = globalThis as unknown as { raypose: typeof import('../src/index.js') }
        const { createWebGpuRenderer, createReferenceRenderer } = raypose
        const ct = { ...volume, data: Float32Array.from(volume.data) }
        const renderer = await createWebGpuRenderer(ct)
        const other = createReferenceRenderer(ct)
        const image = await renderer.render(camera)
        const all = await renderer.renderWithDerivatives(camera, centre)
        const { device, errorBound } = renderer
        renderer.dispose()
        return {
          device,
          errorBound,
          image: [...image.data],
          again: [...all.image.data],
          derivatives: all.derivatives.map(d => [...d]),
          reference: [...other.render(camera).data]
        }
      },
      { volume: { ...volume, data: [...volume.data] }, camera, centre }
    )
    const reference = createReferenceRenderer(volume)
    const expected = reference.render(camera).data
    expect(seen.device).not.toBe('')
    // The same JavaScript on both sides.
    expect(relativeRms(seen.reference, expected)).toBeLessThan(1e-6)
    expect(relativeRms(seen.image, expected)).toBeLessThan(seen.errorBound)
    expect(relativeRms(seen.again, expected)).toBeLessThan(seen.errorBound)
    poseDifferences(reference, camera, centre).forEach((d, a) => {
      expect(relativeRms(seen.derivatives[a], d)).toBeLessThan(5e-3)
    })
  })
})
