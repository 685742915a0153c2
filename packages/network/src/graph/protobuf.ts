import { ModelError } from '@raypose/core'

/**
 * The part of the Protocol Buffers wire format that ONNX needs: varints, 32-bit floats, length-delimited fields.
 * Source: protobuf.dev/programming-guides/encoding.
 */
export interface ProtobufWriter {
  /** Field `f` as a varint; negative numbers take the ten-byte two's complement form. */
  integer(f: number, value: number): ProtobufWriter
  float(f: number, value: number): ProtobufWriter
  bytes(f: number, value: Uint8Array): ProtobufWriter
  string(f: number, value: string): ProtobufWriter
  message(f: number, value: ProtobufWriter): ProtobufWriter
  finish(): Uint8Array
}

const encoder = new TextEncoder()

export function createWriter(): ProtobufWriter {
  const chunks: Uint8Array[] = []
  const varint = (value: number) => {
    const out: number[] = []
    let rest = value < 0 ? BigInt(value) + (1n << 64n) : BigInt(value)
    do {
      const low = Number(rest & 127n)
      rest >>= 7n
      out.push(rest ? low | 128 : low)
    } while (rest)
    chunks.push(Uint8Array.from(out))
  }
  const writer: ProtobufWriter = {
    integer(f, value) {
      varint((f << 3) | 0)
      varint(value)
      return writer
    },
    float(f, value) {
      varint((f << 3) | 5)
      const bytes = new Uint8Array(4)
      new DataView(bytes.buffer).setFloat32(0, value, true)
      chunks.push(bytes)
      return writer
    },
    bytes(f, value) {
      varint((f << 3) | 2)
      varint(value.length)
      chunks.push(value)
      return writer
    },
    string: (f, value) => writer.bytes(f, encoder.encode(value)),
    message: (f, value) => writer.bytes(f, value.finish()),
    finish() {
      const total = chunks.reduce((sum, c) => sum + c.length, 0)
      const out = new Uint8Array(total)
      let at = 0
      for (const c of chunks) {
        out.set(c, at)
        at += c.length
      }
      return out
    }
  }
  return writer
}

/** One field of a message: a varint (as a number), the raw bits of a 32/64-bit field, or bytes. */
export type ProtobufField =
  | { readonly field: number; readonly kind: 'integer'; readonly value: number }
  | { readonly field: number; readonly kind: 'fixed' | 'bytes'; readonly value: Uint8Array }

/**
 * Fields of one message, in order; nested messages stay bytes until they are read in turn.
 * @throws ModelError when the bytes end inside a field or hold a wire type that ONNX does not use
 */
export function readFields(bytes: Uint8Array): ProtobufField[] {
  const fields: ProtobufField[] = []
  let at = 0
  const truncated = () =>
    new ModelError(
      `The graph ends inside a field (byte ${at} of ${bytes.length})`,
      'The file is truncated or not an ONNX graph: write it again.'
    )
  const varint = () => {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      if (at >= bytes.length) throw truncated()
      const b = bytes[at++]
      value |= BigInt(b & 127) << shift
      if (b < 128) return Number(BigInt.asIntN(64, value))
    }
    throw truncated()
  }
  const take = (n: number) => {
    if (n < 0 || at + n > bytes.length) throw truncated()
    const part = bytes.subarray(at, at + n)
    at += n
    return part
  }
  while (at < bytes.length) {
    const tag = varint()
    const field = tag >>> 3
    const wire = tag & 7
    if (wire === 0) fields.push({ field, kind: 'integer', value: varint() })
    else if (wire === 2) fields.push({ field, kind: 'bytes', value: take(varint()) })
    else if (wire === 1 || wire === 5) fields.push({ field, kind: 'fixed', value: take(wire === 1 ? 8 : 4) })
    else
      throw new ModelError(
        `The graph holds protobuf wire type ${wire} at byte ${at}`,
        'The file is altered or not an ONNX graph: write it again.'
      )
  }
  return fields
}
