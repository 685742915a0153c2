import { readFile } from 'node:fs/promises'
import { FileNotFoundError } from '@raypose/core'
import { PELVIS_MODEL } from '@raypose/models'
import { loadWeights, type Network } from '@raypose/network'

/**
 * Reads a network: a file, or the shipped pelvis network.
 * @throws FileNotFoundError; ModelError for a damaged file
 */
export async function readModel(path?: string): Promise<Network> {
  const bytes = await readFile(path ?? PELVIS_MODEL).catch(cause => {
    throw new FileNotFoundError(
      `The network ${path ?? PELVIS_MODEL.pathname} cannot be read`,
      'Give a file that "raypose pretrain" wrote (network.rpw).',
      { cause }
    )
  })
  return loadWeights(bytes)
}
