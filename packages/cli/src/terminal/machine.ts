import { availableParallelism, cpus } from 'node:os'

/** What figures of speed are figures of. */
export interface Machine {
  readonly processor: string
  readonly cores: number
  readonly node: string
}

export const thisMachine = (): Machine => ({
  processor: cpus()[0]?.model.trim() ?? 'unknown',
  cores: availableParallelism(),
  node: process.version
})

export const machineWords = (m: Machine): string => `${m.processor}, ${m.cores} cores, Node ${m.node}`
