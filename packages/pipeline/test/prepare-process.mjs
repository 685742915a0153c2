// Prepares a phantom in the folder it is given and tells its parent each stage: a process to be killed.
import { createPhantom } from '@raypose/core'
import { preparePatient, readModel } from '../dist/index.js'

let stage = ''
await preparePatient(createPhantom({ seed: 31, spacing: 2.5, size: [131, 98, 115] }).ct, await readModel(), {
  out: process.argv[2],
  steps: 3,
  onProgress: p => {
    if (p.stage !== stage) process.send((stage = p.stage))
  }
})
process.disconnect()
