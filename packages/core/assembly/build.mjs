// Compiles the AssemblyScript kernels to wasm and embeds them as base64 in a generated TypeScript module, so that
// the core loads them without any I/O, in Node and in browsers alike.
