/** The part of dcmjs that is used here; the package brings no types. */
declare module 'dcmjs' {
  export interface DcmjsElement {
    vr: string
    Value?: unknown
  }
  export type DcmjsDict = Record<string, DcmjsElement>
  interface Dcmjs {
    data: {
      DicomMessage: {
        readFile(
          buffer: ArrayBuffer,
          options?: { ignoreErrors?: boolean; untilTag?: string; includeUntilTagValue?: boolean }
        ): { meta: DcmjsDict; dict: DcmjsDict }
      }
      DicomDict: new (
        meta: DcmjsDict
      ) => {
        dict: DcmjsDict
        write(options?: { allowInvalidVRLength?: boolean; fragmentMultiframe?: boolean }): ArrayBuffer
      }
    }
    log: { setLevel(level: string, persist?: boolean): void }
  }
  const dcmjs: Dcmjs
  export default dcmjs
}
