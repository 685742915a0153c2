import { nodeRuntime, gradientGraph, compactSpec, cpmSpec, randomParameters, parameterLayout, inputShape, targetShape, encodeTargets } from './dist/index.js'
try { process.dlopen({ exports: {} }, '/usr/lib/chromium/libvulkan.so.1', 0x1002) } catch {}
const B = +(process.argv[2] ?? 2)
const spec = compactSpec(2, { imageWidth: 32, imageHeight: 32, channels: [4, 6, 8, 8], decoder: [8, 6], normalisation: process.argv[3] ?? 'none' })
const size = s => s.reduce((a, b) => a * b, 1)
const rt = await nodeRuntime()
const { entries, total } = parameterLayout(spec)
const p = randomParameters(spec, 5)
const images = Float32Array.from({ length: size(inputShape(spec, B)) }, (_, i) => Math.sin(0.37 * i) + Math.cos(0.011 * i))
const targets = new Float32Array(size(targetShape(spec, B)))
for (let b = 0; b < B; b++) encodeTargets(spec, [10, 12, 20, 9], 3, targets, b * targets.length / B)
const res = {}
for (const provider of ['cpu', 'webgpu']) {
  const s = await rt.createSession(gradientGraph(spec, B), { provider })
  const o = await s.run({ images: rt.tensor(images, inputShape(spec, B)), targets: rt.tensor(targets, targetShape(spec, B)), parameters: rt.tensor(p, [total]) })
  res[provider] = { loss: o.loss.data[0], g: o.gradient.data.slice() }
}
console.log('loss', res.cpu.loss, res.webgpu.loss)
for (const { name, offset, size: n } of entries) {
  let d = 0, m = 0
  for (let i = offset; i < offset + n; i++) { d = Math.max(d, Math.abs(res.cpu.g[i] - res.webgpu.g[i])); m = Math.max(m, Math.abs(res.cpu.g[i])) }
  console.log(name.padEnd(24), n, m.toExponential(2), d.toExponential(2))
}
process.exit(0)
