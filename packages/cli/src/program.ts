import { VERSION } from '@raypose/pipeline'
import { Command } from 'commander'
import { addBenchCommand } from './commands/bench.js'
import { addDemoCommand } from './commands/demo.js'
import { addDrrCommand } from './commands/drr.js'
import { addEvaluateCommand } from './commands/evaluate.js'
import { addEvaluateNetworkCommand } from './commands/evaluate-network.js'
import { addLandmarksCommand } from './commands/landmarks.js'
import { addPopulationCommand } from './commands/population.js'
import { addPrepareCommand } from './commands/prepare.js'
import { addPretrainCommand } from './commands/pretrain.js'
import { addRegisterCommand } from './commands/register.js'
import { addSimulateCommand } from './commands/simulate.js'
import { addTrackCommand } from './commands/track.js'

/** The command line, without anything run yet. It never ends the process: errors, help and version are thrown. */
export function createProgram(): Command {
  const program = new Command('raypose')
    .description('Registers X-ray images to a CT, without any input by hand.')
    .version(VERSION, '--version', 'print the version')
    .helpOption('--help', 'say how to use it')
    .helpCommand(false)
    .exitOverride()
    .configureOutput({ outputError: () => {} })
    .addHelpText(
      'after',
      `
Typical use:
  $ raypose prepare  --ct ct/ --out patient/            once for each CT
  $ raypose register --patient patient/ --xray xray.dcm --out result/

Exit codes: 0 done, 2 something to put right (it is said what), 3 a pose that is rejected, 130 stopped by Ctrl-C, 1 a fault of Raypose.`
    )
  addPrepareCommand(program)
  addRegisterCommand(program)
  addTrackCommand(program)
  addEvaluateCommand(program)
  addDrrCommand(program)
  addSimulateCommand(program)
  addLandmarksCommand(program)
  addPopulationCommand(program)
  addPretrainCommand(program)
  addEvaluateNetworkCommand(program)
  addDemoCommand(program)
  addBenchCommand(program)
  return program
}
