import { readModel } from '../files/model.js'
import { createWorkbench } from './methods.js'
import type { ProtocolRow } from './rows.js'
import { openStage } from './stage.js'
import type { ViewRequest, ViewWorkerData } from './view-protocol.js'

/** Something that evaluates views of one patient, one after the other. */
export interface ViewLane {
  run(request: ViewRequest): Promise<ProtocolRow[]>
  close(): Promise<void>
}

/** Opens a patient for evaluation, in this thread. */
export async function openLane({ source, protocol, model, drrs }: ViewWorkerData): Promise<ViewLane> {
  const stage = await openStage(source, protocol, { drrs })
  const general = model === null ? null : await readModel(model)
  const bench = await createWorkbench(stage, protocol, { general })
  return {
    run: ({ view, methods }) => bench.run(view, methods),
    async close() {
      await bench.dispose()
      stage.dispose()
    }
  }
}
