// Renders a batch and prints by how many bytes it made this process grow. Started by batch-memory.ts.
import { readFile } from 'node:fs/promises'
import { prepareWasmVolume } from '@raypose/core'
import { createRenderPool } from '../workers/render-pool.js'
import type { BatchMemoryTask } from './batch-memory.js'

const task = JSON.parse(await readFile(process.argv[2], 'utf8')) as BatchMemoryTask
const before = process.memoryUsage.rss()
const bytes = await readFile(task.voxels)
const data = new Int16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2)
const { quality, workers } = task
const prepared = prepareWasmVolume({ ...task.grid, data }, { quality, shared: true, slots: workers })
const pool = createRenderPool(prepared, { workers })
await pool.renderEach(task.cameras, () => {})
const peak = process.resourceUsage().maxRSS * 1024
await pool.dispose()
process.stdout.write(String(peak - before))
