import { BackendError } from '../../errors.js'
import { rayShader } from './shader.js'

/** The two compiled shaders, each made when first asked for. */
export interface Pipelines {
  /** @throws BackendError if the device does not take the shader */
  get(derivatives: boolean): Promise<GPUComputePipeline>
}

export function createPipelines(device: GPUDevice): Pipelines {
  const made = new Map<boolean, Promise<GPUComputePipeline>>()
  const make = (derivatives: boolean) =>
    device
      .createComputePipelineAsync({
        layout: 'auto',
        compute: { module: device.createShaderModule({ code: rayShader(derivatives) }), entryPoint: 'main' }
      })
      .catch((cause: Error) => {
        throw new BackendError(
          `The GPU does not take the ray shader: ${cause.message}`,
          'Update the graphics driver, or use the wasm renderer.',
          { cause }
        )
      })
  return {
    get(derivatives) {
      const pipeline = made.get(derivatives) ?? make(derivatives)
      made.set(derivatives, pipeline)
      return pipeline
    }
  }
}
