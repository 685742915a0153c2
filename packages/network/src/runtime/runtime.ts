/**
 * The little that Raypose needs of a tensor runtime. onnxruntime-node and onnxruntime-web stand behind it; another
 * can take their place without a change elsewhere.
 */
export interface RuntimeTensor {
  /** Of a tensor that is kept on a device only what a graph makes of it can be read. */
  readonly data: Float32Array
  readonly dims: readonly number[]
  /** Frees a tensor on a device. */
  dispose?(): void
}

export interface SessionOptions {
  /** Threads inside one operator. */
  readonly threads?: number
  /** Execution provider of the runtime; 'cpu' by default. */
  readonly provider?: string
  /** Outputs that stay on the device, to be inputs again: for providers that have a memory of their own. */
  readonly keep?: readonly string[]
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
