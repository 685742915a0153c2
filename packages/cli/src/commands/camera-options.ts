import { PAPER_DETECTOR, PAPER_SOURCE_TO_ISOCENTER, type Vec2, type Vec3 } from '@raypose/core'
import type { Command } from 'commander'
import {
  CT_HELP,
  imageSize,
  optionWithDefault,
  pixelSize,
  positiveNumber,
  type ViewAngles,
  vector,
  viewAngles
} from '../arguments.js'

/** A CT and how a C-arm looks at it: angles in radians, lengths in mm, points in LPS, size in pixels. */
export interface CameraOptions {
  readonly ct: string
  readonly series?: string
  readonly view: ViewAngles
  readonly translate: Vec3
  readonly isocenter?: Vec3
  readonly sdd: number
  readonly sourceToIsocenter: number
  readonly pixel: Vec2
  readonly size: Vec2
}

/** Options of every command that makes a picture of a CT. */
export function withCameraOptions(command: Command): Command {
  const d = PAPER_DETECTOR
  return command
    .requiredOption('--ct <path>', CT_HELP)
    .option(
      '--series <uid>',
      'DICOM series to take, by the end of its UID (UID#2 where several reconstructions share one)'
    )
    .addOption(
      optionWithDefault(
        '--view <alpha,beta,gamma>',
        'C-arm angles in degrees: cranial/caudal, roll, left/right',
        viewAngles('--view'),
        '0,0,0'
      )
    )
    .addOption(
      optionWithDefault(
        '--translate <x,y,z>',
        'offset of the C-arm from the isocentre, mm in LPS',
        vector('--translate'),
        '0,0,0'
      )
    )
    .option(
      '--isocenter <x,y,z>',
      'point the C-arm turns about, mm in LPS (default: the centre of the CT)',
      vector('--isocenter')
    )
    .option('--sdd <mm>', 'distance from source to detector', positiveNumber('--sdd', '1200'), d.sdd)
    .option(
      '--source-to-isocenter <mm>',
      'distance from source to isocentre',
      positiveNumber('--source-to-isocenter', '700'),
      PAPER_SOURCE_TO_ISOCENTER
    )
    .addOption(
      optionWithDefault(
        '--pixel <mm>',
        'pixel size, one number or columns,rows',
        pixelSize('--pixel'),
        d.pixel.join(',')
      )
    )
    .addOption(
      optionWithDefault(
        '--size <columns x rows>',
        'size of the picture in pixels',
        imageSize('--size'),
        d.size.join('x')
      )
    )
}
