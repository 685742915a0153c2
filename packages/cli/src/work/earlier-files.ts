import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { readJson } from '@raypose/pipeline'

/**
 * Removes what an earlier run left in a folder, lest it be taken for this one's: only where its result says that it is of this format,
 * so that what another program wrote stays.
 * @param result the file among `files` that holds it
 * @returns that result, or null where nothing was removed
 */
export async function removeEarlier(
  folder: string,
  files: readonly string[],
  result: string,
  format: string
): Promise<Readonly<Record<string, unknown>> | null> {
  const before = (await readJson(join(folder, result)).catch(() => null)) as Record<string, unknown> | null
  if (before?.format !== format) return null
  // What cannot be removed cannot be written either, which is said then.
  for (const name of files) await rm(join(folder, name), { force: true }).catch(() => {})
  return before
}
