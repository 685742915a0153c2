// Runs a protocol in the folder that it is given and tells its parent of each view: a process to be killed.
import { readFile } from 'node:fs/promises'
import { findPatients, parseProtocol, runProtocol } from '../dist/index.js'

const [file, patients, out, workers] = process.argv.slice(2)
await runProtocol(parseProtocol(await readFile(file, 'utf8'), file), await findPatients(patients), {
  out,
  workers: Number(workers),
  onProgress: p => process.send(p.fraction)
})
process.disconnect()
