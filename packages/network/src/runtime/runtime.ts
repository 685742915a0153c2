/**
 * The little that Raypose needs of a tensor runtime. onnxruntime-node stands behind it here; onnxruntime-web or a
 * WebGPU provider can take its place without a change elsewhere.
 */
export interface RuntimeTensor {
  readonly data: Float32Array
  readonly dims: readonly number[]
}

export interface SessionOptions {
  /** Threads inside one operator. */
  readonly threads?: number
  /** Execution provider of the runtime; 'cpu' by default. */
  readonly provider?: string
}

export interface Session {
  /**
   * Runs the graph once. Given `outputs`, results are written into those tensors, which avoids an allocation.
   * On the CPU the calling thread is busy until it is done: use a worker thread for long work.
   */
  run(
    inputs: Readonly<Record<string, RuntimeTensor>>,
    outputs?: Readonly<Record<string, RuntimeTensor>>
  ): Promise<Readonly<Record<string, RuntimeTensor>>>
  release(): Promise<void>
}

export interface Runtime {
  readonly name: string
  createSession(model: Uint8Array, options?: SessionOptions): Promise<Session>
  tensor(data: Float32Array, dims: readonly number[]): RuntimeTensor
}
