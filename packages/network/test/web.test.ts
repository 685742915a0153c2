import { existsSync, readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { dirname, resolve, sep } from 'node:path'
import { createPhantom, createWasmRenderer, PAPER_DETECTOR, poseFromView } from '@raypose/core'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compactSpec } from '../src/architectures/spec.js'
import { createDetector } from '../src/inference/node-detector.js'
import { normaliseInput } from '../src/inference/normalise.js'
import { randomParameters } from '../src/training/initialise.js'
import { loadWeights, saveWeights } from '../src/weights/weights-file.js'
import { normals } from './support.js'

const REPOSITORY = resolve(import.meta.dirname, '../../..')
const DIST = resolve(import.meta.dirname, '../dist')
const MODEL = resolve(REPOSITORY, 'models/pelvis.rpw')
const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync)
const ORT = (() => {
  try {
    return dirname(createRequire(import.meta.url).resolve('onnxruntime-web/ort-wasm-simd-threaded.wasm'))
  } catch {
    return undefined
  }
})()
const reason = !CHROMIUM
  ? 'there is no Chromium'
  : !ORT
    ? 'onnxruntime-web is not installed'
    : existsSync(resolve(DIST, 'web.js'))
      ? undefined
      : 'the package is not built (npm run build)'
if (reason) console.warn(`Inference is not tested in a browser: ${reason}`)

const PAGE = `<!doctype html><title>Raypose</title>
<script type="importmap">{"imports": {
  "@raypose/core": "/core/index.js",
  "onnxruntime-web/wasm": "/ort/ort.wasm.bundle.min.mjs",
  "onnxruntime-web/webgpu": "/ort/ort.webgpu.bundle.min.mjs"
}}</script>
<script type="module">import * as network from '/network/web.js'; globalThis.network = network</script>`

/** A network small enough for a GPU that is emulated on the CPU. */
const smallSpec = compactSpec(3, {
  imageWidth: 64,
  imageHeight: 48,
  inputWidth: 64,
  inputHeight: 48,
  channels: [8, 8, 8, 8],
  decoder: [8, 8]
})
const smallWeights = () =>
  saveWeights({
    spec: smallSpec,
    parameters: randomParameters(smallSpec, 4),
    landmarkNames: ['a', 'b', 'c'],
    pixelMm: [1, 1],
    provenance: {}
  })

/** Serves the built packages as they are; the headers isolate the page, so that wasm may use threads. */
function serve(): Promise<Server> {
  const folders: Record<string, string> = {
    network: DIST,
    core: resolve(REPOSITORY, 'packages/core/dist'),
    ort: ORT ?? ''
  }
  const types: Record<string, string> = {
    wasm: 'application/wasm',
    js: 'text/javascript',
    mjs: 'text/javascript'
  }
  return new Promise(done => {
    const server = createServer((request, response) => {
      response.setHeader('cross-origin-opener-policy', 'same-origin')
      response.setHeader('cross-origin-embedder-policy', 'require-corp')
      const { pathname } = new URL(request.url ?? '/', 'http://x')
      const [, first, ...rest] = pathname.split('/')
      const folder = folders[first] ?? DIST
      const path = resolve(folder, rest.join('/'))
      const type = types[path.split('.').at(-1) ?? '']
      if (pathname === '/') response.setHeader('content-type', 'text/html').end(PAGE)
      else if (pathname === '/pelvis.rpw') response.end(readFileSync(MODEL))
      else if (pathname === '/small.rpw') response.end(smallWeights())
      else if (first in folders && path.startsWith(folder + sep) && type && existsSync(path))
        response.setHeader('content-type', type).end(readFileSync(path))
      else response.writeHead(404).end()
    })
    server.listen(0, '127.0.0.1', () => done(server))
  })
}

/** Raw scores and detections of one image, in the page. */
const inPage = (page: Page, provider: 'wasm' | 'webgpu', weights: string, image: Float32Array) =>
  page.evaluate(
    async ({ provider, weights, pixels }) => {
      const { network } = globalThis as unknown as { network: typeof import('../src/web.js') }
      const { createDetector, fetchNetwork, normaliseInput, webRuntime } = network
      const loaded = await fetchNetwork(weights)
      const runtime = await webRuntime({ provider, threads: provider === 'wasm' ? 2 : 1 })
      const detector = await createDetector(loaded, { runtime })
      const image = Float32Array.from(pixels)
      const scores = await detector.scores(normaliseInput(loaded.spec, image))
      const [detections] = await detector.detect([image])
      await detector.release()
      return { isolated: crossOriginIsolated, scores: [...scores], detections }
    },
    { provider, weights, pixels: [...image] }
  )

async function inNode(weights: Uint8Array, image: Float32Array) {
  const network = loadWeights(weights)
  const detector = await createDetector(network)
  const scores = await detector.scores(normaliseInput(network.spec, image))
  const [detections] = await detector.detect([image])
  await detector.release()
  return { scores, detections }
}

/**
 * The same single-precision products summed in another order: each of about 14 layers adds a relative error of some
 * 2^-24·√1152 (the longest sum), together below 1e-4 of the largest score.
 */
function expectSame(seen: Awaited<ReturnType<typeof inPage>>, expected: Awaited<ReturnType<typeof inNode>>) {
  const largest = expected.scores.reduce((a, b) => Math.max(a, Math.abs(b)), 0)
  const apart = expected.scores.reduce((a, b, i) => Math.max(a, Math.abs(b - seen.scores[i])), 0)
  expect(seen.scores).toHaveLength(expected.scores.length)
  expect(largest).toBeGreaterThan(0)
  expect(apart).toBeLessThan(1e-4 * largest)
  expect(seen.detections).toHaveLength(expected.detections.length)
  expected.detections.forEach((d, k) => {
    expect(Math.hypot(seen.detections[k].u - d.u, seen.detections[k].v - d.v)).toBeLessThan(0.02)
    expect(seen.detections[k].confidence).toBeCloseTo(d.confidence, 3)
  })
}

describe.skipIf(reason)('inference in headless Chromium', () => {
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
    await page.waitForFunction(() => 'network' in globalThis)
  })
  afterAll(async () => {
    await browser?.close()
    server?.close()
  })

  test('the shipped network finds in wasm what it finds in Node', async () => {
    const { ct, isocenter } = createPhantom({ seed: 1, spacing: 3 })
    const view = { alpha: 0.1, beta: -0.1, gamma: 0.3, translation: [0, 0, 0] as const }
    const renderer = createWasmRenderer(ct)
    const image = renderer.render({
      detector: PAPER_DETECTOR,
      cameraFromLps: poseFromView(view, isocenter)
    }).data
    renderer.dispose()
    const seen = await inPage(page, 'wasm', '/pelvis.rpw', image)
    expect(seen.isolated).toBe(true)
    expectSame(seen, await inNode(readFileSync(MODEL), image))
  })

  test('and so does WebGPU', async ({ skip }) => {
    const adapter = await page.evaluate(async () => (await navigator.gpu?.requestAdapter()) != null)
    skip(!adapter, 'this Chromium has no WebGPU adapter, not even SwiftShader')
    const image = normals([smallSpec.imageHeight, smallSpec.imageWidth], 5)
    expectSame(await inPage(page, 'webgpu', '/small.rpw', image), await inNode(smallWeights(), image))
  })

  test('weights that are absent or no weights are refused by type', async () => {
    const codes = await page.evaluate(async () => {
      const { network } = globalThis as unknown as { network: typeof import('../src/web.js') }
      const codeOf = (url: string) =>
        network.fetchNetwork(url).then(
          () => 'none',
          (error: { code?: string }) => error.code
        )
      return [await codeOf('/nothing.rpw'), await codeOf('/'), await codeOf('http://localhost:1/x.rpw')]
    })
    expect(codes).toEqual(['file-not-found', 'model', 'file-not-found'])
  })
})

test.skipIf(!existsSync(resolve(DIST, 'web.js')))(
  'nothing of Node lies behind the entry for browsers',
  () => {
    const seen = new Set<string>()
    const outside = new Set<string>()
    const visit = (file: string) => {
      if (seen.has(file)) return
      seen.add(file)
      for (const [, name] of readFileSync(file, 'utf8').matchAll(/(?:from|import\()\s*'([^']+)'/g)) {
        if (name.startsWith('.')) visit(resolve(dirname(file), name))
        else outside.add(name)
      }
    }
    visit(resolve(DIST, 'web.js'))
    expect([...outside].sort()).toEqual(['@raypose/core', 'onnxruntime-web/wasm', 'onnxruntime-web/webgpu'])
  }
)
