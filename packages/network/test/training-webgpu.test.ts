import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'
import { BackendError } from '@raypose/core'
import { describe, expect, it } from 'vitest'
import { compactSpec, cpmSpec } from '../src/index.js'
import { assertWebGpuComputes } from '../src/runtime/webgpu-limits.js'

// onnxruntime's WebGPU in a process of its own: where a driver is broken, it is that process that ends.
const MODULE = new URL('../dist/index.js', import.meta.url).href
/** Debian's chromium brings SwiftShader, a Vulkan for CPUs, and the loader that onnxruntime looks for. */
const CHROMIUM = '/usr/lib/chromium'
const hasVulkan = existsSync('/usr/share/vulkan/icd.d') || existsSync('/etc/vulkan/icd.d')
const hasSwiftShader = existsSync(`${CHROMIUM}/vk_swiftshader_icd.json`)

const script = `
  const { createTrainer, compactSpec, inputShape, targetShape, encodeTargets } = await import(${JSON.stringify(MODULE)})
  try { process.dlopen({ exports: {} }, '${CHROMIUM}/libvulkan.so.1', 0x1002) } catch {}
  const spec = compactSpec(2, { imageWidth: 32, imageHeight: 32, channels: [8, 8, 16, 16], decoder: [16, 8] })
  const size = s => s.reduce((a, b) => a * b, 1)
  const images = () => Float32Array.from({ length: size(inputShape(spec, 2)) }, (_, i) => Math.sin(0.37 * i) + Math.cos(0.011 * i))
  const targets = new Float32Array(size(targetShape(spec, 2)))
  encodeTargets(spec, [10, 12, 20, 9], 3, targets, 0)
  encodeTargets(spec, [25, 5, -4, 9], 3, targets, targets.length / 2)
  // Of a gradient that is nothing but rounding, Adam takes the sign: a large epsilon keeps that out of the comparison.
  const hyper = { lr: 1e-3, epsilon: 1e-2 }
  const run = async (provider, optimiser, checkpoint) => {
    const t = await createTrainer({ spec, batchSize: 2, seed: 5, provider, optimiser })
    if (checkpoint) t.restore(checkpoint)
    const steps = []
    for (let i = 0; i < 2; i++) steps.push(await t.train(images(), targets.slice(), hyper))
    let early = null
    if (provider === 'webgpu') try { t.parameters() } catch (e) { early = e.code }
    await t.fetch()
    const out = { steps, early, average: [...t.averagedParameters()], checkpoint: t.checkpoint() }
    await t.release()
    return out
  }
  try {
    const plain = r => ({ ...r, checkpoint: undefined })
    const compared = {}
    for (const optimiser of ['adam', 'muon']) {
      const gpu = await run('webgpu', optimiser)
      const cpu = await run('cpu', optimiser)
      const mixed = await run('cpu', optimiser, gpu.checkpoint)
      const straight = await run('cpu', optimiser, cpu.checkpoint)
      compared[optimiser] = { gpu: plain(gpu), cpu: plain(cpu), mixed: plain(mixed), straight: plain(straight) }
    }
    process.stdout.write(JSON.stringify(compared), () => process.exit(0))
  } catch (e) {
    process.stdout.write(JSON.stringify({ error: { code: e.code, message: e.message } }), () => process.exit(0))
  }
`

const train = async (icd?: string) => {
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], {
    env: { ...process.env, ...(icd ? { VK_ICD_FILENAMES: icd } : {}) },
    maxBuffer: 1 << 26
  })
  return JSON.parse(stdout)
}

const largest = (a: readonly number[], b: readonly number[]) =>
  a.reduce((m, x, i) => Math.max(m, Math.abs(x - b[i])), 0)

describe('training by WebGPU', () => {
  it.skipIf(!hasVulkan && !hasSwiftShader)(
    'takes the steps that the CPU takes, its state on the device, and its checkpoint goes on there (skipped without Vulkan)',
    async () => {
      const both = await train(hasVulkan ? undefined : `${CHROMIUM}/vk_swiftshader_icd.json`)
      expect(both.error).toBeUndefined()
      for (const r of [both.adam, both.muon]) {
        expect(r.gpu.early).toBe('model')
        for (const [a, b] of [
          [r.gpu, r.cpu],
          [r.mixed, r.straight]
        ]) {
          for (const i of [0, 1]) {
            expect(a.steps[i].step).toBe(b.steps[i].step)
            expect(a.steps[i].loss).toBeCloseTo(b.steps[i].loss, 4)
            expect(a.steps[i].gradientNorm / b.steps[i].gradientNorm).toBeCloseTo(1, 3)
          }
          // Steps of lr times a direction of about 1: what they moved agrees to a few per mille of that.
          expect(largest(a.average, b.average)).toBeLessThan(4e-6)
        }
        // That comparison says something only if the weights moved by much more.
        expect(largest(r.gpu.average, r.mixed.average)).toBeGreaterThan(1e-4)
      }
    },
    // Translating some hundred shaders for a CPU takes its time on a busy machine.
    400_000
  )

  it('is refused for channels that onnxruntime gets wrong', () => {
    for (const right of [compactSpec(23), cpmSpec(23), cpmSpec(23, { width: 0.25 })])
      expect(() => assertWebGpuComputes(right, true)).not.toThrow()
    // 27 to 16 channels, and 8 to 6 on the way back.
    expect(() => assertWebGpuComputes(cpmSpec(23, { width: 0.125 }), false)).toThrow(BackendError)
    const narrow = compactSpec(23, { channels: [8, 6, 8, 8] })
    expect(() => assertWebGpuComputes(narrow, true)).toThrow(/webgpu|WebGPU/)
  })

  it.skipIf(process.platform !== 'linux')('is refused by type where there is no GPU', async () => {
    const r = await train('/nowhere/icd.json')
    expect(r.error?.code).toBe('backend')
    expect(r.error?.message).toMatch(/webgpu/i)
  })
})
