/** The decode-only builds of CharLS and OpenJPEG; the packages bring no types. */
interface EmscriptenDecoder {
  getEncodedBuffer(length: number): Uint8Array
  getDecodedBuffer(): Uint8Array
  decode(): void
  getFrameInfo(): { width: number; height: number; bitsPerSample: number; componentCount: number }
  delete(): void
}

declare module '@cornerstonejs/codec-charls/decodewasmjs' {
  const factory: (options?: object) => Promise<{ JpegLSDecoder: new () => EmscriptenDecoder }>
  export default factory
}

declare module '@cornerstonejs/codec-openjpeg/decodewasmjs' {
  const factory: (options?: object) => Promise<{ J2KDecoder: new () => EmscriptenDecoder }>
  export default factory
}
