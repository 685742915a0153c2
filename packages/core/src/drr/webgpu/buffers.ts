/** GPU buffers that are used again: making and clearing them costs more than a small image. */
export interface BufferPool {
  /** A buffer of at least `bytes`, of unknown content. */
  take(bytes: number, usage: GPUBufferUsageFlags): GPUBuffer
  /** For the next `take`. Only when the GPU is done with it. */
  giveBack(buffer: GPUBuffer): void
  /** Frees a buffer of work that failed. */
  discard(buffer: GPUBuffer): void
  destroy(): void
}

/** Idle buffers kept of each usage: two submissions are under way at most. */
const KEPT = 2

export function createBufferPool(device: GPUDevice): BufferPool {
  const all = new Set<GPUBuffer>()
  const idle = new Map<GPUBufferUsageFlags, GPUBuffer[]>()
  const discard = (buffer: GPUBuffer) => {
    buffer.destroy()
    all.delete(buffer)
  }
  return {
    take(bytes, usage) {
      const list = idle.get(usage) ?? []
      const found = list.findIndex(b => b.size >= bytes)
      if (found >= 0) return list.splice(found, 1)[0]
      // Powers of two, so that images of slightly different sizes share buffers.
      const size = Math.min(2 ** Math.ceil(Math.log2(Math.max(256, bytes))), device.limits.maxBufferSize)
      const buffer = device.createBuffer({ size: Math.max(size, bytes), usage })
      all.add(buffer)
      return buffer
    },
    giveBack(buffer) {
      const list = idle.get(buffer.usage) ?? []
      idle.set(buffer.usage, list)
      list.push(buffer)
      if (list.length > KEPT) {
        const smallest = list.reduce((a, b) => (b.size < a.size ? b : a))
        list.splice(list.indexOf(smallest), 1)
        discard(smallest)
      }
    },
    discard,
    destroy() {
      for (const buffer of all) buffer.destroy()
      all.clear()
      idle.clear()
    }
  }
}
