import { FileFormatError } from '@raypose/core'

/**
 * The name of the file beside a header that holds its voxels, as the header gives it.
 *
 * Only a plain name is one: a path or an address in a file that was sent would have any file of the machine opened.
 * @throws FileFormatError for a path, an address, a list of files or a pattern
 */
export function siblingName(file: string, header: string): string {
  const plain = file.replace(/^\.\//, '')
  if (/^list\b/i.test(plain) || plain.includes('%'))
    throw new FileFormatError(
      `${header} keeps its voxels in several files (${file})`,
      'Convert it to one file: .nrrd, .mha, or NIfTI.'
    )
  const control = [...plain].some(c => c < ' ')
  if (plain === '' || plain === '.' || plain === '..' || /[/\\:]/.test(plain) || control)
    throw new FileFormatError(
      `${header} keeps its voxels elsewhere (${file}): only a file in the same folder is opened`,
      'Put both files into one folder, and the name alone into the header.'
    )
  return plain
}
