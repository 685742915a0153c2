import { FileNotFoundError } from '@raypose/core'
import { loadWeights, type Network } from './weights-file.js'

/**
 * A trained network from the URL of its weights file.
 * @throws FileNotFoundError when nothing can be fetched there
 * @throws ModelError when it is no weights file, or one of another version
 */
export async function fetchNetwork(url: string | URL, init?: RequestInit): Promise<Network> {
  const refuse = (found: string, cause?: unknown) =>
    new FileNotFoundError(
      `The weights at ${url} cannot be fetched: ${found}`,
      'Check the address, and that its server allows this page.',
      { cause }
    )
  const response = await fetch(url, init).catch((cause: unknown) => {
    throw refuse(cause instanceof Error ? cause.message : String(cause), cause)
  })
  if (!response.ok) throw refuse(`HTTP ${response.status}`)
  return loadWeights(new Uint8Array(await response.arrayBuffer()))
}
