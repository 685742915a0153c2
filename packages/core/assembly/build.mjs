// Compiles the AssemblyScript kernels to wasm and embeds them as base64 in a generated TypeScript module, so that
// the core loads them without any I/O, in Node and in browsers alike. A module that threads share a memory of is built twice, for a memory of its
// own and for a shared one: the import's type has to say which.
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))
const modules = {
  drr: { folder: 'drr', shared: true },
  slide: { folder: 'registration/sliding', shared: false }
}
const folderOf = name => fileURLToPath(new URL(`../src/${modules[name].folder}/generated/`, import.meta.url))

const modified = path => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0
const newestInput = Math.max(...readdirSync(here).map(name => modified(here + name)))
const stale = Object.keys(modules).filter(
  name => modified(`${folderOf(name)}${name}-kernels.ts`) <= newestInput
)

if (stale.length > 0) {
  // Loading the compiler takes a second: only when there is something to compile.
  const { default: asc } = await import('assemblyscript/asc')
  const compile = async (name, extra) => {
    let wasm
    const { error, stderr } = await asc.main(
      [
        `${name}.ts`,
        ...['--baseDir', here, '--outFile', 'out.wasm', '-O3', '--noAssert', '--runtime', 'stub'],
        ...['--importMemory', '--noExportMemory', '--enable', 'simd', '--use', 'abort=', ...extra]
      ],
      {
        writeFile: (file, contents) => {
          if (file.endsWith('.wasm')) wasm = contents
        }
      }
    )
    if (error || !wasm) {
      console.error(`${name}.ts does not compile:\n${stderr}`)
      process.exit(1)
    }
    return Buffer.from(wasm).toString('base64')
  }
  for (const name of stale) {
    const own = await compile(name, [])
    const shared = modules[name].shared
      ? await compile(name, [
          ...['--enable', 'threads', '--sharedMemory', '--initialMemory', '1', '--maximumMemory', '65536']
        ])
      : null
    mkdirSync(folderOf(name), { recursive: true })
    writeFileSync(
      `${folderOf(name)}${name}-kernels.ts`,
      `// Generated from assembly/${name}.ts by assembly/build.mjs: do not edit.\n` +
        `export const ownMemoryWasm =\n  '${own}'\n${shared ? `export const sharedMemoryWasm =\n  '${shared}'\n` : ''}`
    )
  }
}
